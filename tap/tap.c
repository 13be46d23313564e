/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/tap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap/host.h"
#include "tap/pump.h"
#include "tap/tap_follow.h"
#include "tap/tap_interface.h"
#include "tap/tap_keep.h"
#include "tap/tun.h"

static const struct host_format tap_format = {
	.hdr_len = VNET_HDR,
	.offloads = OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN,
};

static struct tap *tap_of(struct port *p)
{
	return (struct tap *)p;
}

/* ---- workers ---- */

static unsigned tap_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	return host_queue_rx_burst(&tap_of(p)->queues[q], b);
}

static void tap_rx_done(struct port *p, unsigned q, struct burst *b)
{
	host_queue_rx_done(&tap_of(p)->queues[q]);
}

static unsigned tap_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			     const struct delivery *d, unsigned n, struct port_counters *c)
{
	return host_queue_tx_burst(&tap_of(p)->queues[q], frames, d, n, c);
}

static bool tap_arm(struct port *p, unsigned q)
{
	return host_queue_arm(&tap_of(p)->queues[q]);
}

static void tap_disarm(struct port *p, unsigned q)
{
	host_queue_disarm(&tap_of(p)->queues[q]);
}

/* ---- running ---- */

void tap_queues_stop(struct tap *t)
{
	port_stop_all(&t->port);
	for (unsigned q = 0; q < t->n_queues; q++)
		pump_stop(&t->queues[q]);
	t->runs = false;
}

static int queues_start(struct tap *t, struct err *err)
{
	for (unsigned q = 0; q < t->n_queues; q++) {
		int rc = pump_start(&t->queues[q], t->fds[q], err);

		if (rc == 0)
			rc = port_rx_start(&t->port, q, t->queues[q].kick_fd, err);
		if (rc == 0)
			rc = port_tx_start(&t->port, q, err);
		if (rc < 0) {
			tap_queues_stop(t);
			return rc;
		}
	}
	t->runs = true;
	return 0;
}

static const char *where(const struct tap *t, char *out, size_t size)
{
	snprintf(out, size, t->netns[0] ? " in namespace \"%s\"" : "%s", t->netns);
	return out;
}

/* Why there is no interface: it was deleted, and perhaps something else has its name now. */
static void absent_tell(struct tap *t)
{
	struct netlink_link link;
	char in[96];

	where(t, in, sizeof(in));
	if (netlink_find(t->nl, t->ifname, 0, &link, NULL) == 0 &&
	    tap_interface_kind_check(&link, NULL) < 0) {
		t->other_ifindex = link.index;
		port_state_set(&t->port, PORT_ERRORED,
			       "interface \"%s\"%s is another one now, no tap (%s); `lanyard port up "
			       "%s` makes its own when that has gone",
			       t->ifname, in, link.kind[0] ? link.kind : "a device", t->port.name);
		return;
	}
	t->other_ifindex = 0;
	port_state_set(&t->port, PORT_ERRORED,
		       "interface \"%s\"%s was deleted; `lanyard port up %s` makes it again",
		       t->ifname, in, t->port.name);
}

int tap_reconcile(struct tap *t, struct err *err)
{
	bool run = t->present && t->link_up && !t->admin_down;
	struct err start_err = ERR_NONE;
	char in[96];

	if (!run && t->runs)
		tap_queues_stop(t);
	if (run && !t->runs && queues_start(t, &start_err) < 0) {
		port_state_set(&t->port, PORT_ERRORED, "%s", start_err.text);
		return err_set(err, start_err.code, "%s", start_err.text);
	}
	if (t->admin_down)
		port_state_set(&t->port, PORT_DOWN, "set down by the administrator");
	else if (!t->present)
		absent_tell(t);
	else if (!t->link_up)
		port_state_set(
			&t->port, PORT_ERRORED,
			"interface \"%s\"%s was set down; `ip link set %s up` or `lanyard port up` "
			"brings it back",
			t->ifname, where(t, in, sizeof(in)), t->ifname);
	else
		port_state_set(&t->port, PORT_UP, "%s", t->note);
	return 0;
}

void tap_note(struct tap *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->note, sizeof(t->note), fmt, ap);
	va_end(ap);
	tap_reconcile(t, NULL);
}

/* ---- vtable, control's part ---- */

static int tap_admin(struct port *p, bool up, struct err *err)
{
	struct tap *t = tap_of(p);
	bool was_down = t->admin_down;
	int rc = 0;

	t->admin_down = !up;
	if (up && !t->present) {
		rc = tap_go_home(t, err);
		if (rc == 0)
			rc = tap_interface_open(t, p->name, p->kept->mtu, err);
		if (rc == 0)
			tap_made_again(t);
		rc = rc == -EAGAIN ? -EBUSY : rc;
	} else if (up && !t->link_up) {
		rc = host_link(t->fds[0], &(struct link_change){.what = LINK_UP}, err);
		t->link_up = rc == 0;
	}
	if (rc == 0)
		rc = tap_reconcile(t, err);
	if (rc < 0) {
		err_prefix(err, "port \"%s\"", p->name);
		t->admin_down = was_down;
		if (was_down || !t->present || !t->link_up)
			tap_reconcile(t, NULL);
	}
	return rc;
}

static void tap_carrier(struct port *p, bool on)
{
	struct tap *t = tap_of(p);

	if (t->present)
		tun_carrier(t->fds[0], on);
}

/* Without one the interface keeps what it has. */
static int tap_mtu(struct port *p, uint32_t mtu, struct err *err)
{
	struct tap *t = tap_of(p);
	struct link_change c = {.what = LINK_MTU, .mtu = mtu};
	int rc = t->present && mtu ? host_link(t->fds[0], &c, err) : 0;

	return rc < 0 ? err_prefix(err, "port \"%s\"", p->name) : 0;
}

static void tap_info(const struct port *p, struct port_info *info)
{
	const struct tap *t = (const struct tap *)p;

	info->n_queues = t->n_queues;
	info->ifname = t->ifname;
	info->netns = t->netns[0] ? t->netns : NULL;
	info->address = t->address[0] ? t->address : NULL;
}

/* A queue met an error that is not about one frame: the event that says why may be behind it. */
static void tap_fault(struct port *p)
{
	tap_look(tap_of(p));
}

static void tap_destroy(struct port *p)
{
	struct tap *t = tap_of(p);

	tap_close(t);
	free(t);
}

static void tap_yield(struct port *p)
{
	struct tap *t = tap_of(p);

	for (unsigned q = 0; q < t->n_queues; q++)
		pump_yield(&t->queues[q]);
}

const struct port_ops tap_ops = {
	.type = "tap",
	.rx_burst = tap_rx_burst,
	.rx_done = tap_rx_done,
	.tx_burst = tap_tx_burst,
	.arm = tap_arm,
	.disarm = tap_disarm,
	.admin = tap_admin,
	.carrier = tap_carrier,
	.mtu = tap_mtu,
	.info = tap_info,
	.fault = tap_fault,
	.yield = tap_yield,
	.destroy = tap_destroy,
};

/* ---- making and ending ---- */

static int names_take(struct tap *t, const struct tap_opts *opts, struct err *err)
{
	if (opts->ifname && tun_name_check(opts->ifname, err) < 0)
		return -EINVAL;
	if (opts->address && netlink_address_check(opts->address, err) < 0)
		return -EINVAL;
	if (opts->address && strlen(opts->address) >= sizeof(t->address))
		return err_set(err, -EINVAL, "address \"%.64s…\" is too long", opts->address);
	if (opts->ifname)
		memcpy(t->ifname, opts->ifname, strlen(opts->ifname));
	else
		tap_interface_name(t->ifname, opts->port.name);
	if (opts->address)
		memcpy(t->address, opts->address, strlen(opts->address));
	/* Its length is netns_open()'s to check. */
	if (opts->netns)
		snprintf(t->netns, sizeof(t->netns), "%s", opts->netns);
	memcpy(t->home_ifname, t->ifname, sizeof(t->home_ifname));
	memcpy(t->home_netns, t->netns, sizeof(t->home_netns));
	return 0;
}

static int queues_create(struct tap *t, struct err *err)
{
	t->queues = aligned_alloc(64, t->n_queues * sizeof(*t->queues));
	if (t->queues)
		memset(t->queues, 0, t->n_queues * sizeof(*t->queues));
	for (unsigned q = 0; q < t->n_queues; q++) {
		int rc = t->queues ? host_queue_create(&t->queues[q], &t->port, &tap_format)
				   : -ENOMEM;

		if (rc < 0)
			return err_set(err, rc, "cannot make its queues: %s", strerror(-rc));
	}
	return 0;
}

/* All but the port; accepts what is half-made. */
static void parts_free(struct tap *t)
{
	if (t->nl && t->watcher.fn)
		netlink_unwatch(t->nl, &t->watcher);
	tap_interface_close(t);
	for (unsigned q = 0; t->queues && q < t->n_queues; q++)
		host_queue_destroy(&t->queues[q]);
	free(t->queues);
	netlink_put(t->nl);
	if (t->ns_fd >= 0)
		close(t->ns_fd);
}

int tap_open(struct tap *t, struct switch_ *sw, const struct tap_opts *opts,
	     const struct port_ops *ops, struct err *err)
{
	bool taken = false;
	int rc;

	t->ns_fd = -1;
	t->admin_down = opts->port.down;
	t->n_queues = opts->n_queues ? opts->n_queues : 1;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		t->fds[q] = -1;
	rc = names_take(t, opts, err);
	if (rc == 0)
		rc = host_netns(opts->netns, &t->ns_fd, err);
	if (rc == 0)
		rc = netlink_get(switch_loop(sw), t->ns_fd, &t->nl, err);
	if (rc == 0)
		rc = queues_create(t, err);
	if (rc == 0)
		taken = tap_take(t, sw, &opts->port);
	if (rc == 0 && !taken)
		rc = tap_interface_open(t, opts->port.name, opts->port.mtu, err);
	if (rc == 0)
		rc = port_init(&t->port, sw, &opts->port, ops, err);
	if (rc < 0) {
		tap_interface_restore(t);
		parts_free(t);
		return rc;
	}
	t->watcher = (struct netlink_watcher){.fn = tap_link_changed, .arg = t};
	netlink_watch(t->nl, &t->watcher);
	if (taken)
		tap_find_again(t);
	tap_keep(t);
	tap_mtu_see(t);
	rc = tap_reconcile(t, err);
	if (rc < 0) {
		tap_interface_restore(t);
		tap_close(t);
	}
	return rc;
}

void tap_close(struct tap *t)
{
	loop_timer_del(t->again);
	tap_queues_stop(t);
	port_fini(&t->port);
	parts_free(t);
}

/* By tap_ops, or others' with its slots; one that goes with its port. */
static struct tap *made_by_us(struct port *p)
{
	struct tap *t = p->ops->rx_burst == tap_rx_burst ? tap_of(p) : NULL;

	return t && t->present && !t->adopted && tun_attached(t->fds[0]) ? t : NULL;
}

void taps_end(struct switch_ *sw)
{
	unsigned n = 0;
	struct tap *t;

	for (struct port *p = port_next(sw, NULL); p; p = port_next(sw, p))
		n += made_by_us(p) != NULL;
	for (struct port *p = port_next(sw, NULL); p && n > 1; p = port_next(sw, p)) {
		t = made_by_us(p);
		if (t && t->runs)
			tap_queues_stop(t);
		if (t)
			host_link(t->fds[0], &(struct link_change){.what = LINK_DOOM}, NULL);
	}
	/* The first of a namespace takes all others of it along. Who stays is deleted alone. */
	for (struct port *p = port_next(sw, NULL); p && n > 1; p = port_next(sw, p))
		if ((t = made_by_us(p)))
			host_link(t->fds[0], &(struct link_change){.what = LINK_SWEEP}, NULL);
}

int tap_port_add(struct switch_ *sw, const struct tap_opts *opts, struct port **out,
		 struct err *err)
{
	struct tap *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);
	int rc;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	memset(t, 0, sizeof(*t));
	rc = tap_open(t, sw, opts, &tap_ops, err);
	if (rc < 0) {
		free(t);
		return rc;
	}
	*out = &t->port;
	return 0;
}
