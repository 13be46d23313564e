/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sees to it that a driver which sends by sockets never keeps its caller waiting.
 *
 * What     ethdev_sockets_set() gives the driver's sockets so much room to send that none of its waits
 *          comes about, or says why that cannot be. A worker that waits in a driver holds up its
 *          other ports, and control with the next grace period: all of the switch.
 * How      Read in DPDK 22.11 and in the machine code of Debian's build:
 *          AF_PACKET, eth_af_packet_tx(): poll(fd, 1, -1) when the next slot of its ring is not free.
 *          The kernel calls a packet socket writable, whatever its ring holds, while the buffers
 *          charged to it take less than half of its send buffer. A slot has one at most, so
 *          slots times what one can take is the room with which this poll() always returns.
 *          Its sendto() and the receiving side do not wait.
 *          AF_XDP, kick_tx(): send() again for as long as it says EAGAIN, which it does when the
 *          send buffer is full: the same remedy; the ring of completions limits how many.
 *          AF_XDP, af_xdp_rx_zc(): poll(fd, 1, 1000) with nothing to receive, where the kernel does
 *          not know SO_PREFER_BUSY_POLL (before 5.11) or did not let the driver set it: refused.
 * Threads  control only, after the device was started, before a worker uses it.
 * Limits   send() also says EAGAIN, and kick_tx() goes round, while the queue of a NIC without
 *          zero-copy is stopped: until it has sent, at the latest until its watchdog (seconds).
 */
#ifndef TAP_ETHDEV_SOCKETS_H
#define TAP_ETHDEV_SOCKETS_H

#include "tap/ethdev.h"

/* e's driver is one of these two. -errno with a sentence: the device must not be used. */
int ethdev_sockets_set(const struct ethdev *e, struct err *err);

#endif
