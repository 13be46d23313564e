/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/offload_ask.h"

#include <stdlib.h>
#include <string.h>

const uint8_t ask_payload[ASK_N_PAYLOAD];

void ask_build(struct ask *a)
{
	a->at = oracle_build(&a->f, ORACLE_PARTIAL, a->frame);
	if (a->hdr.flags & VNET_HDR_NEEDS_CSUM && !a->hdr.csum_start)
		a->hdr.csum_start = (uint16_t)a->at.l4;
}

struct ask *ask_csum(uint8_t proto)
{
	static struct ask a;

	a = (struct ask){
		.f = {.ttl = 64,
		      .proto = proto,
		      .payload = ask_payload,
		      .n_payload = ASK_N_PAYLOAD,
		      .sport = 1,
		      .dport = 2,
		      .frag = 0x4000},
		.hdr = {.flags = VNET_HDR_NEEDS_CSUM, .csum_offset = proto == ORACLE_TCP ? 16 : 6},
		.allowed = ASK_ALL,
	};
	ask_build(&a);
	return &a;
}

struct ask *ask_tso(bool v6, unsigned n_tags)
{
	struct ask *a = ask_csum(ORACLE_TCP);

	a->f.v6 = v6;
	a->f.n_tags = n_tags;
	for (unsigned i = 0; i < n_tags; i++)
		a->f.tags[i][0] = i ? 0x8100 : 0x88a8;
	a->hdr.gso_type = v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;
	a->hdr.gso_size = ASK_GSO_SIZE;
	a->hdr.csum_start = 0;
	ask_build(a);
	return a;
}

uint8_t ask_verdict(struct ask *a)
{
	uint32_t len = a->len ? a->len : (uint32_t)a->at.len;

	memset(&a->o, 0xa5, sizeof(a->o));
	return offload_accept(&a->hdr, a->frame, len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX,
			      len, a->allowed, &a->o);
}

void ask_assert_good(struct ask *a, uint32_t bits)
{
	assert_int_equal(ask_verdict(a), FRAME_NO_DROP);
	assert_int_equal(a->o.bits, bits);
}

void ask_assert_bad(struct ask *a)
{
	const struct offload none = {0};

	assert_int_equal(ask_verdict(a), RX_BAD_OFFLOAD);
	assert_memory_equal(&a->o, &none, sizeof(none));
}
