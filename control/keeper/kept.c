/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/fd_table.h"
#include "control/keeper/ledger.h"

struct kept {
	int fd;
	struct fd_table *handed;
	struct ledger *ledger; /* NULL: nothing is stored */
	struct channel_go go;
};

int kept_create(int channel_fd, struct kept **out, struct err *err)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k)
		k->handed = fd_table_create();
	if (!k || !k->handed) {
		free(k);
		return err_set(err, -ENOMEM, "out of memory");
	}
	if (fcntl(channel_fd, F_SETFD, FD_CLOEXEC) < 0) {
		fd_table_destroy(k->handed);
		free(k);
		return err_set(err, -EINVAL, "--channel: %d is no descriptor of the keeper",
			       channel_fd);
	}
	k->fd = channel_fd;
	*out = k;
	return 0;
}

void kept_destroy(struct kept *k)
{
	if (!k)
		return;
	fd_table_destroy(k->handed);
	ledger_unmap(k->ledger);
	close(k->fd);
	free(k);
}

static void handed_put(struct kept *k, const struct channel_msg *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (fd_table_put(k->handed, m->keys[i], m->fds[i]) < 0)
			LOG_WARN_RL("switch: out of memory for what was handed on");
}

/* A keeper that has gone keeps nothing, and we are about to end. */
static int say(struct kept *k, const struct channel_msg *m)
{
	int rc = channel_send(k->fd, m);

	if (rc < 0 && rc != -EPIPE)
		LOG_WARN_RL("switch: the keeper does not take a message: %s", strerror(-rc));
	return rc;
}

static void ledger_take(struct kept *k)
{
	int fd = kept_own(k, OWN_LEDGER, 0);

	if (fd < 0)
		return;
	k->ledger = ledger_map(fd);
	close(fd);
}

/* What was looked at may be another's by the time of GO. */
static void check_answer(struct kept *k, const struct kept_spare_ops *ops, void *arg)
{
	struct err why = ERR_NONE;

	if (!ops || !ops->check || ops->check(arg, k, &why) == 0)
		kept_say(k, CHANNEL_FITS);
	else
		kept_say_text(k, CHANNEL_FITS_NOT, why.text);
	fd_table_drop_kinds(k->handed, ~0u);
}

static void open_answer(struct kept *k, const struct channel_device *device, const struct kept_spare_ops *ops,
			void *arg)
{
	struct channel_msg m = {.type = CHANNEL_OPENED, .opened = {.number = device->number}};
	struct err why = ERR_NONE;

	m.opened.result = ops && ops->open ? ops->open(arg, device, &why)
					   : err_set(&why, -ENOTSUP, "this process opens no devices");
	snprintf(m.opened.text, sizeof(m.opened.text), "%s", why.text);
	snprintf(m.opened.hint, sizeof(m.opened.hint), "%s", why.hint);
	say(k, &m);
}

static int messages_take(struct kept *k, const struct kept_spare_ops *ops, void *arg, struct err *err)
{
	struct channel_msg m;
	int rc;

	while ((rc = channel_receive(k->fd, &m, false)) > 0) {
		if (m.type == CHANNEL_HAND)
			handed_put(k, &m);
		if (m.type == CHANNEL_CHECK)
			check_answer(k, ops, arg);
		if (m.type == CHANNEL_OPEN)
			open_answer(k, &m.device, ops, arg);
		if (m.type == CHANNEL_UNOPEN && ops && ops->unopen)
			ops->unopen(arg);
		if (m.type != CHANNEL_GO)
			continue;
		k->go = m.go;
		ledger_take(k);
		return 1;
	}
	if (rc == -EPROTO)
		return err_set(err, rc, "the keeper sent what is no message");
	return rc;
}

int kept_await(struct kept *k, int stop_fd, const struct kept_spare_ops *ops, void *arg, struct err *err)
{
	struct pollfd fds[] = {{.fd = k->fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
	int rc;

	kept_say_number(k, CHANNEL_WARM, CHANNEL_VERSION);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot wait for the keeper: %s",
				       strerror(errno));
		if (fds[1].revents)
			return 1;
		if (!fds[0].revents)
			continue;
		rc = messages_take(k, ops, arg, err);
		if (rc > 0)
			return 0;
		if (rc < 0)
			return rc == -EPIPE ? 1 : rc;
	}
}

const struct channel_go *kept_go(const struct kept *k)
{
	return &k->go;
}

int kept_look(const struct kept *k, struct keep_key key)
{
	return fd_table_look(k->handed, key);
}

int kept_own(struct kept *k, enum channel_own which, uint16_t index)
{
	return fd_table_take(k->handed, (struct keep_key){KEEP_PROCESS, (uint16_t)which, index});
}

static int put(void *arg, struct keep_key key, int fd)
{
	struct kept *k = arg;
	struct channel_msg m = {
		.type = CHANNEL_PUT, .n = 1, .keys = {key}, .n_fds = 1, .fds = {fd}};

	/* What a predecessor left under this key is another's, and nobody's any more. */
	fd_table_drop(k->handed, key);
	ledger_say(k->ledger, key.slot);
	return say(k, &m);
}

static void drop(void *arg, struct keep_key key)
{
	struct kept *k = arg;
	struct channel_msg m = {.type = CHANNEL_DROP, .n = 1, .keys = {key}};

	fd_table_drop(k->handed, key);
	ledger_say(k->ledger, key.slot);
	say(k, &m);
}

static void drop_slot(void *arg, uint16_t slot, uint32_t kinds)
{
	struct kept *k = arg;
	struct channel_msg m = {
		.type = CHANNEL_DROP_SLOT, .n = 1, .kinds = kinds, .keys = {{.slot = slot}}};

	fd_table_drop_slot(k->handed, slot, kinds);
	ledger_say(k->ledger, slot);
	say(k, &m);
}

static int take(void *arg, struct keep_key key)
{
	struct kept *k = arg;

	return fd_table_take(k->handed, key);
}

const struct keep_ops kept_ops = {.put = put, .drop = drop, .drop_slot = drop_slot, .take = take};

unsigned kept_sweep(struct kept *k)
{
	unsigned n = 0;
	const struct fd_entry *e;

	while ((e = fd_table_next(k->handed, NULL))) {
		struct keep_key key = fd_entry_key(e);

		/* Its own are the keeper's to drop. */
		if (key.kind != KEEP_PROCESS) {
			drop(k, key);
			n++;
		}
		fd_table_drop(k->handed, key);
	}
	return n;
}

/* Nobody there: the end of the channel is seen by whoever watches it. */
void kept_say(struct kept *k, enum channel_type what)
{
	struct channel_msg m = {.type = what};

	say(k, &m);
}

void kept_say_number(struct kept *k, enum channel_type what, uint64_t number)
{
	struct channel_msg m = {.type = what, .number = number};

	say(k, &m);
}

void kept_say_text(struct kept *k, enum channel_type what, const char *text)
{
	struct channel_msg m = {.type = what};

	snprintf(m.text, sizeof(m.text), "%s", text);
	say(k, &m);
}

void kept_say_device(struct kept *k, const struct channel_device *device)
{
	struct channel_msg m = {.type = CHANNEL_OPEN, .device = *device};

	say(k, &m);
}

int kept_hear(struct kept *k, struct channel_msg *m)
{
	int rc = channel_receive(k->fd, m, false);

	if (rc <= 0)
		return rc < 0 ? -EPIPE : 0;
	while (m->n_fds)
		close(m->fds[--m->n_fds]);
	return (int)m->type;
}

int kept_fd(const struct kept *k)
{
	return k->fd;
}
