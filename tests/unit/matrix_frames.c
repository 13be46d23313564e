/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/matrix_frames.h"

#include <string.h>

#include "tests/unit/dice.h"

#define VXLAN	    8 /* bytes of its header */
#define VXLAN_PORT  4789
#define UDP_CHECK   6
#define TCP_CHECK   16
#define ETHERNET    14
#define PROTO_HOP   0
#define PROTO_ROUTE 43
#define PROTO_DEST  60

const char *const matrix_kind_names[MATRIX_N_KINDS] = {
#define X(e, name) [e] = name,
	MATRIX_KINDS(X)
#undef X
};

static bool is_tso(enum matrix_kind kind)
{
	return kind >= MATRIX_TSO4;
}

static bool is_v6(enum matrix_kind kind)
{
	switch (kind) {
	case MATRIX_TCP4:
	case MATRIX_UDP4:
	case MATRIX_TSO4:
	case MATRIX_ECN4:
	case MATRIX_INNER: /* a checksum of 0, which is none, is not allowed over IPv6 */
		return false;
	case MATRIX_TCP6:
	case MATRIX_UDP6:
	case MATRIX_TSO6:
	case MATRIX_ECN6:
		return true;
	default:
		return dice_once_in(2);
	}
}

static bool is_udp(enum matrix_kind kind)
{
	return kind == MATRIX_UDP4 || kind == MATRIX_UDP6 || kind == MATRIX_INNER ||
	       (kind == MATRIX_PLAIN && dice_once_in(2));
}

/* Extension headers of IPv6, up to 64 bytes, or none. */
static void extensions(struct fields *f, bool tame)
{
	static const uint8_t protos[] = {PROTO_HOP, PROTO_ROUTE, PROTO_DEST};
	uint8_t *at = f->between;

	f->n_extensions = dice_once_in(2) ? 0 : dice_in(1, 2);
	for (unsigned i = 0; i < f->n_extensions; i++) {
		unsigned n = 8 * dice_in(1, 4);

		f->extensions[i] = tame ? PROTO_DEST : protos[dice_in(0, 2)];
		f->extension_lens[i] = n;
		f->n_between += n;
		if (f->extensions[i] == PROTO_ROUTE)
			dice_fill(f->last_dst, sizeof(f->last_dst));
		if (tame) {
			memset(at, 0, n);
			at[2] = 1; /* PadN */
			at[3] = (uint8_t)(n - 4);
		}
		at += n;
	}
}

static void headers(struct fields *f, bool v6, uint8_t proto, bool tame)
{
	dice_fill(f->src, sizeof(f->src));
	dice_fill(f->dst, sizeof(f->dst));
	memcpy(f->last_dst, f->dst, sizeof(f->dst));
	/* 1 is "no operation", for IPv4 as for TCP. */
	memset(f->between, 1, sizeof(f->between));
	memset(f->options, 1, sizeof(f->options));
	if (!tame) {
		dice_fill(f->between, sizeof(f->between));
		dice_fill(f->options, sizeof(f->options));
	}
	f->v6 = v6;
	if (v6)
		extensions(f, tame);
	else
		f->n_between = dice_once_in(2) ? 0 : 4 * dice_in(1, 10);
	f->tos = (uint8_t)dice();
	f->ttl = (uint8_t)dice_in(1, 255);
	f->flow_label = dice_in(0, 0xfffff);
	f->id = (uint16_t)dice();
	f->frag = dice_once_in(2) ? 0x4000 : 0;
	f->proto = proto;
	f->sport = (uint16_t)dice_in(20000, 30000);
	f->dport = (uint16_t)dice_in(30001, 40000);
	f->seq = dice_once_in(2) ? (uint32_t)dice() : 0xffffffff - dice_in(0, 5000);
	f->ack = (uint32_t)dice();
	f->flags = (uint8_t)dice();
	f->window = (uint16_t)dice();
	f->urgent = (uint16_t)dice();
	f->n_options = proto == ORACLE_TCP ? 4 * dice_in(0, 10) : 0;
}

/* n bytes, of which the last are of every length mod 4 as n is; now and then all alike. */
static void payload(struct matrix_frame *m, uint32_t n)
{
	static uint8_t noise[2 * MATRIX_PAYLOAD];

	if (!noise[0] && !noise[1])
		dice_fill(noise, sizeof(noise));
	if (dice_once_in(16))
		memset(m->payload, dice_once_in(2) ? 0xff : 0, n);
	else
		memcpy(m->payload, noise + dice_in(0, MATRIX_PAYLOAD), n);
	m->f.payload = m->payload;
	m->f.n_payload = n;
}

static uint32_t some_length(void)
{
	if (dice_once_in(4))
		return dice_in(0, 9);
	return dice_once_in(8) ? dice_in(0, 9000) : dice_in(0, 1400);
}

/* A whole frame with its checksum left to do, inside VXLAN with no checksum. */
static void make_inner(struct matrix_frame *m, bool tame)
{
	struct fields *in = &m->inner;

	headers(in, dice_once_in(2), dice_once_in(2) ? ORACLE_TCP : ORACLE_UDP, tame);
	in->n_extensions = in->n_between = 0;
	memcpy(in->last_dst, in->dst, sizeof(in->dst));
	dice_fill(in->macs, sizeof(in->macs));
	payload(m, some_length());
	in->payload = m->payload;
	in->n_payload = m->f.n_payload;
	m->f.dport = VXLAN_PORT;
}

/* Writes m with its outer fields f to out, the checksum that is asked for done or not. */
static struct layout build(const struct matrix_frame *m, const struct fields *f, enum oracle_sum sum,
			   uint8_t *out)
{
	static uint8_t tunnelled[MATRIX_ROOM];
	struct fields outer = *f;
	struct layout at, in;

	if (m->kind != MATRIX_INNER)
		return oracle_build(f, sum, out);
	memset(tunnelled, 0, VXLAN);
	tunnelled[0] = 0x08;
	in = oracle_build(&m->inner, sum, tunnelled + VXLAN);
	outer.payload = tunnelled;
	outer.n_payload = VXLAN + in.len;
	at = oracle_build(&outer, ORACLE_FULL, out);
	memset(out + at.l4 + UDP_CHECK, 0, 2);
	/* What is asked for is inside. */
	at.l4 = at.payload + VXLAN + in.l4;
	return at;
}

static void ask(struct matrix_frame *m, const struct layout *at)
{
	const struct fields *f = m->kind == MATRIX_INNER ? &m->inner : &m->f;

	if (m->kind == MATRIX_PLAIN) {
		m->hdr.flags = dice_once_in(2) ? VNET_HDR_DATA_VALID : 0;
		return;
	}
	m->needs = MATRIX_CAN_CSUM;
	m->hdr.flags = VNET_HDR_NEEDS_CSUM;
	m->hdr.csum_start = (uint16_t)at->l4;
	m->hdr.csum_offset = f->proto == ORACLE_TCP ? TCP_CHECK : UDP_CHECK;
	m->hdr.hdr_len = (uint16_t)dice(); /* a lie does no harm */
	if (!is_tso(m->kind))
		return;
	m->needs |= f->v6 ? MATRIX_CAN_TSO6 : MATRIX_CAN_TSO4;
	m->hdr.gso_type = f->v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;
	if (m->kind == MATRIX_ECN4 || m->kind == MATRIX_ECN6) {
		m->needs |= MATRIX_CAN_ECN;
		m->hdr.gso_type |= VNET_HDR_GSO_ECN;
	}
}

/* Payload and size of segments of a frame that asks for TSO. */
static void segments(struct matrix_frame *m)
{
	uint32_t n = dice_once_in(16) ? dice_in(30000, MATRIX_PAYLOAD) : dice_in(100, 8000);
	uint32_t least = n / MATRIX_SEGMENTS + 1;

	if (least < 48)
		least = 48;
	m->hdr.gso_size = (uint16_t)(dice_once_in(2) && least < 1448 ? dice_in(least, 1448) :
				     least > 1448 ? least : 1448);
	if (m->kind == MATRIX_ONE)
		n = dice_in(1, m->hdr.gso_size);
	else if (n <= m->hdr.gso_size)
		n = m->hdr.gso_size + dice_in(1, 9u);
	payload(m, n);
}

void matrix_make(struct matrix_frame *m, enum matrix_kind kind, const uint8_t macs[12],
		 const struct matrix_tags *tags, bool tame)
{
	struct layout at;

	m->kind = kind;
	m->f = m->inner = (struct fields){0};
	m->hdr = (struct vnet_hdr){0};
	m->needs = 0;
	headers(&m->f, is_v6(kind), is_udp(kind) ? ORACLE_UDP : ORACLE_TCP, tame);
	memcpy(m->f.macs, macs, sizeof(m->f.macs));
	m->f.n_tags = tags->n;
	memcpy(m->f.tags, tags->tags, sizeof(m->f.tags));
	if (kind == MATRIX_INNER)
		make_inner(m, tame);
	else if (is_tso(kind))
		segments(m);
	else
		payload(m, some_length());
	at = build(m, &m->f, kind == MATRIX_PLAIN ? ORACLE_FULL : ORACLE_PARTIAL, m->bytes);
	m->len = (uint32_t)at.len;
	ask(m, &at);
}

unsigned matrix_packet(const struct matrix_frame *m, const struct matrix_tags *left, unsigned takes,
		       unsigned i, struct matrix_packet *out)
{
	const bool sum_left = m->kind != MATRIX_PLAIN && takes & MATRIX_CAN_CSUM;
	const bool several = is_tso(m->kind) && m->kind != MATRIX_ONE;
	/* Without checksums a receiver takes nothing; without ECN no TSO frame that has it. */
	const bool cut = several && (!sum_left || m->needs & ~takes);
	struct fields f = m->f, segment;
	struct layout at;
	unsigned n = 1;

	f.n_tags = left->n;
	memcpy(f.tags, left->tags, sizeof(f.tags));
	if (cut) {
		n = oracle_segment(&f, m->hdr.gso_size, i, &segment);
		f = segment;
	}
	at = build(m, &f, sum_left ? ORACLE_PARTIAL : ORACLE_FULL, out->bytes);
	out->len = (uint32_t)at.len;
	out->hdr = (struct vnet_hdr){0};
	if (sum_left) {
		out->hdr.flags = VNET_HDR_NEEDS_CSUM;
		out->hdr.csum_start = (uint16_t)at.l4;
		out->hdr.csum_offset = m->hdr.csum_offset;
	}
	if (several && !cut) {
		out->hdr.gso_type = m->hdr.gso_type;
		out->hdr.gso_size = m->hdr.gso_size;
		out->hdr.hdr_len = (uint16_t)at.payload;
	}
	return n;
}
