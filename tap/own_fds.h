/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The descriptors that a driver of DPDK has opened in this process.
 *
 * What     The drivers for AF_PACKET and AF_XDP have no receive interrupts, so whoever waits for
 *          their frames would have to look every millisecond; and that of 22.11 for AF_XDP leaves
 *          its socket, program and map open behind it. Both need the descriptors, which the
 *          drivers tell nobody.
 * How      own_fds() lists what the process has open. What was not there before a device was opened is
 *          the device's, its sockets in the order of its queues, as descriptors are given out
 *          from the lowest on.
 * Threads  control, which alone opens such things.
 * Limits   OWN_FDS_MAX in the process; beyond that nothing is found, and queues are polled.
 */
#ifndef TAP_OWN_FDS_H
#define TAP_OWN_FDS_H

#include <stdbool.h>
#include <stdint.h>

#define OWN_FDS_MAX    65536
#define OWN_FD_SOCKETS 32

/* What a device has opened. */
struct own_fds {
	unsigned n;
	int fd[OWN_FD_SOCKETS];
};

/* A list of what is open, to give to own_fds_new(); NULL: out of memory. */
struct own_fds_before *own_fds_before(void);

/* Sockets of the address family that are not in `before`, by descriptor; with bpf, programs and maps. Frees
 * `before`. */
void own_fds_new(struct own_fds_before *before, int domain, struct own_fds *sockets,
		 struct own_fds *bpf);

/* Closes those that are still what they were: sockets of the family, or programs and maps. */
void own_fds_close(struct own_fds *sockets, int domain, struct own_fds *bpf);

#endif
