/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables of addresses for tests of the forwarding database.
 */
#ifndef TESTS_UNIT_FDB_TABLES_H
#define TESTS_UNIT_FDB_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/fdb_hot.h"

#define AGEING_S 300

/* Keys as they come from frames: address i of VLAN vid. */
static inline uint64_t key_of(uint64_t i, uint16_t vid)
{
	uint64_t padded = i << 8 | 2;

	return fdb_key((const uint8_t *)&padded, vid);
}

static inline uint16_t lookup(const struct fdb *t, uint64_t key, uint32_t now_s)
{
	return fdb_lookup(t, key, fdb_hash(key), now_s);
}

static inline void learn(struct fdb *t, uint64_t key, uint16_t port, uint32_t now_s)
{
	fdb_learn(t, key, fdb_hash(key), port, now_s);
}

static inline struct fdb *table(uint32_t max_macs)
{
	struct fdb *t;

	assert_int_equal(fdb_create(max_macs, AGEING_S, &t), 0);
	return t;
}

#endif
