/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/ethdev_sockets.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#define SLOTS	    512	 /* of AF_PACKET's ring, where the user gave no number */
#define COMPLETIONS 2048 /* of AF_XDP's ring, as its driver makes it */
#define BESIDE                                                                                     \
	4096 /* bytes that the kernel charges for a frame beside its own, and more than that */
#define MARGIN 2

/* Bytes that the kernel can have charged to one of the device's sockets. */
static uint64_t room_needed(const struct ethdev *e)
{
	uint64_t n = device_is(&e->name, "net_af_xdp")
			     ? COMPLETIONS
			     : device_arg_number(&e->name, "framecnt", SLOTS);

	return MARGIN * n * (e->tx.len_max + BESIDE);
}

static int room_make(int fd, uint64_t need, struct err *err)
{
	int want = (int)need, has = 0;
	socklen_t n = sizeof(has);

	if (need > INT_MAX / 2)
		return err_set(err, -EINVAL, "so many slots for frames so long are too much");
	/* The kernel doubles it, and half of that is what counts. Without CAP_NET_ADMIN no more than
	 * net.core.wmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &has, &n) == 0 && has / 2 >= want)
		return 0;
	err_set(err, -EPERM,
		"its sockets may hold %d bytes, and with less than %d a slow interface "
		"would hold up the switch",
		has / 2, want);
	return err_hint(err, "run lanyard-switch as root, or `sysctl net.core.wmem_max=%d`", want);
}

static int busy_poll_check(int fd, struct err *err)
{
	int on = 0;
	socklen_t n = sizeof(on);

	if (getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &on, &n) == 0 && on)
		return 0;
	err_set(err, -ENOTSUP,
		"AF_XDP without busy polling would hold up the switch for a second at "
		"a time");
	return err_hint(err,
			"it needs Linux 5.11 or newer, and root; net_af_packet0,iface= does not");
}

int ethdev_sockets_set(const struct ethdev *e, struct err *err)
{
	const uint64_t need = room_needed(e);
	int rc = 0;

	/* None was found for a queue: /proc is missing, or memory. */
	if (e->sockets.n < e->n_queues)
		rc = err_set(err, -ENOENT,
			     "its driver's sockets were not found; is /proc mounted?");
	for (unsigned i = 0; rc == 0 && i < e->sockets.n; i++) {
		rc = room_make(e->sockets.fd[i], need, err);
		if (rc == 0 && device_is(&e->name, "net_af_xdp"))
			rc = busy_poll_check(e->sockets.fd[i], err);
	}
	return rc < 0 ? err_prefix(err, "device %s", e->name.name) : 0;
}
