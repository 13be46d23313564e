/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
	struct sockaddr_un path, peer;
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
	port_state_set(&dg->port, PORT_CONNECTING, "%s: %s", dg->peer.sun_path, why);
	dg->retry_ns = dg->retry_ns ? 2 * dg->retry_ns : RETRY_MIN;
	if (dg->retry_ns > RETRY_MAX)
		dg->retry_ns = RETRY_MAX;
	look_in(dg, dg->retry_ns);
}

static const char *words(int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		return "nobody is there";
	/* A socket that talks to somebody else. */
	return error == EPERM ? "it is connected to another socket" : strerror(error);
}

/* Connects to the peer, or to the socket that has taken its place; nothing happens to one that is still
 * the same. */
static void look(void *arg)
{
	struct dgram *dg = arg;
	struct err err = ERR_NONE;

	if (connect(dg->fd, (struct sockaddr *)&dg->peer, sizeof(dg->peer)) < 0) {
		connect_later(dg, words(errno));
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

	info->path = dg->path.sun_path;
	info->peer = dg->peer.sun_path;
	info->n_queues = 1;
}

static void parts_free(struct dgram *dg)
{
	if (dg->fd >= 0) {
		close(dg->fd);
		unlink(dg->path.sun_path);
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
	.destroy = dgram_destroy,
};

/* ---- making ---- */

static int address_fill(struct sockaddr_un *sun, const char *path, const char *option,
			struct err *err)
{
	if (strlen(path) >= sizeof(sun->sun_path)) {
		err_set(err, -ENAMETOOLONG,
			"the socket path has %zu characters; Unix sockets allow %zu", strlen(path),
			sizeof(sun->sun_path) - 1);
		return err_hint(err, "use a shorter %s", option);
	}
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, strlen(path));
	return 0;
}

/* True when somebody has bound it, to whatever kind of socket. */
static bool socket_served(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served;

	if (fd < 0)
		return false;
	served = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
		 (errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return served;
}

static int socket_bind(struct dgram *dg, struct err *err)
{
	const char *path = dg->path.sun_path;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s exists and is no socket", path);
	if (socket_served(&dg->path)) {
		err_set(err, -EADDRINUSE, "somebody already serves %s", path);
		return err_hint(err, "choose another --path");
	}
	unlink(path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&dg->path, sizeof(dg->path)) < 0) {
		rc = err_set(err, -errno, "cannot bind %s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	dg->fd = fd; /* from here on its file is ours to remove */
	if (chmod(path, 0660) < 0)
		return err_set(err, -errno, "cannot set the mode of %s: %s", path, strerror(errno));
	return 0;
}

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
	    size > sizeof(bound) || strncmp(bound.sun_path, dg->path.sun_path, sizeof(bound.sun_path)) ||
	    access(dg->path.sun_path, F_OK) < 0) {
		close(fd);
		return false;
	}
	dg->fd = fd;
	dg->taken_over = true;
	return true;
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
	rc = address_fill(&dg->path, opts->path, "--path", err);
	if (rc == 0)
		rc = address_fill(&dg->peer, opts->peer, "--peer", err);
	if (rc == 0 && !socket_take(dg, sw, &opts->port))
		rc = socket_bind(dg, err);
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
