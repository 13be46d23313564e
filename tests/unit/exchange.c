/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/exchange.h"

#include <string.h>

#include "tests/unit/rig.h"

void frame_fill(uint8_t *f, uint8_t dst, uint8_t src, uint32_t len, unsigned seed)
{
	memset(f, 0, 12);
	f[0] = 2;
	f[5] = dst;
	f[6] = 2;
	f[11] = src;
	f[12] = 0x88;
	f[13] = 0xb5;
	for (uint32_t i = 14; i < len; i++)
		f[i] = (uint8_t)(i * 31 + seed);
}

void exchange(struct fe *a, struct fe *b, uint32_t len_max)
{
	static uint8_t f[65536], got[65536];

	for (uint32_t len = 14; len <= len_max; len += len < 140 ? 1 : 211) {
		int n;

		frame_fill(f, 2, 1, len, len);
		assert_true(fe_send(a, 0, f, len));
		n = fe_recv_wait(b, 0, got, sizeof(got));
		assert_int_equal(n, len);
		assert_memory_equal(got, f, len);
	}
}
