/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `dgram`: one Ethernet frame a datagram between two Unix sockets, as QEMU's
 * `-netdev dgram,local.type=unix,remote.type=unix` has it: for guests without virtio.
 *
 * What     The port binds its own socket and connects to the peer's, so that nobody else's datagrams
 *          get in.
 * How      connecting (tried again after RETRY_MIN, doubling to RETRY_MAX) -> up. A peer that goes away
 *          says nothing: the pump meets its refusal, or the next look does, every LOOK while up;
 *          one that comes again under the same name is connected to by that look too.
 *          Frames have no header: offloads are done here, and short frames padded.
 * Threads  control, but for what workers call.
 * Trust    whoever may write to the socket's folder. Datagrams that came before the connection are
 *          thrown away: they may be anybody's.
 */
#ifndef TAP_DGRAM_H
#define TAP_DGRAM_H

#include "base/unix_path.h"
#include "switch/port.h"

struct dgram_opts {
	struct port_opts port;
	const char *path; /* of our socket */
	const char *peer; /* of the other's */
	struct unix_path_words whose; /* the file of ours */
};

/* 0, or -errno with a sentence, and there is no port. */
int dgram_port_add(struct switch_ *sw, const struct dgram_opts *opts, struct port **out,
		   struct err *err);

#endif
