/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: what a worker has decided for pairs of addresses, kept for the rest of a second.
 *
 * What     From the bits of a frame that a decision looks at, and the port it came from, to the one
 *          known port that it goes to and the shape in which it leaves. Nothing else is kept:
 *          floods, drops and links are decided anew.
 * How      Sets of two entries in a cache line, the newer one first. An entry counts while the epoch
 *          is the one in which it was made: it ends with the second, so that addresses are
 *          refreshed and age, with the view (ports, VLANs, bridges), and when any address of the
 *          bridge's table moves or goes. A guest can send frames that displace each other from a set,
 *          or move addresses all the time: frames of its bridge then cost as much as if nothing were
 *          kept, and no more.
 * Threads  a worker's own.
 */
#ifndef SWITCH_DECIDED_H
#define SWITCH_DECIDED_H

#include "switch/fdb_hot.h"
#include "switch/frame.h"

#define DECIDED_SETS (1u << 15) /* 2 MiB, of which pages count once they are used */

struct decided {
	uint64_t a, b;	/* bytes 0 to 15, less what no decision looks at */
	uint64_t epoch; /* 0: none */
	uint32_t from;	/* the port, and the type behind a tag */
	uint16_t port;	/* the way out, with DECIDED_* */
	uint16_t tci;
};

struct decided_set {
	struct decided e[2];
} __attribute__((aligned(64)));

#define DECIDED_TAGGED 0x8000u
#define DECIDED_AS_IS  0x4000u
#define DECIDED_BEHIND 0x2000u /* the payload's type is at byte 16, not 12 */
#define DECIDED_PORT   0x1fffu

_Static_assert(SWITCH_PORTS_MAX <= DECIDED_PORT, "flags are in the same word");
_Static_assert(sizeof(struct decided_set) == 64, "one cache line");

/* Advances with the second and the view; adding the moves of a table can never reach the next one. */
#define DECIDED_EPOCH (1ull << 32)

static inline struct decided_set *decided_set(struct decided_set *sets, uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ fdb_secret[2]) * fdb_secret[1] ^ b * 0x9e3779b97f4a7c15ull;

	return &sets[(h ^ h >> 29) >> 20 & (DECIDED_SETS - 1)];
}

static inline const struct decided *decided_find(const struct decided_set *s, uint64_t a, uint64_t b,
						 uint32_t from, uint64_t epoch)
{
	for (unsigned k = 0; k < 2; k++) {
		const struct decided *e = &s->e[k];

		if (!((e->a ^ a) | (e->b ^ b) | (e->epoch ^ epoch) | (e->from ^ from)))
			return e;
	}
	return NULL;
}

static inline struct delivery decided_delivery(const struct decided *e)
{
	return (struct delivery){
		.off = e->port & DECIDED_BEHIND ? 16 : 12,
		.tagged = e->port & DECIDED_TAGGED,
		.as_is = e->port & DECIDED_AS_IS,
		.tci = e->tci,
	};
}

static inline void decided_put(struct decided_set *s, uint64_t a, uint64_t b, uint32_t from,
			       uint64_t epoch, uint16_t port, const struct delivery *d)
{
	s->e[1] = s->e[0];
	s->e[0] = (struct decided){
		.a = a, .b = b, .epoch = epoch, .from = from, .tci = d->tci,
		.port = (uint16_t)(port | (d->tagged ? DECIDED_TAGGED : 0) |
				   (d->as_is ? DECIDED_AS_IS : 0) |
				   (d->off == 16 ? DECIDED_BEHIND : 0)),
	};
}

#endif
