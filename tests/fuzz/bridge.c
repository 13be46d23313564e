/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames, VLANs, learning and links: what each port is given, byte for byte and in order, is what a naive
 * switch gives it (tests/fuzz/bridge_naive.h), and all is counted.
 *
 * Input    Bridges, ports with their VLANs, links; then bursts of frames, time, and changes of the
 *          configuration take turns.
 * How      Ports and a view put together by hand, and forward_burst() called as a worker calls it.
 * Limits   Where links make a loop each burst is one frame: a run of equal frames crosses links together,
 *          and comes out in another order than frame by frame, which is allowed.
 */
#include "switch/decided.h"
#include "switch/forward.h"
#include "switch/internal.h"
#include "switch/pages.h"
#include "tests/fuzz/bridge_naive.h"
#include "tests/fuzz/input.h"

#define AGEING_S  10
#define FRAME_LEN (NAIVE_LEN - 40)
#define LINKS_MAX 3
#define PORTS_MAX (NAIVE_PORTS - 2 * LINKS_MAX)

struct fake {
	struct port port; /* first: the ops cast back */
	struct port_counters counters;
	unsigned n_out; /* of this burst, compared so far */
	uint64_t n_forwarded;
};

static struct fake fakes[NAIVE_PORTS];
static struct view view;
static struct view_port view_ports[NAIVE_PORTS], *members[NAIVE_BRIDGES][NAIVE_PORTS];
static struct view_bridge bridges[NAIVE_BRIDGES];
static struct burst burst;
static struct forward fw = {.burst = &burst, .view = &view};
static struct naive naive;
static uint8_t store[BURST_MAX][FRAME_LEN];
static bool loops;

/* Delivered: it is what the naive switch has for this port next. */
static unsigned fake_tx(struct port *p, unsigned q, const struct frame *frames,
			const struct delivery *d, unsigned n, struct port_counters *c)
{
	struct fake *fp = (struct fake *)p;
	const struct naive_port *want = &naive.ports[p->id];

	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		uint8_t bytes[NAIVE_LEN + FRAME_HEAD];
		uint32_t len;

		if (d[i].as_is)
			memcpy(bytes, f->head, len = f->head_len);
		else
			len = delivery_head(f, &d[i], bytes);
		for (unsigned k = 0; k < f->n_segs; len += f->segs[k++].len)
			memcpy(bytes + len, f->segs[k].va, f->segs[k].len);
		FUZZ_CHECK(len == delivery_len(f, &d[i]), "%u bytes, not %u", len,
			   delivery_len(f, &d[i]));
		FUZZ_CHECK(fp->n_out < want->n_out, "port %u: a frame too many", p->id);
		FUZZ_CHECK(len == want->out[fp->n_out].len &&
				   !memcmp(bytes, want->out[fp->n_out].bytes, len),
			   "port %u: frame %u is another", p->id, fp->n_out);
		fp->n_out++;
		c->tx_bytes += len;
	}
	c->tx_frames += n;
	return n;
}

static const struct port_ops ops = {.tx_burst = fake_tx};

/* ---- the configuration ---- */

static struct vlan_policy policy(struct input *in)
{
	static const uint16_t vids[] = {1, 10, 20, 4094};
	uint8_t how = in_u8(in);
	uint16_t vid = vids[how >> 2 & 3];
	struct vlan_policy p = {.mode = VLAN_TRUNK};

	if (how >= 0xf0) {
		vlan_policy_default(&p);
	} else if (how % 4 == 0) {
		p = (struct vlan_policy){.mode = VLAN_ACCESS, .vid = vid};
	} else if (how % 4 == 1) {
		p = (struct vlan_policy){.mode = VLAN_TUNNEL, .vid = vid};
	} else {
		p.native = how % 4 == 2 ? vid : VLAN_NO_NATIVE;
		for (unsigned i = 0; i < 4; i++)
			if (how >> (4 + i) & 1)
				vlan_set_add(p.vids, vids[i]);
	}
	return p;
}

/* What the naive switch has, for workers. */
static void view_make(void)
{
	for (unsigned b = 0; b < NAIVE_BRIDGES; b++) {
		bridges[b].n_members = 0;
		bridges[b].members = members[b];
		bridges[b].forward_reserved = naive.forward_reserved[b];
	}
	memset(view.by_id, 0, naive.n_ports * sizeof(view.by_id[0]));
	for (unsigned i = 0; i < naive.n_ports; i++) {
		const struct naive_port *p = &naive.ports[i];
		struct view_bridge *br = &bridges[p->bridge];

		view_ports[i] = (struct view_port){
			.port = &fakes[i].port,
			.ops = &ops,
			.bridge = br,
			.peer = p->peer < 0 ? NULL : &view_ports[p->peer],
			.id = (uint16_t)i,
			.n_txq = p->up,
			.isolated = p->isolated,
			.len_max = (uint32_t)p->len_max,
			.vlan = p->vlan,
		};
		if (p->up)
			br->members[br->n_members++] = &view_ports[i];
		view.by_id[i] = &view_ports[i];
	}
	view.seq++;
}

static void port_add(unsigned bridge, struct vlan_policy vlan, int peer)
{
	unsigned i = naive.n_ports++;
	struct naive_port *p = &naive.ports[i];

	p->bridge = bridge;
	p->vlan = vlan;
	p->up = true;
	p->isolated = false;
	p->len_max = NAIVE_LEN;
	p->peer = peer;
	p->n_out = 0;
	memset(&fakes[i].counters, 0, sizeof(fakes[i].counters));
	fakes[i].n_forwarded = 0;
	fakes[i].port.id = (uint16_t)i;
	fakes[i].port.counters = &fakes[i].counters;
}

static void links_add(struct input *in, unsigned n_bridges)
{
	unsigned n = in_below(in, LINKS_MAX + 1), joined = 0;

	for (unsigned i = 0; i < n && n_bridges > 1; i++) {
		unsigned a = in_below(in, n_bridges),
			 b = (a + 1 + in_below(in, n_bridges - 1)) % n_bridges;
		struct vlan_policy vlan = policy(in);
		int first = (int)naive.n_ports;
		unsigned pair = 1u << a | 1u << b;

		/* A tree of three has two links between different pairs. */
		loops |= i >= n_bridges - 1 || pair == joined;
		joined = pair;
		port_add(a, vlan, first + 1);
		port_add(b, vlan, first);
	}
}

static void world_begin(struct input *in)
{
	unsigned n_bridges, n_ports;

	hot_isa_set(HOT_ISA_PORTABLE); /* the same edges on every machine */
	if (!fw.decided) {
		memcpy(fdb_secret, (uint64_t[]){0x1234567, 0x9abcdef1234567, 0x89},
		       sizeof(fdb_secret));
		fw.decided = pages_alloc(DECIDED_SETS * sizeof(*fw.decided), false);
		for (unsigned b = 0; b < NAIVE_BRIDGES; b++)
			FUZZ_CHECK(fdb_create(NAIVE_MACS, AGEING_S, &bridges[b].fdb) == 0,
				   "no table");
	}
	for (unsigned b = 0; b < NAIVE_BRIDGES; b++) {
		fdb_flush(bridges[b].fdb, FDB_NO_PORT, true);
		naive.forward_reserved[b] = 0;
	}
	naive.n_ports = naive.n_macs = 0;
	naive.ageing_s = AGEING_S;
	naive.now_s = fw.now_s;
	loops = false;
	n_bridges = 1 + in_below(in, NAIVE_BRIDGES);
	n_ports = 2 + in_below(in, PORTS_MAX - 1);
	links_add(in, n_bridges);
	for (unsigned i = 0; i < n_ports; i++)
		port_add(in_below(in, n_bridges), policy(in), -1);
	view_make();
}

static void mac_of(uint8_t how, uint8_t mac[6])
{
	static const uint8_t base[6] = {2, 0, 0, 0, 0, 0};

	memcpy(mac, base, 6);
	mac[5] = how % 8;
	if (how % 16 == 8)
		memset(mac, 0xff, 6);
	else if (how % 16 == 9)
		memcpy(mac, "\x01\x80\xc2\0\0", 5), mac[5] = how >> 4;
	else if (how % 16 == 10)
		memset(mac, 0, 6);
}

static void config_change(struct input *in)
{
	struct naive_port *p = &naive.ports[in_below(in, naive.n_ports)];
	unsigned i = (unsigned)(p - naive.ports);
	uint8_t what = in_u8(in), mac[6];

	switch (what % 8) {
	case 0:
		p->vlan = policy(in);
		if (p->peer >= 0)
			naive.ports[p->peer].vlan = p->vlan;
		break;
	case 1:
		p->up = !p->up;
		if (p->peer >= 0)
			naive.ports[p->peer].up = p->up;
		break;
	case 2:
		p->isolated = !p->isolated && p->peer < 0;
		break;
	case 3:
		p->len_max = 60 + what;
		break;
	case 4:
		naive.forward_reserved[p->bridge] = in_u16(in) & 0xfffd;
		break;
	case 5:
		fdb_flush(bridges[p->bridge].fdb, FDB_NO_PORT, false);
		naive_flush(&naive, p->bridge);
		return;
	case 6:
		mac_of(in_u8(in) % 8, mac);
		if (!mac[5])
			return;
		naive_static_add(&naive, i, 10, mac);
		FUZZ_CHECK(fdb_add(bridges[p->bridge].fdb,
				   fdb_key((uint8_t[8]){mac[0], mac[1], mac[2], mac[3], mac[4],
							mac[5]},
					   10),
				   (uint16_t)i, fw.now_s) == 0,
			   "no room");
		return;
	default:
		naive.now_s = fw.now_s += what >> 3;
		return;
	}
	view_make();
}

/* ---- frames ---- */

static size_t frame_bytes(struct input *in, uint8_t *out, unsigned number)
{
	static const uint8_t tags[8][4] = {
		{0x81, 0, 0x00, 0x0a}, {0x81, 0, 0x50, 0x14}, {0x81, 0, 0, 1},
		{0x81, 0, 0xe0, 0},    {0x88, 0xa8, 0, 0x0a}, {0x81, 0, 0x0f, 0xfe},
		{0x81, 0, 0x0f, 0xff}, {0x91, 0, 0, 1},
	};
	uint8_t how = in_u8(in), which = in_u8(in);
	size_t at = 12, len;

	memset(out, 0x55, FRAME_LEN);
	mac_of(in_u8(in), out);
	mac_of(in_u8(in), out + 6);
	for (unsigned i = 0; i < how % 4; i++, at += 4, which >>= 3)
		memcpy(out + at, tags[which % 8], 4);
	out[at++] = 0x88;
	out[at++] = 0xb5;
	out[at] = (uint8_t)number;
	len = how & 16 ? at + (how >> 5) * 20u : in_u8(in) % (how & 8 ? FRAME_LEN : 70);
	return len;
}

static void frame_make(struct input *in, unsigned i, bool like_last)
{
	struct frame *f = &burst.frames[i];
	uint32_t len;

	if (like_last && i) {
		memcpy(store[i], store[i - 1], FRAME_LEN);
		len = f[-1].len;
		if (len > 50)
			store[i][50] = (uint8_t)i;
	} else {
		len = (uint32_t)frame_bytes(in, store[i], i);
	}
	memset(f, 0, sizeof(*f));
	f->len = f->wire_len = len;
	f->drop = FRAME_NO_DROP;
	f->head_len = (uint8_t)(len < FRAME_HEAD ? len : FRAME_HEAD);
	/* Behind a short frame there are other bytes, as in a guest's memory. */
	memcpy(f->head, store[i], FRAME_HEAD);
	f->n_segs = len > FRAME_HEAD;
	f->one = (struct seg){store[i] + FRAME_HEAD, len - f->head_len};
	f->segs = &f->one;
}

static void counts_check(void)
{
	for (unsigned i = 0; i < naive.n_ports; i++) {
		const struct port_counters *c = &fakes[i].counters;
		uint64_t drops = 0;

		for (unsigned k = 0; k < N_RX_DROPS; k++)
			drops += c->rx_drops[k];
		FUZZ_CHECK(c->rx_frames == c->rx_forwarded + drops,
			   "port %u: %lu received, %lu + %lu", i, (unsigned long)c->rx_frames,
			   (unsigned long)c->rx_forwarded, (unsigned long)drops);
		if (naive.ports[i].peer < 0)
			FUZZ_CHECK(c->rx_forwarded == fakes[i].n_forwarded,
				   "port %u: %lu forwarded, not %lu", i,
				   (unsigned long)c->rx_forwarded,
				   (unsigned long)fakes[i].n_forwarded);
	}
}

static void burst_send(struct input *in)
{
	unsigned from = naive.n_ports - 1 - in_below(in, PORTS_MAX),
		 n = 1 + in_below(in, loops ? 1 : 12);
	uint8_t alike = in_u8(in);

	if (from >= naive.n_ports || naive.ports[from].peer >= 0 || !naive.ports[from].up)
		return;
	for (unsigned i = 0; i < naive.n_ports; i++)
		naive.ports[i].n_out = fakes[i].n_out = 0;
	burst.n = n;
	for (unsigned i = 0; i < n; i++) {
		frame_make(in, i, alike >> i % 8 & 1);
		fakes[from].n_forwarded +=
			naive_receive(&naive, from, store[i], burst.frames[i].len);
	}
	forward_burst(&fw, &view_ports[from], 0);
	for (unsigned i = 0; i < naive.n_ports; i++)
		FUZZ_CHECK(fakes[i].n_out == naive.ports[i].n_out,
			   "port %u was given %u frames, not %u", i, fakes[i].n_out,
			   naive.ports[i].n_out);
	counts_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	world_begin(&in);
	for (unsigned i = 0; i < 100 && in.left; i++) {
		if (in_u8(&in) % 4)
			burst_send(&in);
		else
			config_change(&in);
	}
	return 0;
}
