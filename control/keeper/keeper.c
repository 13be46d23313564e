/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/memfd.h"
#include "control/keeper/fd_table.h"
#include "control/keeper/mourner.h"
#include "control/keeper/packet.h"
#include "control/keeper/paths.h"
#include "control/keeper/watchdog.h"

#define SPARE_AFTER    (1 * S_NS)  /* its start costs half a second of CPU, which those who begin need more */
#define READY_MAX      (60 * S_NS) /* a successor that takes longer has hung */
#define END_MAX	       (5 * S_NS)  /* from SIGTERM to SIGKILL */
#define BACKOFF_MIN    (100 * MS_NS)
#define BACKOFF_MAX    (5 * S_NS)
#define DOOMED	       3   /* deaths in a row before readiness: begin from the saved configuration */
#define MESSAGES_MAX   256 /* a turn */

struct keeper {
	const struct keeper_opts *opts;
	struct loop *loop;
	struct fd_table *table;
	struct paths *paths;
	struct pulse *pulse; /* of the active one; its memfd is pulse_fd */
	int pulse_fd, mourner_fd; /* -1 */
	struct loop_fd *mourner_watch;
	struct packet *dying; /* nothing of it runs any more, but it is not gone yet; or NULL */
	struct loop_fd *dying_exit;
	struct packet *active, *spare; /* spare: not handed anything yet */
	struct loop_fd *active_exit, *active_channel, *spare_exit, *spare_channel, *signal_watch;
	struct loop_timer *spare_timer, *tick_timer, *deadline_timer;
	struct watchdog watchdog;
	struct channel_go go;
	uint64_t backoff_ns, tried_ns;
	unsigned n_doomed;
	bool listening, was_ready, stopping;
	int status; /* the exit status, while stopping */
	char hung[64]; /* why the active one was killed by us */
};

static void spare_start(void *arg);
static void hand_over(struct keeper *k);
static void stop(struct keeper *k, const char *why, bool tell);

/* ---- the end ---- */

static void watches_end(struct loop_fd **exit, struct loop_fd **channel)
{
	loop_fd_del(*exit);
	loop_fd_del(*channel);
	*exit = *channel = NULL;
}

static void spare_kill(struct keeper *k)
{
	watches_end(&k->spare_exit, &k->spare_channel);
	packet_kill(k->spare);
	k->spare = NULL;
}

static void active_late(void *arg)
{
	struct keeper *k = arg;

	LOG_WARN("switch: process %d does not end; it is killed", (int)k->active->pid);
	kill(k->active->pid, SIGKILL);
}

static void stop(struct keeper *k, const char *why, bool tell)
{
	if (k->stopping)
		return;
	k->stopping = true;
	if (why)
		LOG_INFO("switch: stopping: %s", why);
	k->opts->on_stopping(k->opts->arg);
	loop_timer_del(k->spare_timer);
	loop_timer_del(k->tick_timer);
	loop_timer_del(k->deadline_timer);
	spare_kill(k);
	if (!k->active) {
		loop_stop(k->loop, k->status);
		return;
	}
	if (tell)
		kill(k->active->pid, SIGTERM);
	loop_timer_add(k->loop, END_MAX, active_late, k, &k->deadline_timer);
}

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	struct signalfd_siginfo info;
	char why[64];

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	snprintf(why, sizeof(why), "%s from process %u", strsignal((int)info.ssi_signo),
		 info.ssi_pid);
	stop(k, why, true);
}

/* ---- what packet processes say ---- */

static void on_threads_dead(void *arg, int fd, uint32_t events);

static void mourner_end(struct keeper *k)
{
	loop_fd_del(k->mourner_watch);
	k->mourner_watch = NULL;
	if (k->mourner_fd >= 0)
		close(k->mourner_fd);
	k->mourner_fd = -1;
}

/* Without one its death is heard of a little later. */
static void mourner_begin(struct keeper *k)
{
	if (k->mourner_fd >= 0)
		return;
	k->mourner_fd = mourner_start(k->pulse_fd);
	if (k->mourner_fd >= 0 && loop_fd_add(k->loop, k->mourner_fd, EPOLLIN, on_threads_dead, k,
					      &k->mourner_watch) < 0)
		mourner_end(k);
}

static void on_ready(struct keeper *k)
{
	k->active->ready = true;
	k->n_doomed = 0;
	k->backoff_ns = 0;
	loop_timer_del(k->deadline_timer);
	watchdog_begin(&k->watchdog);
	mourner_begin(k);
	if (!k->was_ready)
		k->opts->on_ready(k->opts->arg);
	k->was_ready = true;
	if (!k->spare && !k->spare_timer)
		loop_timer_add(k->loop, SPARE_AFTER, spare_start, k, &k->spare_timer);
}

static void put(struct keeper *k, struct channel_msg *m)
{
	int rc = fd_table_put(k->table, m->keys[0], m->fds[0]);

	m->n_fds = 0;
	if (rc < 0)
		LOG_WARN_RL("switch: a descriptor cannot be kept: %s", strerror(-rc));
}

static void active_said(struct keeper *k, struct channel_msg *m)
{
	switch (m->type) {
	case CHANNEL_PUT:
		put(k, m);
		break;
	case CHANNEL_DROP:
		fd_table_drop(k->table, m->keys[0]);
		break;
	case CHANNEL_DROP_SLOT:
		fd_table_drop_slot(k->table, m->keys[0].slot, m->kinds);
		break;
	case CHANNEL_READY:
		if (!k->active->ready)
			on_ready(k);
		break;
	case CHANNEL_STOPPING:
		stop(k, NULL, false);
		break;
	}
}

/* All that it has sent, or (all false) one turn's worth. Returns 0, or what ended it. */
static int active_read(struct keeper *k, bool all)
{
	struct channel_msg m;
	int rc = 0;

	for (unsigned i = 0; all || i < MESSAGES_MAX; i++) {
		rc = channel_receive(k->active->channel, &m, false);
		if (rc <= 0)
			return rc;
		active_said(k, &m);
		while (m.n_fds)
			close(m.fds[--m.n_fds]);
	}
	return 0;
}

static void on_active_channel(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	int rc = active_read(k, false);

	if (rc == 0)
		return;
	loop_fd_del(k->active_channel);
	k->active_channel = NULL;
	/* At its end it is about to die, or else it is of no use any more. */
	if (rc == -EPROTO)
		LOG_WARN("switch: process %d says what is no message; it is killed",
			 (int)k->active->pid);
	kill(k->active->pid, rc == -EPROTO ? SIGKILL : SIGTERM);
}

static void on_spare_channel(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	struct channel_msg m;
	int rc = channel_receive(k->spare->channel, &m, false);

	if (rc == 0)
		return;
	if (rc < 0 || (m.type != CHANNEL_WARM && m.type != CHANNEL_STOPPING)) {
		while (rc > 0 && m.n_fds)
			close(m.fds[--m.n_fds]);
		loop_fd_del(k->spare_channel);
		k->spare_channel = NULL;
		if (rc != -EPIPE)
			kill(k->spare->pid, SIGKILL);
		return;
	}
	if (m.type == CHANNEL_STOPPING) {
		stop(k, "the spare process was told to end", true);
		return;
	}
	k->spare->warm = true;
	if (!k->active)
		hand_over(k);
}

/* ---- deaths ---- */

static void spare_soon(struct keeper *k)
{
	uint64_t delay_ns = k->backoff_ns;

	if (k->spare || k->spare_timer)
		return;
	k->backoff_ns = delay_ns ? 2 * delay_ns : BACKOFF_MIN;
	if (k->backoff_ns > BACKOFF_MAX)
		k->backoff_ns = BACKOFF_MAX;
	if (delay_ns)
		loop_timer_add(k->loop, delay_ns, spare_start, k, &k->spare_timer);
	else
		spare_start(k);
}

/* What the ones before left may be what they died of. */
static void state_drop(struct keeper *k)
{
	const uint32_t of_process = KEEP_BIT(KEEP_PROCESS);

	LOG_ERR("switch: %d processes in a row died before they were ready; the next one begins from "
		"the saved configuration",
		DOOMED);
	fd_table_drop_kinds(k->table, ~of_process);
	k->n_doomed = 0;
}

static void died(struct keeper *k, bool was_ready, enum keep_end end, const char *text)
{
	k->go.end = k->hung[0] ? KEEP_HUNG : end;
	snprintf(k->go.reason, sizeof(k->go.reason), "%s", k->hung[0] ? k->hung : text);
	k->hung[0] = '\0';
	k->go.n_restarts++;
	if (!was_ready && ++k->n_doomed == DOOMED)
		state_drop(k);
	if (k->spare && k->spare->warm) {
		hand_over(k);
		return;
	}
	if (was_ready)
		k->backoff_ns = 0;
	loop_timer_del(k->spare_timer);
	spare_soon(k);
}

static void active_forget(struct keeper *k)
{
	/* What it sent before it died still counts. */
	active_read(k, true);
	watches_end(&k->active_exit, &k->active_channel);
	mourner_end(k);
	loop_timer_del(k->tick_timer);
}

static void death_say(const struct keeper *k, pid_t pid, const char *text)
{
	LOG_ERR("switch: process %d, which forwarded, is gone: %s%s%s", (int)pid, k->hung,
		k->hung[0] ? ", " : "", text);
}

static void on_active_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	uint64_t now_ns = loop_now_ns();
	bool was_ready = k->active->ready;
	pid_t pid = k->active->pid;
	enum keep_end end;
	char text[96];
	int status;

	active_forget(k);
	loop_timer_del(k->deadline_timer);
	status = packet_bury(k->active, &end, text, sizeof(text));
	k->active = NULL;
	if (k->stopping || (!k->was_ready && end != KEEP_CRASHED) || status == 0) {
		k->status = status > 128 ? EXIT_FAILURE : status;
		stop(k, NULL, false);
		loop_stop(k->loop, k->status);
		return;
	}
	death_say(k, pid, text);
	if (!k->was_ready) {
		k->status = EXIT_FAILURE;
		stop(k, NULL, false);
		return;
	}
	k->go.died_ns = now_ns;
	died(k, was_ready, end, text);
}

static void on_dying_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	enum keep_end end;
	char text[96];

	loop_fd_del(k->dying_exit);
	k->dying_exit = NULL;
	packet_bury(k->dying, &end, text, sizeof(text));
	k->dying = NULL;
}

/* It can touch nothing any more, and what it sent has come: the next one need not wait for its funeral. */
static void on_threads_dead(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	uint64_t now_ns = loop_now_ns();
	enum keep_end end;
	char text[96];

	mourner_end(k);
	if (k->stopping || k->dying || !packet_cause(k->active, &end, text, sizeof(text)))
		return;
	active_forget(k);
	/* It may have asked for the end. */
	if (k->stopping) {
		loop_stop(k->loop, k->status);
		return;
	}
	death_say(k, k->active->pid, text);
	if (loop_fd_add(k->loop, k->active->pidfd, EPOLLIN, on_dying_exit, k, &k->dying_exit) == 0)
		k->dying = k->active;
	else
		packet_kill(k->active);
	k->active = NULL;
	k->go.died_ns = now_ns;
	died(k, true, end, text);
}

static void on_spare_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	pid_t pid = k->spare->pid;
	enum keep_end end;
	char text[96];
	int status;

	watches_end(&k->spare_exit, &k->spare_channel);
	status = packet_bury(k->spare, &end, text, sizeof(text));
	k->spare = NULL;
	if (!k->was_ready) {
		/* It has said itself why it cannot start. */
		k->status = status > 128 || status == 0 ? EXIT_FAILURE : status;
		if (status >= 127)
			LOG_ERR("switch: the packet process cannot start: %s", text);
		stop(k, NULL, false);
		return;
	}
	LOG_WARN("switch: the spare process %d %s; another one is started", (int)pid, text);
	spare_soon(k);
}

/* ---- lives ---- */

static void spare_start(void *arg)
{
	struct keeper *k = arg;
	struct err err = ERR_NONE;
	int rc = packet_start(k->opts->program, k->opts->argv, &k->spare, &err);

	if (rc == 0)
		rc = loop_fd_add(k->loop, k->spare->pidfd, EPOLLIN, on_spare_exit, k, &k->spare_exit);
	if (rc == 0)
		rc = loop_fd_add(k->loop, k->spare->channel, EPOLLIN, on_spare_channel, k,
				 &k->spare_channel);
	if (rc == 0)
		return;
	if (k->spare)
		err_set(&err, rc, "cannot watch the packet process: %s", strerror(-rc));
	spare_kill(k);
	LOG_ERR("switch: %s", err.text);
	if (k->was_ready) {
		spare_soon(k);
		return;
	}
	k->status = EXIT_FAILURE;
	stop(k, NULL, false);
}

static void ready_late(void *arg)
{
	struct keeper *k = arg;

	snprintf(k->hung, sizeof(k->hung), "not ready within %llu s", READY_MAX / S_NS);
	kill(k->active->pid, SIGKILL);
}

static void tick(void *arg)
{
	struct keeper *k = arg;

	if (k->active->ready &&
	    watchdog_look(&k->watchdog, k->pulse, packet_is_stopped(k->active), loop_now_ns(),
			  k->hung, sizeof(k->hung)))
		kill(k->active->pid, SIGKILL);
	else
		loop_timer_add(k->loop, WATCHDOG_TICK, tick, k, &k->tick_timer);
	if (k->active->ready)
		mourner_begin(k);
}

static int hand_all(struct keeper *k, int channel)
{
	struct channel_msg m = {.type = CHANNEL_HAND};
	const struct fd_entry *e = NULL;
	int rc = 0;

	while (rc == 0 && (e = fd_table_next(k->table, e))) {
		m.keys[m.n++] = fd_entry_key(e);
		m.fds[m.n_fds++] = fd_entry_fd(e);
		if (m.n < CHANNEL_BATCH)
			continue;
		rc = channel_send(channel, &m);
		m.n = m.n_fds = 0;
	}
	if (rc == 0 && m.n)
		rc = channel_send(channel, &m);
	if (rc < 0)
		return rc;
	m = (struct channel_msg){.type = CHANNEL_GO, .go = k->go};
	return channel_send(channel, &m);
}

/* The table owns a copy of fd. */
static int own_put(struct keeper *k, enum channel_own which, uint16_t index, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno :
			  fd_table_put(k->table,
				       (struct keep_key){KEEP_PROCESS, (uint16_t)which, index},
				       copy);
}

static void pulse_end(struct keeper *k)
{
	if (k->pulse) {
		mourner_release(k->pulse);
		munmap(k->pulse, sizeof(*k->pulse));
	}
	if (k->pulse_fd >= 0)
		close(k->pulse_fd);
	k->pulse = NULL;
	k->pulse_fd = -1;
}

/* For each process another one: what a dead one has made of its own may be anything. */
static int pulse_make(struct keeper *k)
{
	void *at = MAP_FAILED;
	int rc;

	pulse_end(k);
	rc = memfd_sized("lanyard-pulse", sizeof(*k->pulse));
	if (rc < 0)
		return rc;
	k->pulse_fd = rc;
	at = mmap(NULL, sizeof(*k->pulse), PROT_READ | PROT_WRITE, MAP_SHARED, k->pulse_fd, 0);
	rc = at == MAP_FAILED ? -errno : own_put(k, OWN_PULSE, 0, k->pulse_fd);
	if (at != MAP_FAILED)
		k->pulse = at;
	if (rc < 0)
		pulse_end(k);
	else
		pulse_init(k->pulse);
	return rc;
}

static int listening(struct keeper *k)
{
	struct err err = ERR_NONE;
	int fd, rc;

	if (k->listening)
		return 0;
	rc = k->opts->listen(k->opts->arg, &fd, &err);
	if (rc == 0)
		rc = fd_table_put(k->table, (struct keep_key){KEEP_PROCESS, OWN_CONTROL, 0}, fd);
	if (rc == 0)
		k->listening = true;
	else
		LOG_ERR("%s%s%s", err.text, err.hint[0] ? "; " : "", err.hint);
	return rc;
}

/* The spare becomes the one that forwards. */
static void hand_over(struct keeper *k)
{
	struct packet *p = k->spare;
	int rc;

	if (listening(k) < 0) {
		k->status = EXIT_FAILURE;
		stop(k, NULL, false);
		return;
	}
	watches_end(&k->spare_exit, &k->spare_channel);
	rc = pulse_make(k);
	if (rc == 0)
		rc = hand_all(k, p->channel);
	if (rc < 0)
		LOG_ERR("switch: process %d does not take what it is handed: %s", (int)p->pid,
			strerror(-rc));
	if (rc == 0)
		rc = loop_fd_add(k->loop, p->pidfd, EPOLLIN, on_active_exit, k, &k->active_exit);
	if (rc == 0)
		rc = loop_fd_add(k->loop, p->channel, EPOLLIN, on_active_channel, k,
				 &k->active_channel);
	if (rc < 0) {
		loop_fd_del(k->active_exit);
		k->active_exit = NULL;
		spare_kill(k);
		spare_soon(k);
		return;
	}
	k->spare = NULL;
	k->active = p;
	loop_timer_add(k->loop, READY_MAX, ready_late, k, &k->deadline_timer);
	loop_timer_add(k->loop, WATCHDOG_TICK, tick, k, &k->tick_timer);
}

/* ---- begin ---- */

static int paths_begin(struct keeper *k)
{
	int fd, rc = paths_create(k->loop, &k->paths, &fd);

	return rc < 0 ? rc : fd_table_put(k->table, (struct keep_key){KEEP_PROCESS, OWN_PATHS, 0}, fd);
}

static int begin(struct keeper *k)
{
	const struct keeper_opts *o = k->opts;
	int rc = loop_create(&k->loop);

	k->table = fd_table_create();
	if (rc == 0 && !k->table)
		rc = -ENOMEM;
	if (rc == 0)
		rc = paths_begin(k);
	for (uint16_t i = 0; rc == 0 && i < 2; i++)
		rc = own_put(k, OWN_LOCK, i, o->lock_fds[i]);
	if (rc == 0 && o->metrics_fd >= 0)
		rc = own_put(k, OWN_METRICS, 0, o->metrics_fd);
	if (rc == 0)
		rc = loop_fd_add(k->loop, o->signal_fd, EPOLLIN, on_signal, k, &k->signal_watch);
	return rc;
}

int keeper_run(const struct keeper_opts *opts, struct err *err)
{
	struct keeper k = {.opts = opts, .pulse_fd = -1, .mourner_fd = -1};
	int rc = begin(&k);

	if (rc < 0) {
		err_set(err, rc, "the keeper cannot start: %s", strerror(-rc));
	} else {
		k.go.keeper_pid = getpid();
		k.go.start_ns = loop_now_ns();
		spare_start(&k);
		rc = k.stopping ? k.status : loop_run(k.loop);
	}
	if (k.loop) {
		watches_end(&k.active_exit, &k.active_channel);
		packet_kill(k.active);
		loop_fd_del(k.dying_exit);
		packet_kill(k.dying);
		mourner_end(&k);
		spare_kill(&k);
	}
	paths_destroy(k.paths);
	loop_destroy(k.loop);
	fd_table_destroy(k.table);
	pulse_end(&k);
	return rc;
}
