/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/guard_frame.h"

#include <string.h>

void bytes_add(struct bytes *p, const uint8_t *bytes, size_t n)
{
	assert_true(p->n + n <= sizeof(p->b));
	memcpy(p->b + p->n, bytes, n);
	p->n += (unsigned)n;
}

void bytes_zeros(struct bytes *p, unsigned n)
{
	p->n += n;
}

void bytes_ipv4(struct bytes *p, uint8_t protocol, unsigned fragment, const uint8_t source[4],
		unsigned n_options)
{
	ADD(p, (uint8_t)(0x45 + n_options), 0, 0, 100, 0, 0, (uint8_t)(fragment >> 8),
	    (uint8_t)fragment, 64, protocol, 0, 0);
	bytes_add(p, source, 4);
	ADD(p, 255, 255, 255, 255);
	bytes_zeros(p, 4 * n_options);
}

void bytes_ipv6(struct bytes *p, uint8_t next, const uint8_t source[16])
{
	ADD(p, 0x60, 0, 0, 0, 2, 88, next, 255);
	bytes_add(p, source, 16);
	ADD(p, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
}

struct guard guard_of(uint8_t checks)
{
	struct guard g = {.checks = checks, .mac = {MAC}, .n_addresses = 2};

	memcpy(g.addresses[0], (const uint8_t[]){ZERO4, ZERO4, 0, 0, 0xff, 0xff, V4}, 16);
	memcpy(g.addresses[1], (const uint8_t[]){V6}, 16);
	return g;
}

struct burst frame_burst;
uint8_t frame_memory[2][1000];

void frame_put(unsigned i, const struct bytes *p)
{
	struct frame *f = &frame_burst.frames[i];
	unsigned rest = p->n > FRAME_HEAD ? p->n - FRAME_HEAD : 0, first = rest > 10 ? 10 : rest;

	memset(f->head, 0xee, FRAME_HEAD);
	f->len = f->wire_len = p->n;
	f->head_len = (uint8_t)(p->n - rest);
	memcpy(f->head, p->b, f->head_len);
	f->drop = FRAME_NO_DROP;
	f->offload = (struct offload){0};
	f->segs = &frame_burst.segs[frame_burst.n_segs];
	f->n_segs = (uint16_t)((first > 0) + (rest > first));
	memcpy(frame_memory[0], p->b + f->head_len, first);
	memcpy(frame_memory[1], p->b + f->head_len + first, rest - first);
	frame_burst.segs[frame_burst.n_segs++] = (struct seg){frame_memory[0], first};
	frame_burst.segs[frame_burst.n_segs++] = (struct seg){frame_memory[1], rest - first};
}

static void assert_whole(const struct frame *f, const struct bytes *p)
{
	uint8_t got[sizeof(p->b)];
	unsigned at = f->head_len;

	memcpy(got, f->head, at);
	for (unsigned k = 0; k < f->n_segs; at += f->segs[k++].len)
		memcpy(got + at, f->segs[k].va, f->segs[k].len);
	assert_int_equal(at, p->n);
	assert_memory_equal(got, p->b, at);
}

uint8_t frame_verdict(uint8_t checks, const struct bytes *p)
{
	const struct guard g = guard_of(checks);

	frame_burst.n_segs = 0;
	frame_burst.n = 1;
	frame_put(0, p);
	guard_burst(&g, &frame_burst);
	assert_whole(&frame_burst.frames[0], p);
	return frame_burst.frames[0].drop;
}
