/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What packet processes say. The active one may put and drop what is kept, and ask; a spare is warm, or was told to
 * end.
 *
 * Trust    as control/keeper/keeper.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define MESSAGES_MAX 256   /* a turn */
#define LAST_MAX     16384 /* of one that is dead: more than its socket holds. Somebody else may have a copy of it */

static void fds_close(struct channel_msg *m)
{
	while (m->n_fds)
		close(m->fds[--m->n_fds]);
}

/* A descriptor that cannot be kept: a successor must not go on with a part of what belongs together, and its front
 * end connects again. */
static void put(struct keeper *k, struct channel_msg *m)
{
	const struct keep_key *key = &m->keys[0];
	int rc = -EMFILE;

	/* The last ones are for who comes next: to start it, to hand all on. */
	if (m->n_fds && m->fds[0] < k->fds_max) {
		rc = fd_table_put(k->table, *key, m->fds[0]);
		m->n_fds = 0;
	}
	if (rc == 0)
		return;
	LOG_WARN_RL("switch: a descriptor of port %u cannot be kept: %s; after a restart its other side has to "
		    "connect again",
		    key->slot, strerror(-rc));
	fd_table_drop(k->table, *key);
	if (KEEP_BIT(key->kind) & KEEP_OF_CONNECTION)
		fd_table_drop_slot(k->table, key->slot, KEEP_OF_CONNECTION);
}

/* Its ask is answered where nothing comes of it for now. */
static void asked(struct keeper *k, const char *reason)
{
	struct channel_msg m = {.type = CHANNEL_STAY};

	if (k->takeover.state != TAKEOVER_NONE && k->takeover.state != TAKEOVER_YIELDING)
		snprintf(k->takeover.asked, sizeof(k->takeover.asked), "%.90s", reason);
	else if (k->succession.state != SUCCESSION_NONE ||
		 (opening_succession_may(k) && succession_begin(k, reason)))
		return;
	else
		LOG_WARN_RL("switch: process %d asks for a successor too often, or too early",
			    (int)k->active->pid);
	channel_send(k->active->channel, &m);
}

static void active_said(struct keeper *k, struct channel_msg *m)
{
	switch (m->type) {
	case CHANNEL_PUT:
		/* A successor with root's rights maps it: what a stranger may still write to must not come in its place. */
		if (k->active->ready && m->keys[0].kind == KEEP_ARENA) {
			LOG_WARN_RL("switch: process %d wants its state kept elsewhere, which is refused",
				    (int)k->active->pid);
			break;
		}
		put(k, m);
		stored_say(k, m->keys[0].slot);
		break;
	case CHANNEL_DROP:
		fd_table_drop(k->table, m->keys[0]);
		stored_say(k, m->keys[0].slot);
		break;
	case CHANNEL_DROP_SLOT:
		fd_table_drop_slot(k->table, m->keys[0].slot, m->kinds);
		stored_say(k, m->keys[0].slot);
		break;
	case CHANNEL_READY:
		if (!k->active->ready)
			active_ready(k, m->number);
		break;
	case CHANNEL_STOPPING:
		keeper_stop(k, NULL, false);
		break;
	case CHANNEL_ASK:
		asked(k, m->text);
		break;
	case CHANNEL_OPEN:
		opening_ask(k, &m->device);
		break;
	case CHANNEL_UNOPEN:
		opening_unopen(k);
		break;
	case CHANNEL_YIELDING:
		succession_begun(k);
		break;
	case CHANNEL_YIELDED:
		k->succession.yielded_ns = m->number ?: 1;
		break;
	case CHANNEL_STAYING:
		succession_refused(k, m->text);
		break;
	}
}

int active_read(struct keeper *k, bool all)
{
	struct channel_msg m;
	int rc = 0;

	for (unsigned i = 0; i < (all ? LAST_MAX : MESSAGES_MAX); i++) {
		rc = channel_receive(k->active->channel, &m, false);
		if (rc <= 0)
			break;
		active_said(k, &m);
		fds_close(&m);
		rc = 0;
	}
	stored_flush(k);
	return rc;
}

void on_active_channel(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	int rc = active_read(k, false);

	if (k->succession.yielded_ns && !k->stopping) {
		succession_finish(k);
		return;
	}
	if (rc == 0)
		return;
	loop_fd_del(k->active->channel_watch);
	k->active->channel_watch = NULL;
	/* At its end it is about to die, or else it is of no use any more. */
	if (rc == -EPROTO)
		LOG_WARN("switch: process %d says what is no message; it is killed",
			 (int)k->active->pid);
	kill(k->active->pid, rc == -EPROTO ? SIGKILL : SIGTERM);
}

static void spare_became_warm(struct keeper *k, uint64_t version)
{
	if (version != CHANNEL_VERSION && k->takeover.state == TAKEOVER_WARMING) {
		takeover_fail(k, -EPROTO, "its packet process speaks version %llu to a keeper, not %d",
			      (unsigned long long)version, CHANNEL_VERSION);
		return;
	}
	if (version != CHANNEL_VERSION) {
		LOG_ERR("switch: process %d is of a build that speaks version %llu to its keeper, not %d",
			(int)k->spare->pid, (unsigned long long)version, CHANNEL_VERSION);
		kill(k->spare->pid, SIGKILL);
		return;
	}
	k->spare->warm = true;
	opening_go_on(k);
	if (k->takeover.state == TAKEOVER_WARMING)
		takeover_warm(k);
	else if (!k->active)
		hand_over(k);
	else
		succession_go_on(k);
}

void on_spare_channel(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	struct channel_msg m;
	int rc = channel_receive(k->spare->channel, &m, false);

	if (rc == 0)
		return;
	if (rc < 0 || (m.type != CHANNEL_WARM && m.type != CHANNEL_STOPPING && m.type != CHANNEL_FITS &&
		       m.type != CHANNEL_FITS_NOT && m.type != CHANNEL_OPENED)) {
		if (rc > 0)
			fds_close(&m);
		loop_fd_del(k->spare->channel_watch);
		k->spare->channel_watch = NULL;
		if (rc != -EPIPE)
			kill(k->spare->pid, SIGKILL);
		return;
	}
	if (m.type == CHANNEL_STOPPING)
		keeper_stop(k, "the spare process was told to end", true);
	else if (m.type == CHANNEL_OPENED)
		opening_answered(k, &m.opened);
	else if (m.type == CHANNEL_WARM)
		spare_became_warm(k, m.number);
	else
		takeover_checked(k, m.type == CHANNEL_FITS_NOT ? m.text : NULL);
}
