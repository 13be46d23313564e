/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user port: socket life, port state, and the vtable over the device's rings.
 *
 * What     connect: tries the front end's socket at once, then backing off to RETRY_MAX. listen: owns
 *          the socket and serves one front end at a time.
 * How      waiting/connecting -> negotiating (connected) -> up (a pair of rings runs). A ring violation
 *          holds the rings and leaves the socket open until the driver resets the device or
 *          the administrator says up. A protocol violation closes the socket; the next front
 *          end is let in after VIOLATION_MIN, doubling to VIOLATION_MAX until one gets to up.
 *          Delays between tries begin anew after a connection that got to up, too.
 *          Down hangs up, which is what QEMU shows its guest as no carrier, and hangs up on whoever
 *          comes meanwhile; with keep_open only the rings stop, and who runs the guest sees to that.
 * Threads  control, but for the six functions that workers call on the rings.
 * Trust    The front end and the guest are hostile; see vu_proto.h, vu_conn.h, vu_ring.h.
 */
#include "vhost-user/vu_port.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/log.h"
#include "base/unix_path.h"
#include "switch/port.h"
#include "vhost-user/vu_device.h"

#define RETRY_MIN     (5 * MS_NS)
#define RETRY_MAX     (250 * MS_NS)
#define VIOLATION_MIN (250 * MS_NS)
#define VIOLATION_MAX (10 * S_NS)
#define MESSAGE_MAX   (5 * S_NS) /* from a message's first byte to its last */
/* Descriptors and mappings of earlier front ends that are still being closed: more than an honest one has,
 * whose memory takes its time. */
#define CLOSING_MAX   (4 * VU_MSG_FDS)
#define TURN	      (2 * MS_NS) /* of messages, before other ports have theirs; one may take longer */

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

static void front_end_await(struct vu_port *vp);

static struct vu_port *vu_of(struct port *p)
{
	return (struct vu_port *)p;
}

/* ---- workers ---- */

static inline void fault_tell(struct port *p, struct vu_ring *r)
{
	if (__builtin_expect(atomic_load_explicit(&r->fault, memory_order_relaxed), 0) &&
	    !r->fault_told) {
		r->fault_told = true;
		port_fault_raise(p);
	}
}

static unsigned vu_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	struct vu_ring *r = &vu_of(p)->device.queues[2 * q + 1].ring;
	unsigned n = vu_ring_rx(r, b);

	fault_tell(p, r);
	return n;
}

static void vu_rx_done(struct port *p, unsigned q, struct burst *b)
{
	vu_ring_rx_done(&vu_of(p)->device.queues[2 * q + 1].ring);
}

static unsigned vu_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			    const struct delivery *d, unsigned n, struct port_counters *c)
{
	struct vu_ring *r = &vu_of(p)->device.queues[2 * q].ring;
	unsigned settled = vu_ring_tx(r, frames, d, n, c);

	fault_tell(p, r);
	return settled;
}

static bool vu_arm(struct port *p, unsigned q)
{
	return vu_ring_arm(&vu_of(p)->device.queues[2 * q + 1].ring);
}

static void vu_disarm(struct port *p, unsigned q)
{
	vu_ring_disarm(&vu_of(p)->device.queues[2 * q + 1].ring);
}

/* ---- state ---- */

/* Says what the port is in, from what it has. errored stays until something heals it. */
static void state_update(struct vu_port *vp)
{
	struct port *p = &vp->port;

	if (vp->admin_down) {
		port_state_set(p, PORT_DOWN, "set down by the administrator");
	} else if (vp->conn.fd >= 0 && vu_device_pair_runs(&vp->device)) {
		vp->violation_ns = 0;
		vp->retry_ns = 0;
		port_state_set(p, PORT_UP, "%s", "");
	} else if (vp->conn.fd >= 0 && !vp->device.held) {
		port_state_set(p, PORT_NEGOTIATING, "connected; the guest's driver has not started");
	}
}

static void conn_drop(struct vu_port *vp)
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
	front_end_await(arg);
}

static void retry_in(struct vu_port *vp, uint64_t delay_ns)
{
	loop_timer_del(vp->timer);
	loop_timer_add(switch_loop(vp->port.sw), delay_ns, timer_retry, vp, &vp->timer);
}

static void conn_violated(struct vu_port *vp, const char *text)
{
	conn_drop(vp);
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
	conn_drop(vp);
	/* The first try comes at once. Somebody who accepts and hangs up again would have us go round
	 * as fast as we can: the next ones wait. */
	if (vp->listen || !vp->retry_ns) {
		vp->retry_ns = RETRY_MIN;
		front_end_await(vp);
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
		state_update(vp);
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
	state_update(vp);
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
	state_update(vp);
}

/* Goes on with a predecessor's connection, which fd is. Nothing of it is lost: what the front end has sent
 * meanwhile lies in the socket, and what the guest has sent on its rings. */
static int conn_adopt(struct vu_port *vp, int fd, struct err *err)
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
		state_update(vp);
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

/* Lets the next front end come, or goes to look for it. */
static void front_end_await(struct vu_port *vp)
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

/* ---- vtable, control's part ---- */

/* A front end shows its guest no carrier while nobody is at the other end of its socket. */
static void hang_up(struct vu_port *vp)
{
	conn_drop(vp);
	loop_timer_del(vp->timer);
	front_end_await(vp);
}

static int vu_admin(struct port *p, bool up, struct err *err)
{
	struct vu_port *vp = vu_of(p);
	struct err ring_err = ERR_NONE;

	vp->admin_down = !up;
	vp->device.held = !up;
	vu_device_errored(&vp->device, NULL);
	if (!up) {
		vu_device_rings_stop(&vp->device);
		if (!vp->keep_open)
			hang_up(vp);
		state_update(vp);
		return 0;
	}
	if (vp->conn.fd < 0) {
		vp->violation_ns = 0;
		vp->retry_ns = 0;
		loop_timer_del(vp->timer);
		front_end_await(vp);
		return 0;
	}
	if (vu_device_rings_start(&vp->device, &ring_err) < 0) {
		vp->device.held = true;
		vu_device_rings_stop(&vp->device);
		vu_device_errored(&vp->device, ring_err.text);
		port_state_set(p, PORT_ERRORED, "%s", ring_err.text);
		return err_set(err, ring_err.code, "port \"%s\": %s", p->name, ring_err.text);
	}
	state_update(vp);
	return 0;
}

static void vu_fault(struct port *p)
{
	struct vu_port *vp = vu_of(p);
	char text[160];

	/* A driver that has reset its device since the worker told us has healed its port. */
	if (!vu_device_fault(&vp->device, text, sizeof(text)))
		return;
	vp->device.held = true;
	vu_device_rings_stop(&vp->device);
	vu_device_errored(&vp->device, text);
	port_state_set(p, PORT_ERRORED, "%s", text);
}

static void vu_info(const struct port *p, struct port_info *info)
{
	const struct vu_port *vp = (const struct vu_port *)p;

	info->path = vp->path;
	info->n_queues = vu_device_n_pairs(&vp->device);
	info->features = vp->device.dev->features;
}

static void vu_destroy(struct port *p)
{
	struct vu_port *vp = vu_of(p);

	conn_drop(vp);
	loop_timer_del(vp->timer);
	loop_fd_del(vp->listen_watch);
	port_fini(p);
	discard_destroy(vp->bin);
	if (vp->listen_fd >= 0) {
		unix_path_unlink(vp->listen_fd);
		close(vp->listen_fd);
	}
	free(vp);
}

_Static_assert(sizeof(((struct vu_port *)0)->path) == sizeof(((struct vu_kept *)0)->path),
	       "the same path");

static const struct port_ops vu_ops = {
	.type = "vhost-user",
	.rx_burst = vu_rx_burst,
	.rx_done = vu_rx_done,
	.tx_burst = vu_tx_burst,
	.arm = vu_arm,
	.disarm = vu_disarm,
	.admin = vu_admin,
	.info = vu_info,
	.fault = vu_fault,
	.destroy = vu_destroy,
};

/* Written once; the rest of the slot is the device's. */
static void kept_fill(struct vu_port *vp)
{
	struct vu_kept *k = vu_kept_of(&vp->port);

	memset(k, 0, sizeof(*k));
	memcpy(k->path, vp->path, sizeof(k->path));
	k->listen = vp->listen;
	if (vp->listen)
		vu_kept_fd(&vp->port, KEEP_LISTEN, 0, vp->listen_fd);
}

/* The slot is this port's: at the same socket, in the same role. */
static bool kept_fits(const struct vu_port *vp)
{
	const struct vu_kept *k = vu_kept_of(&vp->port);

	return !memcmp(k->path, vp->path, sizeof(k->path)) && k->listen == vp->listen;
}

/* With a front end that a predecessor left, or without one. */
static void begin(struct vu_port *vp, bool adopt)
{
	int fd = adopt ? vu_kept_take(&vp->port, KEEP_CONNECTION, 0) : -1;
	struct err err = ERR_NONE;

	vp->admin_down = vp->device.held = vp->port.kept->down || vp->port.kept->quarantined;
	/* One that shows its guest no carrier has hung up, or was about to. */
	if (fd >= 0 && vp->admin_down && !vp->keep_open) {
		discard_fd(vp->bin, fd);
		fd = -1;
	}
	if (fd >= 0 && conn_adopt(vp, fd, &err) == 0)
		return;
	if (fd >= 0)
		LOG_WARN("port \"%s\": its front end has to connect again: %s", vp->port.name,
			 err.text);
	/* Also what a connection left that was just ending. */
	if (adopt)
		conn_drop(vp);
	front_end_await(vp);
}

static int socket_listen(struct vu_port *vp, const char *name, struct err *err)
{
	int rc = unix_path_bind(vp->path, SOCK_STREAM, &vp->listen_fd, err);

	if (rc == -EADDRINUSE)
		err_hint(err, "choose another --path, or leave out --listen to connect to it");
	return rc < 0 ? err_prefix(err, "port \"%s\"", name) : 0;
}

/* The port that a predecessor left in a slot, with its listening socket. *fits: it is this one. */
static int adopt(struct vu_port *vp, struct switch_ *sw, const struct vu_port_opts *opts, bool *fits,
		 struct err *err)
{
	int rc = port_init(&vp->port, sw, &opts->port, &vu_ops, err);

	if (rc < 0)
		return rc;
	*fits = kept_fits(vp);
	/* Of one in quarantine the switch has kept nothing else. */
	if (vp->listen && (*fits || vp->port.kept->quarantined))
		vp->listen_fd = vu_kept_take(&vp->port, KEEP_LISTEN, 0);
	else
		vu_kept_fd(&vp->port, KEEP_LISTEN, 0, -1); /* of another path */
	if (!vp->listen || vp->listen_fd >= 0)
		return 0;
	rc = socket_listen(vp, opts->port.name, err);
	if (rc == 0)
		vu_kept_fd(&vp->port, KEEP_LISTEN, 0, vp->listen_fd);
	else
		port_fini(&vp->port);
	return rc;
}

static int make(struct vu_port *vp, struct switch_ *sw, const struct vu_port_opts *opts, struct err *err)
{
	int rc = opts->listen ? socket_listen(vp, opts->port.name, err) : 0;

	if (rc < 0)
		return rc;
	rc = port_init(&vp->port, sw, &opts->port, &vu_ops, err);
	if (rc < 0 && opts->listen)
		unix_path_unlink(vp->listen_fd);
	return rc;
}

int vu_port_add(struct switch_ *sw, const struct vu_port_opts *opts, struct port **out,
		struct err *err)
{
	const char *name = opts->port.name;
	struct vu_port *vp;
	bool fits = false;
	int rc;

	if (unix_path_check(opts->path, "--path", err) < 0)
		return err_prefix(err, "port \"%s\"", name);
	if (opts->n_queues > VU_QUEUE_PAIRS_MAX)
		return err_set(err, -EINVAL, "port \"%s\": %u queue pairs are outside 1-%d", name,
			       opts->n_queues, VU_QUEUE_PAIRS_MAX);
	vp = aligned_alloc(64, (sizeof(*vp) + 63) / 64 * 64);
	if (!vp)
		return err_set(err, -ENOMEM, "port \"%s\": out of memory", name);
	memset(vp, 0, sizeof(*vp));
	vp->listen_fd = -1;
	vp->conn.fd = -1;
	vp->bin = vp->conn.bin = vp->device.mem.bin = discard_create();
	vp->listen = opts->listen;
	vp->keep_open = opts->keep_open;
	memcpy(vp->path, opts->path, strlen(opts->path));
	rc = opts->port.adopt ? adopt(vp, sw, opts, &fits, err) : make(vp, sw, opts, err);
	if (rc < 0) {
		if (vp->listen_fd >= 0)
			close(vp->listen_fd);
		discard_destroy(vp->bin);
		free(vp);
		return rc;
	}
	if (!fits)
		kept_fill(vp);
	vu_device_init(&vp->device, &vp->port,
		       opts->n_queues ? opts->n_queues : VU_QUEUE_PAIRS_MAX, fits);
	begin(vp, fits);
	*out = &vp->port;
	return 0;
}
