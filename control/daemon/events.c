/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "control/daemon/page.h"

#define EVENTS_QUEUED 8192 /* all ports of a full switch change at once, and as much again */
#define TURN_EVENTS   64   /* sent in a round of the loop: others have their turn, too */
#define LOST_RETRY_NS S_NS
#define DUMP_FLAGS    (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct subscriber {
	LIST_ENTRY(subscriber) link;
	struct events *events;
	struct rpc_conn *conn; /* NULL: gone; freed when nobody walks the list */
	json_t *kinds;	       /* array, or NULL: all */
	json_t *objects;       /* the same */
	uint64_t n_lost;
};

struct events {
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer *lost_timer;
	int fd; /* readable while the queue is not empty */
	events_wanted_fn wanted_fn;
	void *wanted_arg;
	LIST_HEAD(, subscriber) subscribers;
	atomic_uint n_subscribers; /* ctl: rw, any: ro */
	bool walking, moves_wanted;
	pthread_mutex_t lock; /* of the rest */
	json_t *queue[EVENTS_QUEUED];
	size_t first, n_queued; /* from first on, round the end */
	uint64_t n_lost; /* found no room in the queue */
};

bool events_wanted(const struct events *e)
{
	return e && atomic_load_explicit(&e->n_subscribers, memory_order_relaxed);
}

static double time_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)(ts.tv_nsec / 1000) / 1e6;
}

static json_t *event_json(const char *kind, const char *object, json_t *more)
{
	json_t *event = json_pack("{sfssso}", "time", time_now(), "kind", kind, "object",
				  json_text(object));

	if (event && more)
		json_object_update(event, more);
	json_decref(more);
	return event;
}

void events_publish(struct events *e, const char *kind, const char *object, json_t *more)
{
	uint64_t one = 1;
	json_t *event;
	bool first;

	if (!events_wanted(e)) {
		json_decref(more);
		return;
	}
	event = event_json(kind, object, more);
	pthread_mutex_lock(&e->lock);
	first = !e->n_queued && !e->n_lost;
	if (event && e->n_queued < EVENTS_QUEUED) {
		e->queue[(e->first + e->n_queued++) % EVENTS_QUEUED] = event;
		event = NULL;
	} else {
		e->n_lost++;
	}
	pthread_mutex_unlock(&e->lock);
	json_decref(event);
	/* Cannot fill up: control reads it back to zero before it is written again. */
	if (first && write(e->fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- sending ---- */

static bool kind_matches(const json_t *kinds, const char *kind)
{
	const json_t *one;
	size_t i;

	json_array_foreach (kinds, i, one) {
		const char *text = json_string_value(one);
		size_t len = strlen(text);

		if (!strncmp(kind, text, len) && (!kind[len] || kind[len] == '.'))
			return true;
	}
	return !kinds;
}

static bool object_matches(const json_t *objects, const char *object)
{
	const json_t *one;
	size_t i;

	json_array_foreach (objects, i, one)
		if (!strcmp(json_string_value(one), object))
			return true;
	return !objects;
}

static char *line_of(json_t *event)
{
	json_t *doc = json_pack("{ss ss sO}", "jsonrpc", "2.0", "method", "event", "params", event);
	char *line = doc ? json_dumps(doc, DUMP_FLAGS) : NULL;

	json_decref(doc);
	return line;
}

/* Events that go out together, each with its line. */
struct turn {
	json_t *events[TURN_EVENTS];
	char *lines[TURN_EVENTS];
	size_t n;
};

static bool matches(const struct subscriber *s, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));
	const char *object = json_string_value(json_object_get(event, "object"));

	return kind_matches(s->kinds, kind) && object_matches(s->objects, object ? object : "");
}

/* event's line with what s has lost before it; allocated. */
static char *line_with_lost(const struct subscriber *s, json_t *event)
{
	json_t *copy = json_copy(event);
	char *line;

	json_object_set_new(copy, "lost", json_integer((json_int_t)s->n_lost));
	line = line_of(copy);
	json_decref(copy);
	return line;
}

/* Lines of what is for s, *n of them, as one text without the last one's end; NULL: none, or no memory. */
static char *text_for(const struct subscriber *s, const struct turn *t, size_t *len, uint64_t *n)
{
	char *text = NULL;
	FILE *all = open_memstream(&text, len);
	bool ok = all;

	*n = 0;
	for (size_t i = 0; i < t->n; i++) {
		char *own = NULL;
		const char *line = t->lines[i];

		if (!matches(s, t->events[i]))
			continue;
		if (!*n && s->n_lost)
			line = own = line_with_lost(s, t->events[i]);
		ok = ok && line && fprintf(all, "%s%s", *n ? "\n" : "", line) > 0;
		free(own);
		++*n;
	}
	if (all && fclose(all) == EOF)
		ok = false;
	if (ok && *n)
		return text;
	free(text);
	return NULL;
}

/* In one write: all of it or, where that is too much to wait for it, nothing. */
static void subscriber_send(struct subscriber *s, const struct turn *t)
{
	uint64_t n;
	size_t len;
	char *text = text_for(s, t, &len, &n);

	if (text && rpc_notify(s->conn, text, len))
		s->n_lost = 0;
	else
		s->n_lost += n;
	free(text);
}

static void subscriber_free(struct subscriber *s)
{
	LIST_REMOVE(s, link);
	json_decref(s->kinds);
	json_decref(s->objects);
	free(s);
}

/* After a walk: frees those that went meanwhile, and sees to it that losses are told. */
static void walk_end(struct events *e);

static void on_lost(void *arg)
{
	struct events *e = arg;
	struct subscriber *s;

	e->walking = true;
	LIST_FOREACH (s, &e->subscribers, link) {
		json_t *event = NULL;
		char *line;

		if (!s->conn || !s->n_lost)
			continue;
		event = event_json("lost", "events",
				   json_pack("{sI}", "lost", (json_int_t)s->n_lost));
		line = event ? line_of(event) : NULL;
		if (line && rpc_notify(s->conn, line, strlen(line)))
			s->n_lost = 0;
		free(line);
		json_decref(event);
	}
	walk_end(e);
}

static void walk_end(struct events *e)
{
	struct subscriber *s, *next;
	bool lost = false;

	e->walking = false;
	for (s = LIST_FIRST(&e->subscribers); s; s = next) {
		next = LIST_NEXT(s, link);
		lost |= s->conn && s->n_lost;
		if (!s->conn)
			subscriber_free(s);
	}
	if (lost && !e->lost_timer)
		loop_timer_add(e->loop, LOST_RETRY_NS, on_lost, e, &e->lost_timer);
}

/* Takes the next events off the queue; with the last of them, what found no room behind it. */
static void turn_take(struct events *e, struct turn *t, uint64_t *n_lost)
{
	uint64_t n;

	*n_lost = 0;
	pthread_mutex_lock(&e->lock);
	for (t->n = 0; t->n < TURN_EVENTS && e->n_queued; e->n_queued--) {
		t->events[t->n++] = e->queue[e->first];
		e->first = (e->first + 1) % EVENTS_QUEUED;
	}
	if (!e->n_queued) {
		*n_lost = e->n_lost;
		e->n_lost = 0;
		/* Not before: it brings us here again for the rest. */
		if (read(e->fd, &n, sizeof(n)) < 0)
			n = 0;
	}
	pthread_mutex_unlock(&e->lock);
}

static void on_queue(void *arg, int fd, uint32_t ready)
{
	struct events *e = arg;
	struct subscriber *s;
	uint64_t n_lost;
	struct turn t;

	turn_take(e, &t, &n_lost);
	for (size_t i = 0; i < t.n; i++)
		t.lines[i] = line_of(t.events[i]);
	e->walking = true;
	LIST_FOREACH (s, &e->subscribers, link) {
		if (s->conn)
			subscriber_send(s, &t);
		s->n_lost += n_lost;
	}
	for (size_t i = 0; i < t.n; i++) {
		free(t.lines[i]);
		json_decref(t.events[i]);
	}
	walk_end(e);
}

/* ---- subscribers ---- */

/* They cost something to find: a VM's supervisor, which looks at its own ports, does not want them. */
static void moves_want(struct events *e)
{
	const struct subscriber *s;
	bool wanted = false;

	LIST_FOREACH (s, &e->subscribers, link)
		wanted |= s->conn && (kind_matches(s->kinds, "mac.move") ||
				      kind_matches(s->kinds, "mac.move.more"));
	if (wanted == e->moves_wanted)
		return;
	e->moves_wanted = wanted;
	if (e->wanted_fn)
		e->wanted_fn(e->wanted_arg, wanted);
}

static void on_gone(void *arg)
{
	struct subscriber *s = arg;
	struct events *e = s->events;

	s->conn = NULL;
	atomic_fetch_sub(&e->n_subscribers, 1);
	moves_want(e);
	if (!e->walking)
		subscriber_free(s);
}

static json_t *words_copy(const json_t *words)
{
	return json_array_size(words) ? json_deep_copy(words) : NULL;
}

int events_subscribe(struct events *e, struct rpc_call *call, const json_t *kinds,
		     const json_t *objects, struct err *err)
{
	struct subscriber *s = rpc_has_disconnect(call, on_gone);
	int rc;

	if (s) {
		json_decref(s->kinds);
		json_decref(s->objects);
		s->kinds = words_copy(kinds);
		s->objects = words_copy(objects);
		moves_want(e);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	rc = rpc_on_disconnect(call, on_gone, s);
	if (rc < 0) {
		free(s);
		return err_set(err, rc, "this connection cannot be watched: %s", strerror(-rc));
	}
	s->events = e;
	s->kinds = words_copy(kinds);
	s->objects = words_copy(objects);
	s->conn = rpc_stream(call);
	LIST_INSERT_HEAD(&e->subscribers, s, link);
	atomic_fetch_add(&e->n_subscribers, 1);
	moves_want(e);
	return 0;
}

/* ---- life ---- */

int events_create(struct loop *loop, events_wanted_fn fn, void *arg, struct events **out,
		  struct err *err)
{
	struct events *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->loop = loop;
	e->wanted_fn = fn;
	e->wanted_arg = arg;
	LIST_INIT(&e->subscribers);
	pthread_mutex_init(&e->lock, NULL);
	e->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = e->fd < 0 ? -errno : loop_fd_add(loop, e->fd, EPOLLIN, on_queue, e, &e->watch);
	if (rc < 0) {
		events_destroy(e);
		return err_set(err, rc, "cannot make an event descriptor: %s", strerror(-rc));
	}
	*out = e;
	return 0;
}

void events_destroy(struct events *e)
{
	if (!e)
		return;
	while (!LIST_EMPTY(&e->subscribers))
		subscriber_free(LIST_FIRST(&e->subscribers));
	loop_timer_del(e->lost_timer);
	loop_fd_del(e->watch);
	if (e->fd >= 0)
		close(e->fd);
	for (size_t i = 0; i < e->n_queued; i++)
		json_decref(e->queue[(e->first + i) % EVENTS_QUEUED]);
	pthread_mutex_destroy(&e->lock);
	free(e);
}
