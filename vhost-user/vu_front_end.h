/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user port's front end: its socket, its messages, and the wait for the next one.
 *
 * What     connect: tries the front end's socket at once, then backing off to RETRY_MAX. listen: serves
 *          one front end at a time; the next one waits in the backlog.
 * How      A protocol violation closes the socket; the next front end is let in after VIOLATION_MIN,
 *          doubling to VIOLATION_MAX until one gets to up. Delays between tries begin anew after a
 *          connection that got to up, too. While the port is down, whoever connects is hung up on at once.
 * Threads  control only.
 * Trust    The front end is hostile; see vu_proto.h, vu_conn.h.
 */
#ifndef VHOST_USER_VU_FRONT_END_H
#define VHOST_USER_VU_FRONT_END_H

#include "base/unix_path.h"
#include "switch/port.h"
#include "vhost-user/vu_device.h"

struct vu_port {
	struct port port; /* first */
	struct vu_device device;
	struct vu_conn conn;
	struct discard *bin; /* what its front ends have sent, and we let go of */
	char path[UNIX_PATH_MAX];
	bool listen, keep_open;
	bool admin_down;
	bool spoken; /* the front end, on this connection */
	int listen_fd;
	struct loop_fd *listen_watch, *conn_watch;
	struct loop_timer *timer, *message_timer;
	uint64_t retry_ns, violation_ns;
};

/* Says what the port is in, from what it has. errored stays until something heals it. */
void vu_state_update(struct vu_port *vp);

/* Lets the next front end come, or goes to look for it. */
void vu_front_end_await(struct vu_port *vp);

/* Ends a connection, if there is one: the rings are stopped, and guest memory is let go of. */
void vu_front_end_drop(struct vu_port *vp);

/* Goes on with a predecessor's connection, which fd is. Nothing of it is lost: what the front end has sent
 * meanwhile lies in the socket, and what the guest has sent on its rings. On failure it is to be dropped. */
int vu_front_end_adopt(struct vu_port *vp, int fd, struct err *err);

#endif
