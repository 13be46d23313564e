/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/packet_oracle.h"

#include <string.h>

struct out {
	uint8_t *at;
};

static void u8(struct out *o, unsigned value)
{
	*o->at++ = (uint8_t)value;
}

static void u16(struct out *o, unsigned value)
{
	u8(o, value >> 8);
	u8(o, value & 255);
}

static void u32(struct out *o, uint32_t value)
{
	u16(o, value >> 16);
	u16(o, value & 65535);
}

static void bytes(struct out *o, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		u8(o, p[i]);
}

/* RFC 1071, before the complement. */
static unsigned add_up(const uint8_t *p, size_t n, unsigned sum)
{
	for (size_t i = 0; i < n; i += 2) {
		sum += p[i] * 256u + (i + 1 < n ? p[i + 1] : 0);
		sum = sum % 65536 + sum / 65536;
	}
	return sum;
}

unsigned oracle_checksum(const uint8_t *p, size_t n)
{
	return 65535 - add_up(p, n, 0);
}

static unsigned pseudo_sum(const struct fields *f, size_t l4_len)
{
	uint8_t pseudo[40];
	struct out o = {pseudo};

	if (f->v6) {
		bytes(&o, f->src, 16);
		bytes(&o, f->last_dst, 16);
		u32(&o, (uint32_t)l4_len);
		u32(&o, f->proto);
	} else {
		bytes(&o, f->src, 4);
		bytes(&o, f->dst, 4);
		u8(&o, 0);
		u8(&o, f->proto);
		u16(&o, (unsigned)l4_len);
	}
	return add_up(pseudo, (size_t)(o.at - pseudo), 0);
}

static void put_ipv4(struct out *o, const struct fields *f, size_t l4_len)
{
	uint8_t *ip = o->at;
	size_t n = 20 + f->n_between;
	unsigned check;

	u8(o, 0x40 + (unsigned)n / 4);
	u8(o, f->tos);
	u16(o, (unsigned)(n + l4_len));
	u16(o, f->id);
	u16(o, f->frag);
	u8(o, f->ttl);
	u8(o, f->proto);
	u16(o, 0);
	bytes(o, f->src, 4);
	bytes(o, f->dst, 4);
	bytes(o, f->between, f->n_between);
	check = 65535 - add_up(ip, n, 0);
	ip[10] = (uint8_t)(check / 256);
	ip[11] = (uint8_t)(check % 256);
}

static void put_ipv6(struct out *o, const struct fields *f, size_t l4_len)
{
	const uint8_t *from = f->between;

	u32(o, 6u << 28 | (uint32_t)f->tos << 20 | f->flow_label);
	u16(o, (unsigned)(f->n_between + l4_len));
	u8(o, f->n_extensions ? f->extensions[0] : f->proto);
	u8(o, f->ttl);
	bytes(o, f->src, 16);
	bytes(o, f->dst, 16);
	for (unsigned i = 0; i < f->n_extensions; i++) {
		unsigned n = f->extension_lens[i];

		u8(o, i + 1 < f->n_extensions ? f->extensions[i + 1] : f->proto);
		u8(o, n / 8 - 1);
		bytes(o, from + 2, n - 2);
		from += n;
	}
}

struct layout oracle_build(const struct fields *f, enum oracle_sum sum, uint8_t *out)
{
	size_t l4_len = (f->proto == ORACLE_TCP ? 20 + f->n_options : 8) + f->n_payload;
	struct layout at;
	struct out o = {out};
	uint8_t *check;
	unsigned value;

	bytes(&o, f->macs, 12);
	for (unsigned i = 0; i < f->n_tags; i++) {
		u16(&o, f->tags[i][0]);
		u16(&o, f->tags[i][1]);
	}
	u16(&o, f->v6 ? 0x86dd : 0x0800);
	at.l3 = (size_t)(o.at - out);
	if (f->v6)
		put_ipv6(&o, f, l4_len);
	else
		put_ipv4(&o, f, l4_len);
	at.l4 = (size_t)(o.at - out);
	u16(&o, f->sport);
	u16(&o, f->dport);
	if (f->proto == ORACLE_TCP) {
		u32(&o, f->seq);
		u32(&o, f->ack);
		u8(&o, (20 + f->n_options) / 4 * 16);
		u8(&o, f->flags);
		u16(&o, f->window);
		check = o.at;
		u16(&o, 0);
		u16(&o, f->urgent);
		bytes(&o, f->options, f->n_options);
	} else {
		u16(&o, (unsigned)l4_len);
		check = o.at;
		u16(&o, 0);
	}
	at.payload = (size_t)(o.at - out);
	bytes(&o, f->payload, f->n_payload);
	at.len = (size_t)(o.at - out);
	value = pseudo_sum(f, l4_len);
	if (sum == ORACLE_FULL) {
		value = 65535 - add_up(out + at.l4, l4_len, value);
		if (f->proto == ORACLE_UDP && value == 0)
			value = 65535;
	}
	check[0] = (uint8_t)(value / 256);
	check[1] = (uint8_t)(value % 256);
	return at;
}

unsigned oracle_segment(const struct fields *f, unsigned size, unsigned i, struct fields *out)
{
	unsigned n = 0;

	for (size_t done = 0; done < f->n_payload; done += size, n++) {
		if (n != i)
			continue;
		*out = *f;
		out->payload = f->payload + done;
		out->n_payload = f->n_payload - done > size ? size : f->n_payload - done;
		out->seq = f->seq + (uint32_t)done;
		out->id = (uint16_t)(f->id + i);
		if (i > 0)
			out->flags &= 255 - ORACLE_CWR;
		if (done + size < f->n_payload)
			out->flags &= 255 - ORACLE_FIN - ORACLE_PSH;
	}
	return n;
}
