/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/host_ask.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "tap/host.h"
#include "tap/host_msg.h"

#define AGAIN_MIN (20 * MS_NS)
#define AGAIN_MAX (5 * S_NS)
#define CALM	  (30 * S_NS) /* a helper that lives so long is asked at once again */

/* A nat port's, as long as it has not stopped. */
struct client {
	LIST_ENTRY(client) entry;
	struct nat_service_opts opts;
	char note[NAT_NOTE_MAX];
	bool fresh; /* the note has not been told */
};

static struct {
	struct loop *loop;
	int fd;
	uint32_t seq;
	bool said_hello;
	bool noted; /* by an earlier process, when this one began */
	struct loop_fd *watch;
	struct loop_timer *tell_timer, *again_timer;
	uint64_t again_ns, gone_ns;
	LIST_HEAD(, client) clients;
} ask = {.fd = -1};

/* ---- what comes ---- */

static struct client *client_find(unsigned slot)
{
	struct client *c;

	LIST_FOREACH (c, &ask.clients, entry)
		if (c->opts.slot == slot)
			return c;
	return NULL;
}

static void notes_tell(void *arg)
{
	struct client *c;

	LIST_FOREACH (c, &ask.clients, entry)
		if (c->fresh) {
			c->fresh = false;
			c->opts.tell(c->opts.arg, c->note);
		}
}

static void note_take(const struct host_answer *a)
{
	struct client *c = client_find(a->slot);

	if (!c)
		return;
	/* Later: whoever waits for an answer just now is not to be surprised. */
	snprintf(c->note, sizeof(c->note), "%.*s", (int)sizeof(c->note) - 1, a->err.text);
	c->fresh = true;
	if (!ask.tell_timer)
		loop_timer_add(ask.loop, 0, notes_tell, NULL, &ask.tell_timer);
}

static void all_again(void *arg)
{
	struct client *c;

	LIST_FOREACH (c, &ask.clients, entry)
		c->opts.again(c->opts.arg);
	host_forgot();
	host_settle();
}

/* The helper has ended, and with it what it did for nat ports. */
static void gone(void)
{
	uint64_t now_ns = loop_now_ns();

	ask.said_hello = false;
	if ((LIST_EMPTY(&ask.clients) && !host_forgot_has()) || ask.again_timer)
		return;
	ask.again_ns = now_ns - ask.gone_ns > CALM || !ask.again_ns ? AGAIN_MIN : 2 * ask.again_ns;
	if (ask.again_ns > AGAIN_MAX)
		ask.again_ns = AGAIN_MAX;
	ask.gone_ns = now_ns;
	loop_timer_add(ask.loop, ask.again_ns, all_again, NULL, &ask.again_timer);
}

/* Words that nobody asked for. */
static void take(struct host_answer *a)
{
	a->err.text[sizeof(a->err.text) - 1] = a->err.hint[sizeof(a->err.hint) - 1] = '\0';
	if (a->op == HOST_TELL)
		note_take(a);
	else if (a->op == HOST_GONE)
		gone();
}

static void words_ready(void *arg, int fd, uint32_t events)
{
	int fds[FD_MSG_FDS], size;
	struct host_answer a;
	unsigned n;

	while ((size = fd_msg_receive(fd, &a, sizeof(a), fds, FD_MSG_FDS, &n, 0)) != -EAGAIN) {
		if (size == sizeof(a))
			take(&a);
		if (size > 0)
			fd_msg_close(fds, n);
		if (size < 0 && size != -EPROTO) {
			loop_fd_del(ask.watch);
			ask.watch = NULL;
			return;
		}
	}
}

/* ---- asking ---- */

struct call {
	struct host_question q;
	int fd;		     /* goes with it, or -1 */
	int fds[FD_MSG_FDS]; /* that came back */
	unsigned n;
};

/* 1: answered; 0: the helper has gone meanwhile; -errno. What others asked for is thrown away. */
static int answer_await(struct call *c, struct host_answer *a)
{
	uint64_t now_ns, end_ns = loop_now_ns() + HOST_WAIT_MS * MS_NS;
	int size;

	while ((now_ns = loop_now_ns()) < end_ns) {
		size = fd_msg_receive(ask.fd, a, sizeof(*a), c->fds, FD_MSG_FDS, &c->n,
				      (int)((end_ns - now_ns) / MS_NS) + 1);
		if (size == sizeof(*a) && a->seq == c->q.seq && a->op == c->q.op) {
			a->err.text[sizeof(a->err.text) - 1] =
				a->err.hint[sizeof(a->err.hint) - 1] = '\0';
			return 1;
		}
		if (size > 0)
			fd_msg_close(c->fds, c->n);
		c->n = 0;
		if (size == sizeof(*a)) {
			take(a);
			if (a->op == HOST_GONE)
				return 0;
		}
		if (size < 0 && size != -EAGAIN && size != -EPROTO)
			return size;
	}
	return -ETIMEDOUT;
}

static int question_ask(struct call *c, struct err *err)
{
	struct host_answer a;
	int rc = 0;

	for (unsigned tries = 0; tries < 2 && rc == 0; tries++) {
		c->q.seq = ++ask.seq ? ask.seq : ++ask.seq;
		rc = fd_msg_send(ask.fd, &c->q, sizeof(c->q), &c->fd, c->fd >= 0, 0);
		if (rc == 0)
			rc = answer_await(c, &a);
	}
	if (rc <= 0)
		return err_set(err, rc < 0 ? rc : -EPIPE,
			       "the host helper, lanyard-host, does not answer: %s",
			       rc == 0 ? "it has ended" : strerror(-rc));
	if (a.result < 0 && err)
		*err = a.err;
	return a.result;
}

/* The first question of a process disclaims what its predecessor asked for. */
static int call(struct call *c, unsigned n_wanted, struct err *err)
{
	int rc = 0;

	if (!ask.said_hello) {
		struct call hello = {.q.op = HOST_HELLO, .fd = -1};

		rc = question_ask(&hello, err);
		fd_msg_close(hello.fds, hello.n);
		ask.said_hello = rc == 0;
	}
	if (rc == 0)
		rc = question_ask(c, err);
	if (rc >= 0 && c->n == n_wanted)
		return rc;
	fd_msg_close(c->fds, c->n);
	return rc < 0 ? rc
		      : err_set(err, -EPROTO, "the host helper has sent %u descriptors, not %u",
				c->n, n_wanted);
}

/* ---- the table ---- */

static void text_set(char *out, size_t size, const char *text)
{
	memcpy(out, text, strnlen(text, size - 1));
}

static int ask_netns(const char *name, int *fd, struct err *err)
{
	struct call c = {.q.op = HOST_NETNS, .fd = -1};
	int rc;

	/* Cut short, it would be another one's name. */
	if (name && (!name[0] || strlen(name) >= sizeof(c.q.name)))
		return err_set(err, -EINVAL, "\"%.80s\" is no name of a network namespace", name);
	text_set(c.q.name, sizeof(c.q.name), name ? name : "");
	rc = call(&c, 1, err);
	*fd = rc < 0 ? -1 : c.fds[0];
	return rc;
}

static int ask_netlink(int ns_fd, int fds[2], struct err *err)
{
	struct call c = {.q.op = HOST_NETLINK, .fd = ns_fd};
	int rc = call(&c, 2, err);

	fds[0] = rc < 0 ? -1 : c.fds[0];
	fds[1] = rc < 0 ? -1 : c.fds[1];
	return rc;
}

static int ask_tun(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err)
{
	struct call c = {.q = {.op = HOST_TUN, .n = n, .exists = exists}, .fd = ns_fd};
	int rc;

	text_set(c.q.name, sizeof(c.q.name), name);
	rc = call(&c, n, err);
	for (unsigned i = 0; i < n; i++)
		fds[i] = rc < 0 ? -1 : c.fds[i];
	return rc;
}

static int ask_tun_netns(int tun_fd)
{
	struct call c = {.q.op = HOST_TUN_NETNS, .fd = tun_fd};
	int rc = call(&c, 1, NULL);

	return rc < 0 ? rc : c.fds[0];
}

static int ask_link(int tun_fd, const struct link_change *change, struct err *err)
{
	struct call c = {.q = {.op = HOST_LINK, .link = *change}, .fd = tun_fd};

	return call(&c, 0, err);
}

static void client_forget(struct client *c)
{
	LIST_REMOVE(c, entry);
	free(c);
}

static int ask_nat_start(const struct nat_service_opts *opts, struct err *err)
{
	struct call q = {.q = {.op = HOST_NAT_START,
			       .slot = opts->slot,
			       .address = opts->address,
			       .prefix = opts->prefix},
			 .fd = opts->tun_fd};
	struct client *c = client_find(opts->slot);
	bool was = c != NULL;
	int rc;

	if (!c)
		c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->opts = *opts;
	if (!was)
		LIST_INSERT_HEAD(&ask.clients, c, entry);
	text_set(q.q.port, sizeof(q.q.port), opts->port);
	rc = call(&q, 0, err);
	if (rc < 0 && !was)
		client_forget(c);
	return rc;
}

static int ask_nat_rename(unsigned slot, int tun_fd, struct err *err)
{
	struct call c = {.q = {.op = HOST_NAT_RENAME, .slot = slot}, .fd = tun_fd};

	return call(&c, 0, err);
}

static void ask_nat_stop(unsigned slot)
{
	struct call q = {.q = {.op = HOST_NAT_STOP, .slot = slot}, .fd = -1};
	struct client *c = client_find(slot);
	struct err err = ERR_NONE;

	if (!c)
		return;
	client_forget(c);
	if (call(&q, 0, &err) < 0)
		LOG_WARN("switch: nat is not ended: %s", err.text);
}

static int ask_xdp_off(int prog_fd, unsigned ifindex, struct err *err)
{
	struct call c = {.q = {.op = HOST_XDP_OFF, .n = ifindex}, .fd = prog_fd};

	return call(&c, 0, err);
}

static int ask_xdp_keep(int prog_fd, unsigned ifindex, struct err *err)
{
	struct call c = {.q = {.op = HOST_XDP_KEEP, .n = ifindex}, .fd = prog_fd};

	return call(&c, 0, err);
}

static void ask_settle(void)
{
	struct call c = {.q.op = HOST_SETTLE, .fd = -1};

	if (ask.said_hello || ask.noted)
		call(&c, 0, NULL);
}

static void ask_end(void)
{
	while (!LIST_EMPTY(&ask.clients))
		client_forget(LIST_FIRST(&ask.clients));
	loop_timer_del(ask.tell_timer);
	loop_timer_del(ask.again_timer);
	loop_fd_del(ask.watch);
	ask.watch = NULL;
	close(ask.fd);
	ask.fd = -1;
}

static const struct host_ops by_helper = {
	.netns = ask_netns,
	.netlink = ask_netlink,
	.tun = ask_tun,
	.tun_netns = ask_tun_netns,
	.link = ask_link,
	.nat_start = ask_nat_start,
	.nat_rename = ask_nat_rename,
	.nat_stop = ask_nat_stop,
	.xdp_off = ask_xdp_off,
	.xdp_keep = ask_xdp_keep,
	.settle = ask_settle,
	.end = ask_end,
};

int host_ask_begin(struct loop *loop, int fd, const char *run_dir, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "%s/host", run_dir);
	ask.noted = stat(path, &st) == 0 && st.st_size > 0;
	ask.loop = loop;
	ask.fd = fd;
	ask.said_hello = false;
	/* Other than a predecessor's, whose last answer may still come. */
	ask.seq = (uint32_t)loop_now_ns() ^ (uint32_t)getpid() << 16;
	LIST_INIT(&ask.clients);
	rc = loop_fd_add(loop, fd, EPOLLIN, words_ready, NULL, &ask.watch);
	if (rc < 0) {
		close(fd);
		ask.fd = -1;
		return err_set(err, rc, "cannot hear the host helper: %s", strerror(-rc));
	}
	host_begin_by(&by_helper);
	return 0;
}
