/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/tap_keep.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/arena.h"
#include "switch/keep.h"
#include "tap/host.h"
#include "tap/tun.h"

/* In the port's slot. */
struct tap_kept {
	uint32_t n_queues; /* 0: nothing is kept */
	uint32_t mtu_was;
	bool found; /* it was there before us */
	bool address_ours, was_down;
	char address[sizeof(((struct tap *)0)->address)];
};

_Static_assert(sizeof(struct tap_kept) <= ARENA_DRIVER_BYTES, "a slot holds it");

static struct keep_key key_of(uint16_t slot, unsigned q)
{
	return (struct keep_key){.kind = KEEP_TAP, .slot = slot, .index = (uint16_t)q};
}

void tap_keep(struct tap *t)
{
	struct tap_kept *k = (struct tap_kept *)t->port.kept->driver;
	int rc = 0;

	if (!t->present)
		return;
	*k = (struct tap_kept){.mtu_was = t->mtu_was,
			       .found = t->adopted,
			       .address_ours = t->address_ours,
			       .was_down = t->was_down};
	memcpy(k->address, t->address, sizeof(k->address));
	for (unsigned q = 0; rc == 0 && q < t->n_queues; q++)
		rc = keep_put(t->port.sw, key_of(t->port.id, q), t->fds[q]);
	if (rc < 0)
		keep_drop_slot(t->port.sw, t->port.id, KEEP_BIT(KEEP_TAP));
	k->n_queues = rc < 0 ? 0 : t->n_queues;
}

void tap_unkeep(struct tap *t)
{
	struct tap_kept *k;

	if (!t->port.sw || !t->port.kept)
		return;
	k = (struct tap_kept *)t->port.kept->driver;
	if (k->n_queues && t->present && !t->adopted && tun_attached(t->fds[0]))
		/* Whoever keeps the descriptors closes them a moment later: gone shall be gone at once. */
		host_link(t->fds[0], &(struct link_change){.what = LINK_DELETE}, NULL);
	memset(k, 0, sizeof(*k));
	keep_drop_slot(t->port.sw, t->port.id, KEEP_BIT(KEEP_TAP));
}

bool tap_is_here(const struct tap *t)
{
	int fd = host_tun_netns(t->fds[0]);
	struct stat is, heard;
	bool same;

	/* Kernels before 5.2 do not tell. */
	if (fd < 0)
		return true;
	same = fstat(fd, &is) == 0 && fstat(t->ns_fd, &heard) == 0 && is.st_ino == heard.st_ino;
	close(fd);
	return same;
}

static const struct tap_kept *left(struct switch_ *sw, const struct port_opts *opts)
{
	return opts->adopt ? port_slot_driver(sw, opts->slot) : NULL;
}

void tap_kept_address(struct switch_ *sw, const struct port_opts *opts, char *out, size_t size)
{
	const struct tap_kept *k = left(sw, opts);

	snprintf(out, size, "%.*s", k && k->n_queues ? (int)sizeof(k->address) : 0,
		 k ? k->address : "");
}

bool tap_take(struct tap *t, struct switch_ *sw, const struct port_opts *opts)
{
	const struct tap_kept *k = left(sw, opts);
	bool all = k && k->n_queues == t->n_queues;

	if (!k || !k->n_queues)
		return false;
	for (unsigned q = 0; q < t->n_queues; q++) {
		t->fds[q] = keep_take(sw, key_of(opts->slot, q));
		all = all && t->fds[q] >= 0 && tun_attached(t->fds[q]);
	}
	if (!all) {
		for (unsigned q = 0; q < t->n_queues; q++) {
			if (t->fds[q] >= 0)
				close(t->fds[q]);
			t->fds[q] = -1;
		}
		keep_drop_slot(sw, opts->slot, KEEP_BIT(KEEP_TAP));
		return false;
	}
	t->present = true;
	t->adopted = k->found;
	t->address_ours = k->address_ours;
	t->was_down = k->was_down;
	t->mtu_was = k->mtu_was;
	return true;
}
