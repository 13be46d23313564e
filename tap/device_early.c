/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/device_early.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct early {
	struct device_want want;
	struct ethdev dev;
} *early[DEVICE_EARLY_MAX];

bool device_want_same(const struct device_want *a, const struct device_want *b)
{
	return !strcmp(a->device, b->device) && (a->n_queues ?: 1) == (b->n_queues ?: 1) && a->mtu == b->mtu;
}

static void early_free(struct early **at)
{
	if (!*at)
		return;
	ethdev_close(&(*at)->dev);
	free(*at);
	*at = NULL;
}

int device_early_open(const struct device_want *w, struct err *err)
{
	struct ethdev_opts opts = {.device = w->device, .n_queues = w->n_queues, .mtu = w->mtu};
	struct early **at = early, **end = early + DEVICE_EARLY_MAX;
	int rc;

	while (at < end && *at)
		at++;
	if (at == end)
		return err_set(err, -ENOSPC, "%d devices wait for their ports already", DEVICE_EARLY_MAX);
	if (w->n_queues > PORT_QUEUES_MAX)
		return err_set(err, -EINVAL, "%u queues are more than %d", w->n_queues, PORT_QUEUES_MAX);
	if (w->mtu > UINT16_MAX)
		return err_set(err, -EINVAL, "an MTU of %u is more than %d", w->mtu, UINT16_MAX);
	*at = aligned_alloc(64, (sizeof(**at) + 63) / 64 * 64);
	if (!*at)
		return err_set(err, -ENOMEM, "out of memory");
	memset(*at, 0, sizeof(**at));
	(*at)->want = *w;
	rc = ethdev_open(&(*at)->dev, &opts, err);
	if (rc < 0)
		early_free(at);
	return rc;
}

/* The interface may have gone since, and another one come. */
static bool is_current(const struct ethdev *e)
{
	unsigned ifindex = 0;
	uint32_t mtu;

	return !e->ifindex || (iface_find(e->name.iface, &ifindex, &mtu) == 0 && ifindex == e->ifindex);
}

bool device_early_take(const struct device_want *w, struct ethdev *e, void (*on_event)(void *arg), void *arg)
{
	for (struct early **at = early; at < early + DEVICE_EARLY_MAX; at++) {
		bool fits;

		if (!*at || strcmp((*at)->want.device, w->device))
			continue;
		fits = device_want_same(&(*at)->want, w) && is_current(&(*at)->dev);
		if (fits)
			ethdev_move(e, &(*at)->dev, on_event, arg);
		/* Another one of that name would be in the way. */
		early_free(at);
		return fits;
	}
	return false;
}

void device_early_close(void)
{
	for (struct early **at = early; at < early + DEVICE_EARLY_MAX; at++)
		early_free(at);
}
