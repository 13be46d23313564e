/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ends of packet processes: of the one that forwards, of the spare, and funerals.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"
#include "control/keeper/mourner.h"

#define DOOMED	  3	     /* deaths in a row, each too early: begin from the saved configuration */
#define LIVED_MIN (1 * S_NS) /* a crash sooner after readiness is as early as one before it */

/* ---- learning of it early ---- */

static void on_threads_dead(void *arg, int fd, uint32_t events);

void mourner_end(struct keeper *k)
{
	loop_fd_del(k->mourner_watch);
	k->mourner_watch = NULL;
	if (k->mourner_fd >= 0)
		close(k->mourner_fd);
	k->mourner_fd = -1;
}

void mourner_begin(struct keeper *k)
{
	if (k->mourner_fd >= 0)
		return;
	k->mourner_fd = mourner_start(k->pulse_fd);
	if (k->mourner_fd >= 0 && loop_fd_add(k->loop, k->mourner_fd, EPOLLIN, on_threads_dead, k,
					      &k->mourner_watch) < 0)
		mourner_end(k);
}

/* ---- the one that forwards ---- */

/* What the ones before left may be what they died of. */
static void state_drop(struct keeper *k)
{
	const uint32_t of_process = KEEP_BIT(KEEP_PROCESS);

	LOG_ERR("switch: %d processes in a row died before they were ready, or within a second; the next one "
		"begins from the saved configuration",
		DOOMED);
	stored_mark_all(k);
	fd_table_drop_kinds(k->table, ~of_process);
	k->n_doomed = 0;
	/* Of a keeper that began with them: now it is a start like any other. */
	k->was_ready = k->told_ready;
}

static bool has_hung(const struct keeper *k)
{
	return k->hung[0] && k->hung_itself;
}

/* How it went with the one that has just died; whoever kills one that is well says nothing of what it was handed. */
static bool died_early(const struct keeper *k, const struct packet *p, enum keep_end end)
{
	if (!p->ready)
		return true;
	return loop_now_ns() - p->ready_ns < LIVED_MIN && (end == KEEP_CRASHED || has_hung(k));
}

/* active: the one before, or a copy of what it was. */
static void died(struct keeper *k, const struct packet *was, enum keep_end end, const char *text, uint64_t at_ns)
{
	struct channel_past *deaths = &k->go.deaths;

	if (died_early(k, was, end))
		k->n_doomed++;
	else
		k->n_doomed = 0;
	k->go.end = has_hung(k) ? KEEP_HUNG : end;
	deaths->n++;
	deaths->at_ns = at_ns;
	deaths->gap_ns = 0;
	snprintf(deaths->reason, sizeof(deaths->reason), "%s", k->hung[0] ? k->hung : text);
	k->hung[0] = '\0';
	succession_forget(k);
	if (k->takeover.state == TAKEOVER_READYING)
		takeover_fail(k, -EPROTO, "its packet process was handed everything, and died before it was ready: %s",
			      deaths->reason);
	else if (k->takeover.state != TAKEOVER_YIELDING)
		takeover_fail(k, -EAGAIN, "the process that forwards died meanwhile");
	if (k->n_doomed == DOOMED)
		state_drop(k);
	if (k->spare && k->spare->warm) {
		hand_over(k);
		return;
	}
	if (was->ready)
		k->backoff_ns = 0;
	loop_timer_del(k->spare_timer);
	spare_soon(k);
}

void active_forget(struct keeper *k)
{
	/* What it sent before it died still counts. */
	active_read(k, true);
	opening_forget(k);
	packet_unwatch(k->active);
	mourner_end(k);
	loop_timer_del(k->core_timer);
	loop_timer_del(k->tick_timer);
	loop_timer_del(k->deadline_timer);
}

static void on_dying_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	enum keep_end end;
	char text[96];

	packet_bury(k->dying, &end, text, sizeof(text));
	k->dying = NULL;
	takeover_go_on(k);
}

void active_let_go(struct keeper *k)
{
	/* Two at once: the first one can hold up nobody but us, for as long as the kernel takes. */
	packet_kill(k->dying);
	k->dying = k->active;
	k->active = NULL;
	if (loop_fd_add(k->loop, k->dying->pidfd, EPOLLIN, on_dying_exit, k, &k->dying->exit_watch) == 0)
		return;
	packet_kill(k->dying);
	k->dying = NULL;
}

struct obituary {
	char text[256];
};

static struct obituary obituary(const struct keeper *k, const char *text, const char *meanwhile)
{
	struct obituary o;

	snprintf(o.text, sizeof(o.text), "%s%s%s%s", k->hung, k->hung[0] ? ", " : "", text, meanwhile);
	return o;
}

/* Said when the next one has all: a log on a busy disk takes its time. */
static void death_say(pid_t pid, const struct obituary *o)
{
	LOG_ERR("switch: process %d, which forwarded, is gone: %s", (int)pid, o->text);
}

/* One that yielded and ended before we came to read it. */
static bool has_yielded(struct keeper *k)
{
	if (!k->succession.yielded_ns || k->stopping)
		return false;
	succession_finish(k);
	return true;
}

void on_active_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	uint64_t now_ns = loop_now_ns();
	struct packet was;
	struct obituary o;
	enum keep_end end;
	char text[96];
	int status;

	active_forget(k);
	if (has_yielded(k))
		return;
	was = *k->active;
	status = packet_bury(k->active, &end, text, sizeof(text));
	k->active = NULL;
	if (k->stopping || (!k->was_ready && end != KEEP_CRASHED) ||
	    (status == 0 && k->takeover.state != TAKEOVER_READYING)) {
		k->status = status > 128 ? EXIT_FAILURE : status;
		keeper_stop(k, NULL, false);
		loop_stop(k->loop, k->status);
		return;
	}
	o = obituary(k, text, "");
	if (!k->was_ready)
		keeper_fail(k);
	else
		died(k, &was, end, text, now_ns);
	death_say(was.pid, &o);
}

/* What it sent has come: the next one need not wait for its funeral. */
void active_harmless(struct keeper *k, const char *meanwhile)
{
	uint64_t now_ns = loop_now_ns();
	struct packet was = *k->active;
	struct obituary o;
	enum keep_end end;
	char text[96];

	if (k->stopping || k->dying || !packet_cause(k->active, &end, text, sizeof(text)))
		return;
	active_forget(k);
	/* It may have asked for the end. */
	if (k->stopping) {
		loop_stop(k->loop, k->status);
		return;
	}
	if (has_yielded(k))
		return;
	o = obituary(k, text, meanwhile);
	active_let_go(k);
	died(k, &was, end, text, now_ns);
	death_say(was.pid, &o);
}

static void on_threads_dead(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n) || !(n % MOURNER_CRASH)) {
		core_look(k);
		return;
	}
	mourner_end(k);
	active_harmless(k, "");
}

/* ---- the spare ---- */

void on_spare_exit(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	pid_t pid = k->spare->pid;
	enum keep_end end;
	char text[96];
	int status;

	status = packet_bury(k->spare, &end, text, sizeof(text));
	k->spare = NULL;
	if (k->takeover.state != TAKEOVER_NONE) {
		takeover_fail(k, -EPROTO, "its packet process %s before it was warm", text);
		return;
	}
	if (!k->was_ready) {
		/* It has said itself why it cannot start. */
		k->status = status > 128 || status == 0 ? EXIT_FAILURE : status;
		if (status >= 127)
			LOG_ERR("switch: the packet process cannot start: %s", text);
		keeper_stop(k, NULL, false);
		return;
	}
	opening_lost(k, text);
	LOG_WARN("switch: the spare process %d %s; another one is started", (int)pid, text);
	spare_soon(k);
}
