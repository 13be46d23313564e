/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: frames cut into packets and checksums finished; see switch/packets.h.
 */
#include "switch/packets.h"

#include <assert.h>
#include <string.h>

#include "switch/frame.h"

#define IPV6	    40
#define IPV4_LENGTH 2
#define IPV4_ID	    4
#define IPV4_CHECK  10
#define IPV6_LENGTH 4
#define TCP_SEQ	    4
#define TCP_FLAGS   13
#define TCP_FIN	    0x01
#define TCP_PSH	    0x08
#define TCP_CWR	    0x80
#define UDP_CHECK   6 /* where UDP, and protocols like it, have their checksum */

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

static inline void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
	put_u16(at, value >> 16);
	put_u16(at + 2, value);
}

/* a + b as the checksum adds, both as they lie in memory. */
static inline uint16_t sum16(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum + (sum >> 16));
}

static inline uint16_t in_memory(uint32_t value)
{
	uint8_t bytes[2];
	uint16_t word;

	put_u16(bytes, value);
	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*
 * What the sender put into TCP's field is the pseudo header's sum with the length of the whole. The
 * length is taken out of it here, and that of each segment added later, as Linux does. The sum is
 * not computed anew from the addresses: behind an IPv6 routing header the last destination
 * counts, which the sender has put into its sum and which is not the one in the IPv6 header.
 */
static void cut_begin(struct packets *ps, const struct offload *o, uint32_t len)
{
	const uint8_t *tcp = ps->head + ps->l4;
	uint16_t field;

	memcpy(&field, ps->head + ps->field, sizeof(field));
	ps->partial = sum16(field, (uint16_t)~in_memory(len - ps->l4));
	ps->seq = get_u32(tcp + TCP_SEQ);
	ps->flags = tcp[TCP_FLAGS];
	ps->ipv4 = o->bits & OFFLOAD_TSO4;
	if (ps->ipv4)
		ps->id = get_u16(ps->head + ps->l3 + IPV4_ID);
	ps->step = o->gso_size;
	ps->n = (ps->payload + ps->step - 1) / ps->step;
}

void packets_begin(struct packets *ps, const struct offload *o, uint8_t *head, uint32_t head_len,
		   uint32_t len, int shift, uint32_t peer)
{
	const uint32_t missing = offload_missing(o, peer);
	const uint32_t l4 = (uint32_t)(o->csum_start + shift);

	*ps = (struct packets){.n = 1, .head = head, .head_len = head_len};
	ps->cut = missing & OFFLOAD_TSO;
	ps->sum = missing & OFFLOAD_CSUM;
	if (o->bits) {
		ps->l3 = (uint16_t)(o->l3_off + shift);
		ps->l4 = (uint16_t)l4;
		ps->field = (uint16_t)(l4 + o->csum_offset);
		assert(ps->field + 2u <= head_len && head_len <= len);
	}
	if (ps->cut) {
		ps->head_len = (uint32_t)(o->hdr_len + shift);
		assert(ps->head_len <= head_len);
	}
	ps->payload = len - ps->head_len;
	ps->step = ps->payload;
	if (!missing) {
		offload_header(o, shift, &ps->hdr);
	} else if (!ps->sum) {
		ps->hdr.flags = VNET_HDR_NEEDS_CSUM;
		ps->hdr.csum_start = ps->l4;
		ps->hdr.csum_offset = o->csum_offset;
	}
	if (ps->cut)
		cut_begin(ps, o, len);
}

static void ip_patch(const struct packets *ps, const struct packet *p)
{
	uint8_t *ip = ps->head + ps->l3;
	uint32_t len = p->head_len + p->payload_len - ps->l3;
	struct csum sum = {0};
	uint16_t check;

	if (!ps->ipv4) {
		put_u16(ip + IPV6_LENGTH, len - IPV6);
		return;
	}
	put_u16(ip + IPV4_LENGTH, len);
	put_u16(ip + IPV4_ID, ps->id + ps->at);
	put_u16(ip + IPV4_CHECK, 0);
	csum_add(&sum, ip, ps->l4 - ps->l3); /* no extensions between: it ends where TCP begins */
	check = (uint16_t)~csum_fold(&sum);
	memcpy(ip + IPV4_CHECK, &check, sizeof(check));
}

static void tcp_patch(const struct packets *ps, const struct packet *p)
{
	const uint32_t len = p->head_len + p->payload_len - ps->l4;
	const uint16_t field = sum16(ps->partial, in_memory(len));
	uint8_t *tcp = ps->head + ps->l4;
	uint8_t flags = ps->flags;

	if (ps->at)
		flags &= (uint8_t)~TCP_CWR;
	if (ps->at + 1 < ps->n)
		flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	tcp[TCP_FLAGS] = flags;
	put_u32(tcp + TCP_SEQ, ps->seq + p->payload_off);
	memcpy(ps->head + ps->field, &field, sizeof(field));
}

bool packets_next(struct packets *ps, struct packet *out)
{
	uint32_t off = ps->at * ps->step;

	if (ps->at == ps->n)
		return false;
	*out = (struct packet){
		.head = ps->head,
		.head_len = ps->head_len,
		.payload_off = off,
		.payload_len = ps->payload - off < ps->step ? ps->payload - off : ps->step,
		.hdr = ps->hdr,
		.sum = ps->sum,
		.udp = ps->field - ps->l4 == UDP_CHECK,
		.field = ps->field,
	};
	if (ps->cut) {
		ip_patch(ps, out);
		tcp_patch(ps, out);
	}
	if (ps->sum)
		csum_add(&out->head_sum, ps->head + ps->l4, ps->head_len - ps->l4);
	ps->at++;
	return true;
}

void packet_finish(struct packet *p, const struct csum *payload)
{
	uint16_t check;

	if (!p->sum)
		return;
	/* The field held the pseudo header's sum, which has so been summed with the headers. */
	csum_join(&p->head_sum, payload);
	check = (uint16_t)~csum_fold(&p->head_sum);
	if (p->udp && !check)
		check = 0xffff;
	memcpy(p->head + p->field, &check, sizeof(check));
}
