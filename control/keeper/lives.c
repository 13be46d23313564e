/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lives of packet processes: one is started as a spare, is handed everything, becomes ready, and is watched.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memfd.h"
#include "control/keeper/internal.h"
#include "control/keeper/mourner.h"

#define SPARE_AFTER    (1 * S_NS)  /* its start costs half a second of CPU, which those who begin need more */
#define BEGUN_MAX      (2 * S_NS)  /* a successor that has not even begun by then never will */
#define READY_MAX      (60 * S_NS) /* one that takes longer has hung; thousands of ports take seconds */
#define BACKOFF_MIN    (100 * MS_NS)
#define BACKOFF_MAX    (5 * S_NS)

/* ---- the spare ---- */

void spare_start(void *arg)
{
	struct keeper *k = arg;
	struct err err = ERR_NONE;
	int rc = packet_start(k->packet_program, k->opts->argv, &k->spare, &err);

	if (rc == 0)
		rc = packet_watch(k->spare, k->loop, on_spare_exit, on_spare_channel, k);
	if (rc == 0)
		return;
	if (k->spare)
		err_set(&err, rc, "cannot watch the packet process: %s", strerror(-rc));
	packet_kill(k->spare);
	k->spare = NULL;
	LOG_ERR("switch: %s", err.text);
	if (k->was_ready)
		spare_soon(k);
	else
		keeper_fail(k);
}

void spare_soon(struct keeper *k)
{
	uint64_t delay_ns = k->backoff_ns;

	if (k->leaving) {
		stored_left(k);
		return;
	}
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

/* ---- the pulse ---- */

void pulse_end(struct keeper *k)
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

static int pulse_keep(struct keeper *k)
{
	int copy = fcntl(k->pulse_fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : fd_table_put(k->table, (struct keep_key){KEEP_PROCESS, OWN_PULSE, 0}, copy);
}

int pulse_map(struct keeper *k)
{
	void *at = mmap(NULL, sizeof(*k->pulse), PROT_READ | PROT_WRITE, MAP_SHARED, k->pulse_fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	k->pulse = at;
	return 0;
}

/* For each process another one: what a dead one has made of its own may be anything. */
static int pulse_make(struct keeper *k)
{
	int rc;

	pulse_end(k);
	rc = memfd_sized("lanyard-pulse", sizeof(*k->pulse));
	if (rc < 0)
		return rc;
	k->pulse_fd = rc;
	rc = pulse_map(k);
	if (rc == 0)
		rc = pulse_keep(k);
	if (rc < 0)
		pulse_end(k);
	else
		pulse_init(k->pulse);
	return rc;
}

/* ---- whether it moves ---- */

void active_hung(struct keeper *k, const char *text)
{
	snprintf(k->hung, sizeof(k->hung), "%s", text);
	k->hung_itself = !packet_is_stopped(k->active);
	kill(k->active->pid, SIGKILL);
}

static void ready_late(void *arg)
{
	struct keeper *k = arg;
	char text[64];

	snprintf(text, sizeof(text), "not ready within %llu s", READY_MAX / S_NS);
	active_hung(k, text);
}

/* One that was handed everything while it was stopped, or stood still already. */
static bool never_began(const struct keeper *k)
{
	return !k->active->ready && !atomic_load(&k->pulse->control.begun) &&
	       loop_now_ns() - k->active->handed_ns > BEGUN_MAX;
}

static void tick(void *arg)
{
	struct keeper *k = arg;
	char text[64];

	if (packet_is_dumping(k->active))
		core_look(k);
	if (!k->active || k->tick_timer)
		return; /* another one forwards, and is watched over */
	if (never_began(k))
		active_hung(k, "it did not begin");
	else if (k->active->ready &&
		 watchdog_look(&k->watchdog, k->pulse, packet_is_stopped(k->active), loop_now_ns(), text,
			       sizeof(text)))
		active_hung(k, text);
	else
		loop_timer_add(k->loop, WATCHDOG_TICK, tick, k, &k->tick_timer);
	if (k->active->ready)
		mourner_begin(k);
}

void watch_over(struct keeper *k)
{
	watchdog_begin(&k->watchdog);
	loop_timer_add(k->loop, WATCHDOG_TICK, tick, k, &k->tick_timer);
}

void spare_later(struct keeper *k)
{
	if (!k->spare && !k->spare_timer)
		loop_timer_add(k->loop, SPARE_AFTER, spare_start, k, &k->spare_timer);
}

void active_ready(struct keeper *k, uint64_t forwards_ns)
{
	struct channel_past *last = k->go.end == KEEP_YIELDED ? &k->go.planned : &k->go.deaths;
	uint64_t now_ns = loop_now_ns();

	k->active->ready = true;
	k->active->ready_ns = now_ns;
	if (last->n && !last->gap_ns && forwards_ns > last->at_ns && forwards_ns <= now_ns)
		last->gap_ns = forwards_ns - last->at_ns;
	k->backoff_ns = 0;
	loop_timer_del(k->deadline_timer);
	watchdog_begin(&k->watchdog);
	mourner_begin(k);
	if (!k->told_ready)
		k->opts->on_ready(k->opts->arg);
	k->was_ready = k->told_ready = true;
	if (k->takeover.state == TAKEOVER_READYING)
		takeover_go_on(k);
	else
		spare_later(k);
}

/* ---- handing over ---- */

int hand_kinds(struct keeper *k, int channel, uint32_t kinds)
{
	struct channel_msg m = {.type = CHANNEL_HAND};
	const struct fd_entry *e = NULL;
	int rc = 0;

	while (rc == 0 && (e = fd_table_next(k->table, e))) {
		struct keep_key key = fd_entry_key(e);

		if (!(KEEP_BIT(key.kind) & kinds))
			continue;
		m.keys[m.n++] = key;
		m.fds[m.n_fds++] = fd_entry_fd(e);
		if (m.n < CHANNEL_BATCH)
			continue;
		rc = channel_send(channel, &m);
		m.n = m.n_fds = 0;
	}
	return rc == 0 && m.n ? channel_send(channel, &m) : rc;
}

static int hand_all(struct keeper *k, int channel)
{
	const struct channel_msg go = {.type = CHANNEL_GO, .go = k->go};
	int rc = hand_kinds(k, channel, ~0u);

	return rc < 0 ? rc : channel_send(channel, &go);
}

static int listening(struct keeper *k)
{
	const struct keep_key key = {KEEP_PROCESS, OWN_CONTROL, 0};
	struct err err = ERR_NONE;
	int fd, rc = 0;

	if (k->listening)
		return 0;
	fd = fd_table_take(k->table, key);
	if (fd >= 0 && !k->opts->is_listening(k->opts->arg, fd)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		rc = k->opts->listen(k->opts->arg, &fd, &err);
	if (rc == 0)
		rc = fd_table_put(k->table, key, fd);
	if (k->opts->store)
		fd_store_mark(k->opts->store, key.slot);
	if (rc == 0)
		k->listening = true;
	else
		LOG_ERR("%s%s%s", err.text, err.hint[0] ? "; " : "", err.hint);
	return rc;
}

void hand_over(struct keeper *k)
{
	struct packet *p = k->spare;
	int rc;

	if (listening(k) < 0) {
		keeper_fail(k);
		return;
	}
	packet_unwatch(p);
	opening_forget(k);
	k->go.must_fit = k->takeover.state == TAKEOVER_YIELDING;
	rc = pulse_make(k);
	if (rc == 0)
		rc = servants_renew(k);
	if (rc == 0)
		rc = stored_hand_over(k);
	if (rc == 0)
		rc = hand_all(k, p->channel);
	if (rc < 0)
		LOG_ERR("switch: process %d does not take what it is handed: %s", (int)p->pid,
			strerror(-rc));
	if (rc == 0)
		rc = packet_watch(p, k->loop, on_active_exit, on_active_channel, k);
	k->spare = NULL;
	if (rc < 0) {
		packet_kill(p);
		takeover_fail(k, rc, "its packet process takes nothing: %s", strerror(-rc));
		if (k->spare && k->spare->warm)
			hand_over(k);
		else
			spare_soon(k);
		return;
	}
	p->handed_ns = loop_now_ns();
	k->active = p;
	stored_flush(k);
	loop_timer_add(k->loop, READY_MAX, ready_late, k, &k->deadline_timer);
	watch_over(k);
	if (k->go.must_fit)
		takeover_handed(k);
}
