/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user port: its life, its state, and the vtable over the device's rings.
 *
 * How      waiting/connecting -> negotiating (connected) -> up (a pair of rings runs). A ring violation
 *          holds the rings and leaves the socket open until the driver resets the device or
 *          the administrator says up; what closes the socket is in vu_front_end.h.
 *          Down hangs up, which is what QEMU shows its guest as no carrier; with keep_open only the
 *          rings stop, and who runs the guest sees to that.
 * Threads  control, but for the five functions that workers call on the rings.
 * Trust    The front end and the guest are hostile; see vu_front_end.h, vu_ring.h.
 */
#include "vhost-user/vu_port.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/log.h"
#include "vhost-user/vu_front_end.h"

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

/* QEMU 7.2 keeps what a driver agrees to while nobody serves its device to itself, and asks for nothing when
 * somebody does. An old driver that wants nothing looks the same, and works. */
static const char *up_note(const struct vu_port *vp)
{
	if (vp->device.dev->features & ~VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
		return "";
	return "its driver has agreed to nothing; a guest that booted while no switch was there has no network until "
	       "it is reset (`lanyard vm reset`)";
}

void vu_state_update(struct vu_port *vp)
{
	struct port *p = &vp->port;

	if (vp->admin_down) {
		port_state_set(p, PORT_DOWN, "set down by the administrator");
	} else if (vp->conn.fd >= 0 && vu_device_pair_runs(&vp->device)) {
		vp->violation_ns = 0;
		vp->retry_ns = 0;
		port_state_set(p, PORT_UP, "%s", up_note(vp));
	} else if (vp->conn.fd >= 0 && !vp->device.held) {
		port_state_set(p, PORT_NEGOTIATING, "connected; the guest's driver has not started");
	}
}

/* ---- vtable, control's part ---- */

/* A front end shows its guest no carrier while nobody is at the other end of its socket. */
static void hang_up(struct vu_port *vp)
{
	vu_front_end_drop(vp);
	loop_timer_del(vp->timer);
	vu_front_end_await(vp);
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
		vu_state_update(vp);
		return 0;
	}
	if (vp->conn.fd < 0) {
		vp->violation_ns = 0;
		vp->retry_ns = 0;
		loop_timer_del(vp->timer);
		vu_front_end_await(vp);
		return 0;
	}
	if (vu_device_rings_start(&vp->device, &ring_err) < 0) {
		vp->device.held = true;
		vu_device_rings_stop(&vp->device);
		vu_device_errored(&vp->device, ring_err.text);
		port_state_set(p, PORT_ERRORED, "%s", ring_err.text);
		return err_set(err, ring_err.code, "port \"%s\": %s", p->name, ring_err.text);
	}
	vu_state_update(vp);
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

	vu_front_end_drop(vp);
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
	if (fd >= 0 && vu_front_end_adopt(vp, fd, &err) == 0)
		return;
	if (fd >= 0)
		LOG_WARN("port \"%s\": its front end has to connect again: %s", vp->port.name,
			 err.text);
	/* Also what a connection left that was just ending. */
	if (adopt)
		vu_front_end_drop(vp);
	vu_front_end_await(vp);
}

static int socket_listen(struct vu_port *vp, const struct vu_port_opts *opts, struct err *err)
{
	int rc = unix_path_bind(vp->path, SOCK_STREAM, &opts->whose, &vp->listen_fd, err);

	if (rc == -EADDRINUSE)
		err_hint(err, "choose another --path, or leave out --listen to connect to it");
	return rc < 0 ? err_prefix(err, "port \"%s\"", opts->port.name) : 0;
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
	rc = socket_listen(vp, opts, err);
	if (rc == 0)
		vu_kept_fd(&vp->port, KEEP_LISTEN, 0, vp->listen_fd);
	else
		port_fini(&vp->port);
	return rc;
}

static int make(struct vu_port *vp, struct switch_ *sw, const struct vu_port_opts *opts, struct err *err)
{
	int rc = opts->listen ? socket_listen(vp, opts, err) : 0;

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
