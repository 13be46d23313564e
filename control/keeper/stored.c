/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's own end, killed or to be started anew: what it stores with the service manager, and how a keeper that
 * finds something there goes on. Without a store nothing here does anything.
 *
 * How      What a packet process says is stored at the end of the turn in which it is read. A keeper that is told to
 *          leave has it yield, as to a successor, and goes; one that was killed took it along (SIGKILL and not
 *          a proper end, which would take everything from the guests), and the next one begins as after
 *          its crash.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"
#include "control/keeper/ledger.h"

#define LEAVE_MAX  (4 * S_NS)	/* for the process that forwards to yield, or die */
#define PUSH_AGAIN (100 * MS_NS) /* systemd's queue was full */
#define PUSH_TRIES 20		/* at the end */

/* ---- while it runs ---- */

static void push(void *arg)
{
	struct keeper *k = arg;

	if (!fd_store_push(k->opts->store) && !k->push_timer)
		loop_timer_add(k->loop, PUSH_AGAIN, push, k, &k->push_timer);
}

static void slot_stored(void *arg, uint16_t slot)
{
	struct keeper *k = arg;

	if (k->ledger && slot < LEDGER_SLOTS)
		atomic_store(&k->ledger->stored[slot], k->heard[slot]);
}

static void flush(struct keeper *k, uint64_t left_ns)
{
	const struct fd_store_past past = {.go = k->go, .left_ns = left_ns};

	fd_store_flush(k->opts->store, k->table, &past, slot_stored, k);
}

void stored_say(struct keeper *k, uint16_t slot)
{
	if (!k->opts->store || slot >= LEDGER_SLOTS)
		return;
	k->heard[slot]++;
	fd_store_mark(k->opts->store, slot);
}

void stored_flush(struct keeper *k)
{
	if (!k->opts->store)
		return;
	flush(k, 0);
	push(k);
}

void stored_mark_all(struct keeper *k)
{
	if (k->opts->store)
		fd_store_mark_all(k->opts->store, k->table);
}

int stored_hand_over(struct keeper *k)
{
	const struct keep_key key = {KEEP_PROCESS, OWN_LEDGER, 0};
	int fd;

	if (!k->opts->store)
		return 0;
	/* What the one before said has all been heard. */
	stored_flush(k);
	fd = ledger_create();
	if (fd < 0)
		return fd;
	ledger_unmap(k->ledger);
	k->ledger = ledger_map(fd);
	memset(k->heard, 0, sizeof(k->heard));
	if (!k->ledger) {
		close(fd);
		return -ENOMEM;
	}
	fd_store_mark(k->opts->store, key.slot);
	return fd_table_put(k->table, key, fd);
}

/* ---- what a predecessor left ---- */

/* Slots of which it is not certain that all was stored: their ports begin anew. */
static unsigned uneven_drop(struct keeper *k, const struct ledger *l)
{
	const uint32_t kinds = KEEP_OF_PORT | KEEP_BIT(KEEP_FDB);
	unsigned n = 0;

	for (uint16_t slot = 0; slot < FD_STORE_SLOTS; slot++)
		if (fd_table_next_of_slot(k->table, slot, NULL) && !(l && ledger_is_even(l, slot))) {
			fd_table_drop_slot(k->table, slot, kinds);
			n++;
		}
	return n;
}

static void past_take(struct keeper *k, const struct fd_store_past *past)
{
	struct channel_past *deaths = &k->go.deaths;

	k->go = past->go;
	if (past->left_ns) {
		k->go.end = KEEP_YIELDED;
		return;
	}
	k->go.end = KEEP_KILLED;
	deaths->n++;
	/* Nobody knows when it died. */
	deaths->at_ns = loop_now_ns();
	deaths->gap_ns = 0;
	snprintf(deaths->reason, sizeof(deaths->reason), "its keeper was gone");
}

void stored_begin(struct keeper *k)
{
	struct fd_store_past past;
	struct ledger *ledger = NULL;
	unsigned n, n_uneven;
	int fd;

	if (!k->opts->store)
		return;
	n = fd_store_load(k->opts->store, k->table, &past);
	if (n) {
		fd = fd_table_take(k->table, (struct keep_key){KEEP_PROCESS, OWN_LEDGER, 0});
		if (fd >= 0) {
			ledger = ledger_map(fd);
			close(fd);
		}
		stored_mark_all(k);
		n_uneven = uneven_drop(k, ledger);
		ledger_unmap(ledger);
		past_take(k, &past);
		k->was_ready = true;
		LOG_INFO("switch: the service manager kept %u descriptors of %s; going on with them%s", n,
			 past.left_ns ? "a switch that was told to leave them" : "a switch that was killed",
			 n_uneven ? ", but for those of ports whose last change was not stored yet" : "");
	}
	stored_mark_all(k);
	flush(k, 0);
}

void stored_go_on(struct keeper *k)
{
	const int fd = fd_table_look(k->table, (struct keep_key){KEEP_PROCESS, OWN_LEDGER, 0});
	struct fd_store_past past;

	if (!k->opts->store)
		return;
	/* All that was said is stored, and so heard. */
	k->ledger = fd < 0 ? NULL : ledger_map(fd);
	for (unsigned slot = 0; k->ledger && slot < LEDGER_SLOTS; slot++)
		k->heard[slot] = atomic_load(&k->ledger->stored[slot]);
	/* Nobody has handed this program anything: what the one before had stored goes, and comes anew. */
	fd_store_load(k->opts->store, k->table, &past);
	stored_mark_all(k);
	stored_flush(k);
}

/* ---- leaving ---- */

static void leave_late(void *arg)
{
	struct keeper *k = arg;

	if (k->active)
		kill(k->active->pid, SIGKILL);
}

void stored_leave(struct keeper *k, const char *why)
{
	if (k->stopping || k->leaving)
		return;
	takeover_fail(k, -ESHUTDOWN, "the service is being restarted");
	LOG_INFO("switch: leaving: %s; the service manager keeps everything for the next start", why);
	k->leaving = true;
	loop_timer_del(k->spare_timer);
	loop_timer_del(k->deadline_timer);
	packet_kill(k->spare);
	k->spare = NULL;
	if (!k->active) {
		stored_left(k);
		return;
	}
	loop_timer_add(k->loop, LEAVE_MAX, leave_late, k, &k->deadline_timer);
	if (!succession_leave(k, "the service is restarted"))
		kill(k->active->pid, SIGKILL);
}

void stored_left(struct keeper *k)
{
	loop_stop(k->loop, EXIT_SUCCESS);
}

void stored_end(struct keeper *k, int status)
{
	const struct timespec again = {.tv_nsec = PUSH_AGAIN};

	if (!k->opts->store || !k->table)
		return;
	/* A failure may heal: so what there is stays for the next try. */
	if (k->leaving || status != 0) {
		stored_mark_all(k);
		flush(k, k->leaving ? loop_now_ns() : 0);
		for (unsigned i = 0; i < PUSH_TRIES && !fd_store_push(k->opts->store); i++)
			nanosleep(&again, NULL);
	} else {
		fd_store_clear(k->opts->store);
	}
	ledger_unmap(k->ledger);
	k->ledger = NULL;
}
