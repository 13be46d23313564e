/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unix_path.h"
#include "switch/keep.h"
#include "tap/host_queue.h"
#include "tap/pump.h"

#define RETRY_MIN (5 * MS_NS)
#define RETRY_MAX (250 * MS_NS)
#define LOOK	  (500 * MS_NS) /* between looks at a peer that is there: what its death may cost */
#define OLD_MAX	  4096 /* datagrams; the kernel keeps net.unix.max_dgram_qlen of them: 10, or 512 */

struct dgram {
	struct port port; /* first */
	struct host_queue queue;
	char path[UNIX_PATH_MAX], peer[UNIX_PATH_MAX];
	int fd;
	bool admin_down, runs;
	bool taken_over; /* what waits in the socket came while nobody read it for a moment */
	struct loop_timer *timer;
	uint64_t retry_ns;
};

static const struct host_format dgram_format = {.pad = true, .socket = true};

static struct dgram *dgram_of(struct port *p)
{
	return (struct dgram *)p;
}

/* ---- workers ---- */

static unsigned dgram_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	return host_queue_rx_burst(&dgram_of(p)->queue, b);
}

static void dgram_rx_done(struct port *p, unsigned q, struct burst *b)
{
	host_queue_rx_done(&dgram_of(p)->queue);
}

static unsigned dgram_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			       const struct delivery *d, unsigned n, struct port_counters *c)
{
	return host_queue_tx_burst(&dgram_of(p)->queue, frames, d, n, c);
}

static bool dgram_arm(struct port *p, unsigned q)
{
	return host_queue_arm(&dgram_of(p)->queue);
}

static void dgram_disarm(struct port *p, unsigned q)
{
	host_queue_disarm(&dgram_of(p)->queue);
}

/* ---- the peer ---- */

static void look(void *arg);

static void look_in(struct dgram *dg, uint64_t delay_ns)
{
	loop_timer_del(dg->timer);
	loop_timer_add(switch_loop(dg->port.sw), delay_ns, look, dg, &dg->timer);
}

static void stop(struct dgram *dg)
{
	port_stop_all(&dg->port);
	pump_stop(&dg->queue);
	dg->runs = false;
}

/* From now on only the peer's datagrams come: these may be older. The peer may send all the while. */
static void old_discard(struct dgram *dg)
{
	char byte;

	for (unsigned i = 0; i < OLD_MAX; i++)
		if (recv(dg->fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno == EAGAIN)
			return;
}

static int start(struct dgram *dg, struct err *err)
{
	int rc;

	if (!dg->taken_over)
		old_discard(dg);
	dg->taken_over = false;
	rc = pump_start(&dg->queue, dg->fd, err);
	if (rc == 0)
		rc = port_rx_start(&dg->port, 0, dg->queue.kick_fd, err);
	if (rc == 0)
		rc = port_tx_start(&dg->port, 0, err);
	if (rc < 0)
		stop(dg);
	else
		dg->runs = true;
	return rc;
}

static void connect_later(struct dgram *dg, const char *why)
{
	stop(dg);
	port_state_set(&dg->port, PORT_CONNECTING, "%s: %s", dg->peer, why);
	dg->retry_ns = dg->retry_ns ? 2 * dg->retry_ns : RETRY_MIN;
	if (dg->retry_ns > RETRY_MAX)
		dg->retry_ns = RETRY_MAX;
	look_in(dg, dg->retry_ns);
}

static const char *words(int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		return "nobody is there";
	if (error == ENOTSOCK)
		return "it is no socket";
	if (error == ELOOP)
		return "it is a symbolic link, which is not followed here";
	/* A socket that talks to somebody else. */
	return error == EPERM ? "it is connected to another socket" : strerror(error);
}

/* Connects to the peer, or to the socket that has taken its place; nothing happens to one that is still
 * the same. */
static void look(void *arg)
{
	struct dgram *dg = arg;
	struct err err = ERR_NONE;

	int rc = unix_path_peer(dg->fd, dg->peer);

	if (rc < 0) {
		connect_later(dg, words(-rc));
		return;
	}
	/* Only a peer that is still there at the second look has taken what it was sent meanwhile. */
	if (dg->runs) {
		dg->retry_ns = 0;
	} else if (start(dg, &err) < 0) {
		connect_later(dg, err.text);
		return;
	}
	port_state_set(&dg->port, PORT_UP, "%s", "");
	look_in(dg, LOOK);
}

/* ---- vtable, control's part ---- */

static int dgram_admin(struct port *p, bool up, struct err *err)
{
	struct dgram *dg = dgram_of(p);

	dg->admin_down = !up;
	loop_timer_del(dg->timer);
	if (up) {
		dg->retry_ns = 0;
		look(dg);
	} else {
		stop(dg);
		port_state_set(p, PORT_DOWN, "set down by the administrator");
	}
	return 0;
}

static void dgram_fault(struct port *p)
{
	struct dgram *dg = dgram_of(p);

	int error = atomic_load_explicit(&dg->queue.error, memory_order_relaxed);

	/* Later, even if a new socket is there: one that refuses each frame would keep us busy. */
	if (!dg->admin_down && dg->runs && error)
		connect_later(dg, words(error));
}

static void dgram_info(const struct port *p, struct port_info *info)
{
	const struct dgram *dg = (const struct dgram *)p;

	info->path = dg->path;
	info->peer = dg->peer;
	info->n_queues = 1;
}

static void parts_free(struct dgram *dg)
{
	if (dg->fd >= 0) {
		unix_path_unlink(dg->fd);
		close(dg->fd);
	}
	host_queue_destroy(&dg->queue);
	free(dg);
}

static void dgram_destroy(struct port *p)
{
	struct dgram *dg = dgram_of(p);

	loop_timer_del(dg->timer);
	stop(dg);
	port_fini(p);
	parts_free(dg);
}

static void dgram_yield(struct port *p)
{
	pump_yield(&dgram_of(p)->queue);
}

static const struct port_ops dgram_ops = {
	.type = "dgram",
	.rx_burst = dgram_rx_burst,
	.rx_done = dgram_rx_done,
	.tx_burst = dgram_tx_burst,
	.arm = dgram_arm,
	.disarm = dgram_disarm,
	.admin = dgram_admin,
	.info = dgram_info,
	.fault = dgram_fault,
	.yield = dgram_yield,
	.destroy = dgram_destroy,
};

/* ---- making ---- */

/* The socket that a predecessor had at this path: the peer goes on sending to it. */
static bool socket_take(struct dgram *dg, struct switch_ *sw, const struct port_opts *opts)
{
	struct sockaddr_un bound = {.sun_family = AF_UNSPEC};
	socklen_t size = sizeof(bound);
	int fd = -1;

	if (opts->adopt)
		fd = keep_take(sw, (struct keep_key){.kind = KEEP_DGRAM, .slot = opts->slot});
	if (fd < 0)
		return false;
	if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 || bound.sun_family != AF_UNIX ||
	    size > sizeof(bound) || strncmp(bound.sun_path, dg->path, sizeof(bound.sun_path)) ||
	    !unix_path_is_there(fd)) {
		close(fd);
		return false;
	}
	dg->fd = fd;
	dg->taken_over = true;
	return true;
}

static int paths_take(struct dgram *dg, const struct dgram_opts *opts, struct err *err)
{
	int rc = unix_path_check(opts->path, "--path", err);

	if (rc == 0)
		rc = unix_path_check(opts->peer, "--peer", err);
	if (rc < 0)
		return rc;
	memcpy(dg->path, opts->path, strlen(opts->path));
	memcpy(dg->peer, opts->peer, strlen(opts->peer));
	return 0;
}

int dgram_port_add(struct switch_ *sw, const struct dgram_opts *opts, struct port **out,
		   struct err *err)
{
	struct dgram *dg = aligned_alloc(64, (sizeof(*dg) + 63) / 64 * 64);
	int rc;

	if (!dg)
		return err_set(err, -ENOMEM, "out of memory");
	memset(dg, 0, sizeof(*dg));
	dg->fd = -1;
	rc = paths_take(dg, opts, err);
	if (rc == 0 && !socket_take(dg, sw, &opts->port))
		rc = unix_path_bind(dg->path, SOCK_DGRAM, &opts->whose, &dg->fd, err);
	if (rc == 0) {
		rc = host_queue_create(&dg->queue, &dg->port, &dgram_format);
		if (rc < 0)
			err_set(err, rc, "cannot make its queue: %s", strerror(-rc));
	}
	if (rc == 0)
		rc = port_init(&dg->port, sw, &opts->port, &dgram_ops, err);
	if (rc < 0) {
		parts_free(dg);
		return rc;
	}
	/* Not kept, it is made anew after a crash. */
	keep_put(sw, (struct keep_key){.kind = KEEP_DGRAM, .slot = dg->port.id}, dg->fd);
	dg->admin_down = opts->port.down;
	if (dg->admin_down)
		port_state_set(&dg->port, PORT_DOWN, "set down by the administrator");
	else
		look(dg);
	*out = &dg->port;
	return 0;
}
