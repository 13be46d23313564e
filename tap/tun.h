/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors of Linux's tap devices: /dev/net/tun.
 *
 * What     Opens the queues of a tap, which is made by that or, where it exists, attached to.
 * How      Every frame on a descriptor has a virtio header; checksums and TCP segmentation are left to the
 *          other side both ways.
 * Threads  control only.
 * Rights   Making a tap needs CAP_NET_ADMIN; attaching to one that belongs to the user does not.
 */
#ifndef TAP_TUN_H
#define TAP_TUN_H

#include <net/if.h>
#include <stdbool.h>

#include "base/err.h"

/* An interface's name that the kernel takes as it is. */
int tun_name_check(const char *name, struct err *err);

/* Opens n queues of tap `name` in the namespace to fds, all or none. exists: it is there already, and is
 * attached to only if it is persistent: otherwise it is another program's. Else it is made: -EBUSY where it
 * is there. */
int tun_open(int ns_fd, const char *name, bool exists, int *fds, unsigned n, struct err *err);

/* Whether it is a descriptor of /dev/net/tun: others may make of its requests what they like, and wait. */
bool tun_is_one(int fd);

/* False: the interface behind it has been deleted. */
bool tun_attached(int fd);

/* What the interface behind it is called now. -errno: it has been deleted. */
int tun_name(int fd, char out[IFNAMSIZ]);

/* Whether the host sees a carrier. */
void tun_carrier(int fd, bool on);

/* A descriptor of the namespace that the interface is in now, or -errno. */
int tun_netns(int fd);
/* Of these: kernels before 5.2 do not tell, nor does any without the right. */
bool tun_netns_is_untold(int rc);

/* Whether that is this process's own, or untold. */
bool tun_is_here(int fd);

#endif
