/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and segmentation that a sender leaves to others: what is accepted, and the packets that come
 * of it.
 *
 * Input    An even first byte: what a sane sender may ask for, written from fields and compared
 *          byte for byte with what tests/unit/packet_oracle.h writes. An odd one: any header before any
 *          bytes; what is accepted then must be within the frame, and its packets must be the frame's
 *          bytes with the lengths, numbers and sums that RFC 1071 and 793 want.
 */
#include <assert.h>

#include "switch/frame.h"
#include "switch/packets.h"
#include "tests/fuzz/dice_input.h"
#include "tests/unit/matrix_frames.h"

#define ROOM (FRAME_MAX + VLAN_TAG)

/* A frame as it is delivered: with a tag more, or one less. */
struct left {
	uint8_t bytes[ROOM], head[OFFLOAD_HEAD_MAX + VLAN_TAG];
	uint32_t len, head_len;
	int shift;
	struct matrix_tags tags;
};

static struct left left;
static uint8_t packet[ROOM];

/* how % 4: 1 pushes a tag, 2 pops the outermost where there is one. */
static void frame_leave(const uint8_t *frame, uint32_t len, unsigned how)
{
	uint32_t off = 12;

	memcpy(left.bytes, frame, 12);
	left.len = 12;
	if (how % 4 == 1 && len < ROOM - VLAN_TAG) {
		memcpy(left.bytes + 12, "\x81\x00\x00\x0a", 4);
		left.len += VLAN_TAG;
	} else if (how % 4 == 2 && len >= 18 && frame[12] == 0x81 && !frame[13]) {
		off += VLAN_TAG;
	}
	memcpy(left.bytes + left.len, frame + off, len - off);
	left.len += len - off;
	left.shift = (int)left.len - (int)len;
	left.head_len = (len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX) + (uint32_t)left.shift;
	memcpy(left.head, left.bytes, left.head_len);
}

static void tags_leave(const struct matrix_tags *sent)
{
	unsigned skip = left.shift<0, push = left.shift> 0;

	left.tags = (struct matrix_tags){.n = sent->n + push - skip};
	if (push)
		left.tags.tags[0][0] = 0x8100, left.tags.tags[0][1] = 10;
	for (unsigned i = skip; i < sent->n; i++)
		memcpy(left.tags.tags[i - skip + push], sent->tags[i], 4);
}

/* The next packet into packet[]; its length, or 0 after the last. */
static uint32_t packet_next(struct packets *ps, struct packet *p)
{
	const uint8_t *payload;
	struct csum sum = {0};

	if (!packets_next(ps, p))
		return 0;
	payload = left.bytes + ps->head_len + p->payload_off;
	FUZZ_CHECK(ps->head_len + p->payload_off + p->payload_len <= left.len, "%u of %u",
		   p->payload_off, left.len);
	if (p->sum)
		csum_copy(&sum, packet + p->head_len, payload, p->payload_len);
	else
		memcpy(packet + p->head_len, payload, p->payload_len);
	packet_finish(p, &sum);
	memcpy(packet, p->head, p->head_len);
	return p->head_len + p->payload_len;
}

/* ---- against the oracle ---- */

static void oracle_compare(const struct matrix_frame *m, const struct offload *o, unsigned peer)
{
	static struct matrix_packet want;
	struct packets ps;
	struct packet p;
	uint32_t len, n, i;

	packets_begin(&ps, o, left.head, left.head_len, left.len, left.shift, peer);
	for (i = 0; (len = packet_next(&ps, &p)); i++) {
		n = matrix_packet(m, &left.tags, peer, i, &want);
		FUZZ_CHECK(ps.n == n, "%u packets, not %u", ps.n, n);
		FUZZ_CHECK(len == want.len, "packet %u: %u bytes, not %u", i, len, want.len);
		for (uint32_t k = 0; k < len; k++)
			FUZZ_CHECK(packet[k] == want.bytes[k],
				   "%s, packet %u, byte %u: 0x%02x, not 0x%02x",
				   matrix_kind_names[m->kind], i, k, packet[k], want.bytes[k]);
		FUZZ_CHECK(!memcmp(&p.hdr, &want.hdr, VNET_HDR_LEGACY), "packet %u: another header",
			   i);
	}
	FUZZ_CHECK(i == ps.n, "%u of %u packets", i, ps.n);
}

static void sane_try(struct input *in)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	static struct matrix_frame m;
	uint8_t kind = in_u8(in) % MATRIX_N_KINDS, allowed = in_u8(in) % 16, peer = in_u8(in) % 16;
	uint8_t how = in_u8(in), drop;
	struct matrix_tags tags = {.n = in_u8(in) % 3};
	struct offload o;

	for (unsigned i = 0; i < tags.n; i++) {
		tags.tags[i][0] = how >> (4 + i) & 1 ? 0x88a8 : 0x8100;
		tags.tags[i][1] = in_u16(in);
	}
	dice_from(in);
	matrix_make(&m, kind, macs, &tags, false);
	drop = offload_accept(&m.hdr, m.bytes, m.len < OFFLOAD_HEAD_MAX ? m.len : OFFLOAD_HEAD_MAX,
			      m.len, allowed, &o);
	FUZZ_CHECK((drop == FRAME_NO_DROP) == !(m.needs & ~allowed), "%s, needs 0x%x of 0x%x: %u",
		   matrix_kind_names[kind], m.needs, allowed, drop);
	if (drop != FRAME_NO_DROP)
		return;
	frame_leave(m.bytes, m.len, how);
	tags_leave(&tags);
	oracle_compare(&m, &o, peer);
}

/* ---- any bytes ---- */

/* Sums of 16-bit words modulo 65535, the plainest way. */
static unsigned ones(const uint8_t *p, size_t n)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : p[i] * 256u;
	return (unsigned)(sum % 65535);
}

static unsigned u16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

static unsigned long u32(const uint8_t *p)
{
	return u16(p) * 65536ul + u16(p + 2);
}

static void accepted_check(const struct vnet_hdr *h, const uint8_t *frame, uint32_t head_len,
			   uint32_t len, unsigned allowed, const struct offload *o)
{
	unsigned tso = o->bits & OFFLOAD_TSO;

	FUZZ_CHECK(!(o->bits & ~allowed), "0x%x of 0x%x", o->bits, allowed);
	FUZZ_CHECK(vnet_hdr_asks(h) == !!o->bits, "0x%x", o->bits);
	if (!o->bits)
		return;
	FUZZ_CHECK(o->bits & OFFLOAD_CSUM, "0x%x", o->bits);
	FUZZ_CHECK(o->l3_off >= 14 && o->csum_start >= o->l3_off, "%u, %u", o->l3_off,
		   o->csum_start);
	FUZZ_CHECK(o->csum_start + o->csum_offset + 2u <= head_len, "%u + %u", o->csum_start,
		   o->csum_offset);
	if (!tso)
		return;
	FUZZ_CHECK(tso != OFFLOAD_TSO && o->gso_size >= OFFLOAD_GSO_MIN, "%u", o->gso_size);
	FUZZ_CHECK(o->hdr_len >= o->csum_start + 20 && o->hdr_len <= head_len && o->hdr_len < len,
		   "%u", o->hdr_len);
	FUZZ_CHECK(u16(frame + o->l3_off - 2) == (tso == OFFLOAD_TSO4 ? 0x0800 : 0x86dd),
		   "TSO of another type");
	FUZZ_CHECK(offload_wire_len(o, len) < len, "%u", len);
}

/* What is left of a frame that is cut: lengths, numbers, flags, and the sum of its IPv4 header. */
static void segment_check(const struct offload *o, unsigned i, unsigned n, uint32_t len)
{
	const uint8_t *ip = packet + o->l3_off + left.shift,
		      *was_ip = left.bytes + o->l3_off + left.shift;
	const uint8_t *tcp = packet + o->csum_start + left.shift;
	const uint8_t *was_tcp = left.bytes + o->csum_start + left.shift;
	uint32_t ip_len = len - (uint32_t)(ip - packet);
	uint8_t flags = was_tcp[13];

	if (o->bits & OFFLOAD_TSO4) {
		FUZZ_CHECK(u16(ip + 2) == ip_len, "IPv4 length %u of %u", u16(ip + 2), ip_len);
		FUZZ_CHECK(u16(ip + 4) == (u16(was_ip + 4) + i) % 65536, "identification");
		FUZZ_CHECK(ones(ip, (ip[0] & 15) * 4u) == 0, "the sum of an IPv4 header");
	} else {
		FUZZ_CHECK(u16(ip + 4) == ip_len - 40, "IPv6 length %u of %u", u16(ip + 4), ip_len);
	}
	FUZZ_CHECK(u32(tcp + 4) ==
			   (u32(was_tcp + 4) + (unsigned long)i * o->gso_size) % (1ul << 32),
		   "sequence");
	flags &= i ? 0x7f : 0xff;
	flags &= i + 1 < n ? 0xf6 : 0xff;
	FUZZ_CHECK(tcp[13] == flags, "flags 0x%02x, not 0x%02x", tcp[13], flags);
}

/* The field is what makes the sum right; before it held the pseudo header's, of the whole. */
static void sum_check(const struct offload *o, const struct packet *p, uint32_t len, bool cut)
{
	uint32_t start = (uint32_t)(o->csum_start + left.shift), at = start + o->csum_offset;
	unsigned was = u16(left.bytes + at), want = was, is = u16(packet + at);

	if (cut)
		want = (was + 65535u * 2 - (left.len - start) % 65535 + (len - start)) % 65535;
	if (!p->sum) {
		FUZZ_CHECK(is % 65535 == want % 65535, "0x%04x, not 0x%04x", is, want);
		return;
	}
	/* All words with the field as it was, then its complement. */
	packet[at] = (uint8_t)(want >> 8);
	packet[at + 1] = (uint8_t)want;
	want = 65535 - ones(packet + start, len - start);
	packet[at] = (uint8_t)(is >> 8);
	packet[at + 1] = (uint8_t)is;
	FUZZ_CHECK(is % 65535 == want % 65535, "checksum 0x%04x, not 0x%04x", is, want);
}

static void packets_check(const struct offload *o, unsigned peer)
{
	const uint32_t missing = offload_missing(o, peer);
	const bool cut = missing & OFFLOAD_TSO;
	uint32_t len, i, at;
	struct packets ps;
	struct packet p;

	packets_begin(&ps, o, left.head, left.head_len, left.len, left.shift, peer);
	at = ps.head_len;
	for (i = 0; (len = packet_next(&ps, &p)); i++) {
		FUZZ_CHECK(p.payload_off == at - ps.head_len, "packet %u begins at %u", i,
			   p.payload_off);
		FUZZ_CHECK(cut || !i, "%u packets of a frame that is not cut", i);
		FUZZ_CHECK(!cut || p.payload_len <= o->gso_size, "%u bytes", p.payload_len);
		at += p.payload_len;
		if (o->bits)
			sum_check(o, &p, len, cut);
		if (cut)
			segment_check(o, i, ps.n, len);
		else if (!p.sum)
			FUZZ_CHECK(!memcmp(packet, left.bytes, len), "bytes that were to stay");
	}
	FUZZ_CHECK(i == ps.n && at == left.len, "%u packets, %u of %u bytes", i, at, left.len);
}

/* Headers so that some of it is accepted: the bytes say which. */
static void frame_start(struct input *in, uint8_t *frame)
{
	uint8_t how = in_u8(in);
	unsigned at = 12;

	memset(frame, 2, 12);
	for (unsigned i = 0; i < how % 4; i++, at += 4)
		memcpy(frame + at, how & 16 ? "\x88\xa8\x00\x01" : "\x81\x00\x00\x01", 4);
	if (how & 4) {
		memcpy(frame + at, "\x86\xdd\x60\0\0\0\0\0\x06", 9);
	} else {
		memcpy(frame + at, "\x08\x00\x45\0\0\0\0\0\0\0\x40\x06", 12);
	}
	if (how & 64)
		frame[at + 2] = in_u8(in);
	if (how & 128)
		frame[at + (how & 4 ? 8 : 11)] = in_u8(in);
}

static void any_try(struct input *in)
{
	static uint8_t frame[FRAME_MAX];
	uint8_t allowed = in_u8(in) % 16, peer = in_u8(in) % 16, how = in_u8(in);
	uint32_t len = 14 + in_u16(in) % (how & 8 ? FRAME_MAX - 13 : 600), head_len, n;
	struct vnet_hdr h = {0};
	struct offload o;
	uint8_t drop;

	h.flags = in_u8(in);
	h.gso_type = in_u8(in);
	h.hdr_len = in_u16(in);
	h.gso_size = in_u16(in);
	h.csum_start = in_u8(in);
	h.csum_offset = how & 16 ? in_u16(in) : in_u8(in);
	memset(frame, how, len);
	n = len < 300 ? len : 300;
	if (how & 32) {
		in_bytes(in, frame, n < in->left ? n : in->left);
	} else if (len >= 80) {
		frame_start(in, frame);
		in_bytes(in, frame + 40, n - 40 < in->left ? n - 40 : in->left);
	}
	head_len = len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX;
	drop = offload_accept(&h, frame, head_len, len, allowed, &o);
	if (drop != FRAME_NO_DROP) {
		FUZZ_CHECK(drop == RX_BAD_OFFLOAD && !o.bits, "%u", drop);
		return;
	}
	accepted_check(&h, frame, head_len, len, allowed, &o);
	frame_leave(frame, len, how);
	packets_check(&o, peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	hot_isa_set(HOT_ISA_PORTABLE); /* the same edges on every machine */
	if (in_u8(&in) & 1)
		any_try(&in);
	else
		sane_try(&in);
	return 0;
}
