/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_front_end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"

#define RETRY_MIN     (5 * MS_NS)
#define RETRY_MAX     (250 * MS_NS)
#define VIOLATION_MIN (250 * MS_NS)
#define VIOLATION_MAX (10 * S_NS)
#define MESSAGE_MAX   (5 * S_NS) /* from a message's first byte to its last */
/* Descriptors and mappings of earlier front ends that are still being closed: more than an honest one has,
 * whose memory takes its time. */
#define CLOSING_MAX   (4 * VU_MSG_FDS)
#define TURN	      (2 * MS_NS) /* of messages, before other ports have theirs; one may take longer */

void vu_front_end_drop(struct vu_port *vp)
{
	loop_timer_del(vp->message_timer);
	loop_fd_del(vp->conn_watch);
	vp->conn_watch = NULL;
	vu_kept_busy(&vp->port);
	vu_device_reset(&vp->device);
	vu_conn_close(&vp->conn);
	vp->device.held = vp->admin_down;
	port_mtu_tell(&vp->port, 0);
}

static void timer_retry(void *arg)
{
	vu_front_end_await(arg);
}

static void retry_in(struct vu_port *vp, uint64_t delay_ns)
{
	loop_timer_del(vp->timer);
	loop_timer_add(switch_loop(vp->port.sw), delay_ns, timer_retry, vp, &vp->timer);
}

static void conn_violated(struct vu_port *vp, const char *text)
{
	vu_front_end_drop(vp);
	vp->violation_ns = vp->violation_ns ? 2 * vp->violation_ns : VIOLATION_MIN;
	if (vp->violation_ns > VIOLATION_MAX)
		vp->violation_ns = VIOLATION_MAX;
	if (!vp->admin_down)
		port_state_set(&vp->port, PORT_ERRORED, "protocol violation, socket closed: %s", text);
	retry_in(vp, vp->violation_ns);
}

static void retry_later(struct vu_port *vp)
{
	vp->retry_ns = vp->retry_ns ? 2 * vp->retry_ns : RETRY_MIN;
	if (vp->retry_ns > RETRY_MAX)
		vp->retry_ns = RETRY_MAX;
	retry_in(vp, vp->retry_ns);
}

static void conn_gone(struct vu_port *vp)
{
	vu_front_end_drop(vp);
	/* The first try comes at once. Somebody who accepts and hangs up again would have us go round
	 * as fast as we can: the next ones wait. */
	if (vp->listen || !vp->retry_ns) {
		vp->retry_ns = RETRY_MIN;
		vu_front_end_await(vp);
		return;
	}
	if (!vp->admin_down)
		port_state_set(&vp->port, PORT_CONNECTING, "%s: the front end has hung up", vp->path);
	retry_later(vp);
}

/* ---- messages ---- */

static void message_late(void *arg)
{
	struct vu_port *vp = arg;
	char text[64];

	snprintf(text, sizeof(text), "a message did not end within %llu s", MESSAGE_MAX / S_NS);
	conn_violated(vp, text);
}

/* A deadline from the first byte of a message to its last. */
static void message_deadline(struct vu_port *vp)
{
	if (!vu_conn_midway(&vp->conn))
		loop_timer_del(vp->message_timer);
	else if (!vp->message_timer)
		loop_timer_add(switch_loop(vp->port.sw), MESSAGE_MAX, message_late, vp,
			       &vp->message_timer);
}

/* A driver that resets its device stops all its rings: what it did wrong is over. */
static void reset_heals(struct vu_port *vp)
{
	struct vu_device *d = &vp->device;

	if (d->held && !vp->admin_down && !vu_device_any_started(d)) {
		d->held = false;
		vu_device_errored(d, NULL);
		vu_state_update(vp);
	}
}

static int message_handle(struct vu_port *vp, struct err *err)
{
	struct vu_device *d = &vp->device;
	int rc = vu_device_message(d, &vp->conn, err);

	if (rc < 0)
		return rc;
	/* QEMU shows its guest a link when it connects, between its first message and its next look at
	 * other things: who has another wish hears now that it is time to say so. */
	if (!vp->spoken)
		port_carrier_retell(&vp->port);
	vp->spoken = true;
	port_mtu_tell(&vp->port, d->dev->mtu);
	vu_conn_next(&vp->conn);
	reset_heals(vp);
	vu_state_update(vp);
	return 0;
}

static void conn_ready(void *arg, int fd, uint32_t events)
{
	struct vu_port *vp = arg;
	struct err err = ERR_NONE;
	uint64_t end_ns = loop_now_ns() + TURN;
	int rc;

	port_serve(&vp->port);
	vu_kept_busy(&vp->port);
	do {
		rc = vu_conn_read(&vp->conn, &err);
		if (rc > 0)
			loop_timer_del(vp->message_timer);
		if (rc > 0 && message_handle(vp, &err) < 0)
			rc = -EPROTO;
	} while (rc > 0 && loop_now_ns() < end_ns);
	if (rc >= 0) {
		int waits = vu_conn_flush(&vp->conn);

		if (waits < 0)
			rc = waits;
		else
			loop_fd_mod(vp->conn_watch, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
	if (rc == -EPROTO)
		conn_violated(vp, err.text);
	else if (rc < 0)
		conn_gone(vp);
	else
		message_deadline(vp);
	if (vp->conn.fd >= 0 && !vu_conn_midway(&vp->conn) && !vp->conn.n_out)
		vu_kept_settle(&vp->port);
	port_served(&vp->port);
}

static void conn_start(struct vu_port *vp, int fd)
{
	vu_conn_open(&vp->conn, fd);
	vu_device_connected(&vp->device);
	vp->spoken = false;
	if (loop_fd_add(switch_loop(vp->port.sw), fd, EPOLLIN, conn_ready, vp, &vp->conn_watch) < 0) {
		vu_conn_close(&vp->conn);
		retry_in(vp, RETRY_MAX);
		return;
	}
	vu_kept_fd(&vp->port, KEEP_CONNECTION, 0, fd);
	vu_state_update(vp);
}

int vu_front_end_adopt(struct vu_port *vp, int fd, struct err *err)
{
	struct vu_kept *k = vu_kept_of(&vp->port);
	int rc;

	vu_conn_open(&vp->conn, fd);
	vp->device.held = vp->admin_down || k->errored[0];
	vp->spoken = vp->device.dev->phase != VU_NEW;
	rc = vu_device_adopt(&vp->device, err);
	if (rc == 0) {
		rc = loop_fd_add(switch_loop(vp->port.sw), fd, EPOLLIN, conn_ready, vp,
				 &vp->conn_watch);
		if (rc < 0)
			err_set(err, rc, "its connection cannot be watched: %s", strerror(-rc));
	}
	if (rc < 0)
		return rc;
	port_mtu_tell(&vp->port, vp->device.dev->mtu);
	if (k->errored[0] && !vp->admin_down)
		port_state_set(&vp->port, PORT_ERRORED, "%s", k->errored);
	else
		vu_state_update(vp);
	return 0;
}

/* ---- sockets ---- */

static void listen_ready(void *arg, int fd, uint32_t events)
{
	struct vu_port *vp = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (conn < 0)
		return;
	if (vp->admin_down && !vp->keep_open) {
		/* It would wait for our answers, and a QEMU's guest with it: let it try again. */
		close(conn);
		return;
	}
	/* One front end at a time; the next one waits in the backlog. */
	loop_fd_del(vp->listen_watch);
	vp->listen_watch = NULL;
	conn_start(vp, conn);
}

static void connect_try(struct vu_port *vp)
{
	int fd = unix_path_connect(vp->path);

	if (fd >= 0) {
		conn_start(vp, fd);
		return;
	}
	if (!vp->admin_down)
		port_state_set(&vp->port, PORT_CONNECTING, "%s: %s", vp->path, strerror(-fd));
	retry_later(vp);
}

void vu_front_end_await(struct vu_port *vp)
{
	if (discard_pending(vp->bin) > CLOSING_MAX) {
		if (!vp->admin_down)
			port_state_set(&vp->port, PORT_ERRORED, "what its front end had sent does not close");
		retry_later(vp);
		return;
	}
	if (!vp->listen) {
		/* A port that is down looks for nobody. */
		if (!vp->admin_down || vp->keep_open)
			connect_try(vp);
		return;
	}
	if (!vp->admin_down)
		port_state_set(&vp->port, PORT_WAITING, "no front end has connected to %s", vp->path);
	if (!vp->listen_watch &&
	    loop_fd_add(switch_loop(vp->port.sw), vp->listen_fd, EPOLLIN, listen_ready, vp,
			&vp->listen_watch) < 0)
		retry_in(vp, RETRY_MAX);
}
