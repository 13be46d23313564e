/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions a frame: the whole data path between real split rings (walk, decide, copy, publish) in
 * one thread, for valgrind --tool=callgrind to count. bench/instructions runs it.
 *
 * How      Front ends without sockets own the rings; rings, ports and a view are put together by
 *          hand; measured() is the part that is counted, and is what a worker does with a burst.
 *
 * usage: instructions SCENARIO ROUNDS portable|v3|v4
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hot.h"
#include "switch/decided.h"
#include "switch/forward.h"
#include "switch/internal.h"
#include "tests/front_end.h"
#include "vhost-user/vu_ring.h"

#define PORTS_MAX 9
#define LEN	  60
#define TSO_BURST 16 /* frames: what a ring of 1024 takes, cut */
#define TSO_LEN	  (14 + 20 + 20 + 40 * 1448) /* bytes of a frame that asks for segmentation */

struct node {
	struct port port; /* first: the ops cast back */
	struct port_counters counters;
	struct fe *fe;
	struct vu_mem mem;
	struct vu_ring rx, tx; /* of the guest: what we deliver to, what we take from */
};

static struct node nodes[PORTS_MAX];
static struct view view;
static struct view_port view_ports[PORTS_MAX], *members[PORTS_MAX];
static struct view_bridge bridge;
static struct burst burst;
static struct forward fw = {.burst = &burst};

static unsigned node_rx(struct port *p, unsigned q, struct burst *b)
{
	return vu_ring_rx(&((struct node *)p)->tx, b);
}

static void node_rx_done(struct port *p, unsigned q, struct burst *b)
{
	vu_ring_rx_done(&((struct node *)p)->tx);
}

static unsigned node_tx(struct port *p, unsigned q, const struct frame *frames, const struct delivery *d,
			unsigned n, struct port_counters *c)
{
	return vu_ring_tx(&((struct node *)p)->rx, frames, d, n, c);
}

static const struct port_ops ops = {
	.rx_burst = node_rx,
	.rx_done = node_rx_done,
	.tx_burst = node_tx,
};

static void ring_start(struct vu_ring *r, const struct node *n, unsigned i)
{
	const struct vu_ring_state s = fe_ring_state(n->fe, i);
	struct err err = ERR_NONE;

	r->call_fd = -1;
	if (vu_ring_start(r, &s, n->fe->features, &n->mem, &err) < 0) {
		fprintf(stderr, "instructions: %s\n", err.text);
		exit(1);
	}
}

static void node_make(unsigned i, enum vlan_mode mode, struct fe_opts o)
{
	struct node *n = &nodes[i];
	struct err err = ERR_NONE;
	struct vu_mem_region region;

	if (fe_open(&o, &n->fe, &err) < 0) {
		fprintf(stderr, "instructions: %s\n", err.text);
		exit(1);
	}
	region = (struct vu_mem_region){FE_GPA, n->fe->mem_size, (uintptr_t)n->fe->mem, 0};
	vu_mem_add(&n->mem, &region, n->fe->mem_fd, &err);
	ring_start(&n->rx, n, 0);
	ring_start(&n->tx, n, 1);
	n->port.counters = &n->counters;
	n->port.id = (uint16_t)i;
	view_ports[i] = (struct view_port){
		.port = &n->port, .ops = &ops, .bridge = &bridge, .id = (uint16_t)i,
		.n_txq = 1, .len_max = FRAME_MAX,
	};
	vlan_policy_default(&view_ports[i].vlan);
	if (mode == VLAN_ACCESS)
		view_ports[i].vlan = (struct vlan_policy){.mode = VLAN_ACCESS, .vid = 10};
	view.by_id[i] = members[i] = &view_ports[i];
}

static void frame_make(uint8_t *f, uint8_t dst, uint8_t src, bool tagged)
{
	memset(f, 0, LEN);
	f[0] = dst == 0xff ? 0xff : 2;
	f[5] = dst;
	f[6] = 2;
	f[11] = src;
	memcpy(f + 12, tagged ? "\x81\x00\x00\x0a\x88\xb5" : "\x88\xb5\x00\x00\x00\x00", 6);
}

/* TCP over IPv4, with the checksums left to do. */
static void tso_make(uint8_t *f, struct vnet_hdr *hdr)
{
	static const uint8_t start[] = {
		0x08, 0x00, 0x45, 0, (TSO_LEN - 14) >> 8, (TSO_LEN - 14) & 0xff, 0, 1, 0x40, 0, 64, 6, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0x14, 0x51, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10,
	};

	memset(f, 0x5a, TSO_LEN);
	frame_make(f, 2, 1, false);
	memcpy(f + 12, start, sizeof(start));
	*hdr = (struct vnet_hdr){
		.flags = VNET_HDR_NEEDS_CSUM, .gso_type = VNET_HDR_GSO_TCPV4, .gso_size = 1448,
		.csum_start = 34, .csum_offset = 16,
	};
}

/* valgrind knows the function by this very name: no copy of it may be called in its place. */
#ifdef __clang__
#define ONLY_ONCE __attribute__((noinline))
#else
#define ONLY_ONCE __attribute__((noinline, noclone))
#endif

/* What a worker does with one burst; counted. */
static ONLY_ONCE unsigned measured(unsigned from)
{
	struct view_port *vp = &view_ports[from];

	burst.n_segs = 0;
	burst.n = ops.rx_burst(vp->port, 0, &burst);
	if (!burst.n)
		return 0;
	forward_burst(&fw, vp, 0);
	ops.rx_done(vp->port, 0, &burst);
	return burst.n;
}

struct scenario {
	bool push, pop, flood, macs, guard, tso, cut;
	enum fe_layout layout;
};

/* False: there is no such scenario. */
static bool scenario_parse(const char *name, struct scenario *s)
{
	*s = (struct scenario){
		.push = !strcmp(name, "push"),
		.pop = !strcmp(name, "pop"),
		.flood = !strcmp(name, "flood8"),
		.macs = !strcmp(name, "macs"),
		.guard = !strcmp(name, "guard"),
		.tso = !strcmp(name, "tso"),
		.cut = !strcmp(name, "tso-cut"),
		.layout = !strcmp(name, "two")	    ? FE_TWO :
			  !strcmp(name, "indirect") ? FE_INDIRECT : FE_ONE,
	};
	return s->push || s->pop || s->flood || s->macs || s->guard || s->tso || s->cut || s->layout ||
	       !strcmp(name, "unicast");
}

static void lab_make(const struct scenario *s, unsigned n_ports)
{
	fdb_create(65536, 300, &bridge.fdb);
	for (unsigned i = 0; i < n_ports; i++)
		node_make(i, (s->push && i == 0) || (s->pop && i == 1) ? VLAN_ACCESS : VLAN_TRUNK,
			  (struct fe_opts){
				  .layout = s->layout,
				  .buf_size = (s->tso || s->cut) && i == 0 ? 65536 : 0, /* a sender's */
				  .features = fe_features_default(1) |
					      (s->tso || (s->cut && i == 0) ? VU_OFFLOADS : 0),
				  .ring_size = 1024,
			  });
	if (s->guard) {
		view_ports[0].guarded = true;
		view_ports[0].guard = (struct guard){.checks = GUARD_MAC, .mac = {2, 0, 0, 0, 0, 1}};
	}
	bridge.members = members;
	bridge.n_members = n_ports;
	fw.view = &view;
	fw.decided = aligned_alloc(64, DECIDED_SETS * sizeof(*fw.decided));
	memset(fw.decided, 0, DECIDED_SETS * sizeof(*fw.decided));
}

/* Puts a burst on the transmit ring of node `from`; large: frames that ask for segmentation. */
static void burst_send(const struct scenario *s, unsigned from, bool large)
{
	static uint8_t f[TSO_LEN];
	const struct vnet_hdr plain = {0};
	struct vnet_hdr hdr;

	frame_make(f, s->flood ? 0xff : (uint8_t)(2 - from), (uint8_t)(1 + from), from ? s->push : s->pop);
	for (unsigned i = 0; i < (large ? TSO_BURST : BURST_MAX); i++) {
		/* Another pair of addresses in each frame of a burst. */
		f[4] = f[10] = s->macs ? (uint8_t)i : 0;
		if (large) {
			tso_make(f, &hdr);
			fe_send_hdr(nodes[from].fe, 0, &hdr, f, TSO_LEN);
		} else {
			fe_send_hdr(nodes[from].fe, 0, &plain, f, LEN);
		}
	}
}

/* As measured(), and not counted: where the address of node `from` is learned. */
static void teach(unsigned from)
{
	burst.n_segs = 0;
	burst.n = node_rx(&nodes[from].port, 0, &burst);
	forward_burst(&fw, &view_ports[from], 0);
	node_rx_done(&nodes[from].port, 0, &burst);
}

static void receive_all(unsigned n_ports)
{
	static uint8_t got[65536 + 64];

	for (unsigned i = 0; i < n_ports; i++)
		while (fe_recv(nodes[i].fe, 0, got, sizeof(got)) >= 0)
			;
}

static bool any_dropped(unsigned n_ports)
{
	for (unsigned i = 0; i < n_ports; i++)
		for (unsigned k = 0; k < N_TX_DROPS; k++)
			if (nodes[i].counters.tx_drops[k])
				return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *isa = argc == 4 ? argv[3] : "";
	unsigned rounds = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, n_ports;
	struct scenario s;
	unsigned long n = 0;
	bool large;

	if (!rounds || !scenario_parse(argv[1], &s)) {
		fprintf(stderr, "usage: instructions unicast|guard|macs|two|indirect|push|pop|flood8|tso|tso-cut "
				"ROUNDS portable|v3|v4\n");
		return 2;
	}
	if (!hot_isa_set(!strcmp(isa, "v4") ? HOT_ISA_V4 :
			 !strcmp(isa, "v3") ? HOT_ISA_V3 : HOT_ISA_PORTABLE)) {
		fprintf(stderr, "instructions: this CPU does not run %s\n", isa);
		return 77;
	}
	n_ports = s.flood ? 9 : 2;
	large = s.tso || s.cut;
	lab_make(&s, n_ports);
	for (unsigned from = 0; from < 2; from++) {
		burst_send(&s, from, false);
		teach(from);
		receive_all(n_ports);
	}
	for (unsigned r = 0; r < rounds; r++) {
		burst_send(&s, 0, large);
		n += measured(0);
		receive_all(n_ports);
	}
	printf("%lu\n", n);
	return n == (unsigned long)rounds * (large ? TSO_BURST : BURST_MAX) && !any_dropped(n_ports) ? 0 : 1;
}
