/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding database of one bridge: (VLAN, MAC) -> port.
 *
 * What     Learned entries expire after the bridge's ageing time; static ones never do and never
 *          move.
 * How      An array of one-cache-line buckets of FDB_WAYS entries. A key has a first and a second
 *          bucket; the second is looked at only when the first has ever overflowed. The hash is
 *          two folded 64x64-bit multiplications keyed with a secret of this process: linear
 *          hashes such as CRC let MACs be chosen that collide under every seed.
 *          The table is address space for max_macs at load 0.4 from the start; pages that nobody
 *          looked at cost no memory. Where both buckets are full an entry that is in its first one is
 *          moved to its second: so a table holds max_macs addresses, whatever they are.
 * Fairness Where that finds no room either, an entry has to go. It is one of the port that has most
 *          entries in those buckets, and never one of a port that holds fewer entries in the table
 *          than the learner does: a guest that invents MACs pushes out only its own.
 *          The table is full with max_macs entries. A port's fair share of it is max_macs divided by
 *          the ports that hold any. A port that has its share learns no more then. A port below
 *          its share takes the place of an entry of a port above its own; where the two buckets hold
 *          none of those, the table goes a little beyond max_macs. An address that found no
 *          room is counted in n_full.
 * Threads  fdb_learn(), fdb_lookup(): any worker. Per bucket a sequence word: readers retry, a
 *          learner that loses the race gives up (the next frame learns). fdb_add, fdb_del,
 *          fdb_flush, fdb_sweep, fdb_read: control, which waits for the bucket instead. create
 *          and destroy: control, destroy after a grace period.
 * Batching none: each frame of a burst is learned, then looked up, before the next one.
 * Limits   ages are whole seconds modulo 2^16, hence BRIDGE_AGEING_MAX_S.
 */
#ifndef SWITCH_FDB_H
#define SWITCH_FDB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define FDB_WAYS    5
#define FDB_NO_PORT 0xffff

struct fdb;

/* max_macs as in struct bridge_opts. */
int fdb_create(uint32_t max_macs, uint32_t ageing_s, struct fdb **out);
void fdb_destroy(struct fdb *t); /* accepts NULL */

/* The memory of a table outlives the process with its descriptor: to hand on; stays the table's. Whoever has
 * handed it on may close it (-1 from then on): the table needs it no more. */
int fdb_fd(const struct fdb *t);
void fdb_fd_close(struct fdb *t);

/* What a predecessor left behind fd, which is the table's on success. -EPROTO: it is no table of this build
 * with this process's secret. Ages go on where now_s does. Entries that are not whole are dropped;
 * *n_dropped says how many. */
int fdb_adopt(int fd, uint32_t ageing_s, struct fdb **out, unsigned *n_dropped);
/* Whether fdb_adopt() of this build would take it, as far as its head says. */
bool fdb_fits(int fd);
uint32_t fdb_max_macs(const struct fdb *t);
/* Forgets all entries, static ones too, of ports that are not there. Returns how many. */
unsigned fdb_keep(struct fdb *t, bool (*there)(const void *arg, uint16_t port), const void *arg);

/* The key of a MAC in network order at mac[0..5] (8 bytes are read) in VLAN vid. */
static inline uint64_t fdb_key(const uint8_t *mac, uint16_t vid)
{
	uint64_t k;

	__builtin_memcpy(&k, mac, sizeof(k));
	return (k & 0xffffffffffffull) | (uint64_t)vid << 48 | 1ull << 63;
}

/* The same of six bytes alone. */
static inline uint64_t fdb_key_of(const uint8_t mac[6], uint16_t vid)
{
	uint8_t padded[8] = {0};

	__builtin_memcpy(padded, mac, 6);
	return fdb_key(padded, vid);
}

/* The process's secret, set before the first table exists: a predecessor's, or made then. */
extern uint64_t fdb_secret[3];
void fdb_secret_make(void); /* unless there is one */

static inline uint64_t fdb_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t fdb_hash(uint64_t key)
{
	return fdb_fold(fdb_fold(key ^ fdb_secret[0], fdb_secret[1]) ^ fdb_secret[2],
			fdb_secret[0] | 1);
}

/* Learns or refreshes that key is on port. now_s: switch_now_s(). To look up is fdb_lookup() of switch/fdb_hot.h. */
void fdb_learn(struct fdb *t, uint64_t key, uint64_t hash, uint16_t port, uint32_t now_s);

/* ---- control ---- */

#define FDB_MOVES_KEPT 16

struct fdb_move {
	uint64_t key;
	uint16_t from, to; /* ports */
};

/* Who wants to know of moved addresses; shared by the tables of a switch, and outlives them. */
struct fdb_listener {
	atomic_bool wanted;	 /* ctl: rw, worker: ro */
	atomic_bool told;	 /* worker: set before tell(), ctl: clears */
	void (*tell)(void *arg); /* any worker; at most once until told is cleared */
	void *arg;
};

/* Before the table is seen by a worker. */
void fdb_listen(struct fdb *t, struct fdb_listener *l);

/* Takes what was noted since the last time, up to FDB_MOVES_KEPT, the oldest first. *n_left_out:
 * how many moves found no room to be noted, all in all. */
unsigned fdb_moves_take(struct fdb *t, struct fdb_move out[FDB_MOVES_KEPT], uint64_t *n_left_out);

/* Seconds after which a learned address that was not seen is forgotten. */
void fdb_ageing_set(struct fdb *t, uint32_t ageing_s);
/* A static entry; moves one that exists. -ENOSPC when its buckets hold static entries only. */
int fdb_add(struct fdb *t, uint64_t key, uint16_t port, uint32_t now_s);
int fdb_del(struct fdb *t, uint64_t key); /* -ENOENT */
/* The port of a static entry, or FDB_NO_PORT. */
uint16_t fdb_static_port(struct fdb *t, uint64_t key);
/* Forgets key unless it was learned on this port: who owns an address needs no static entry. */
void fdb_disown(struct fdb *t, uint64_t key, uint16_t port);
/* Forgets entries of port (FDB_NO_PORT: of all); static ones too with statics. Returns how many. */
unsigned fdb_flush(struct fdb *t, uint16_t port, bool statics);
/* Drops expired entries of up to n_buckets buckets from *at on; *at becomes 0 after the last. Lowers
 * *next_s to the seconds until the first of those it leaves expires. */
void fdb_sweep(struct fdb *t, uint64_t *at, uint64_t n_buckets, uint32_t now_s, uint32_t *next_s);

struct fdb_entry {
	uint64_t key;
	uint16_t port;
	bool is_static;
	uint16_t age_s;
};
/* Copies live entries of the bucket at *at and later, up to n (at least FDB_WAYS), looking at no more
 * than 65,536 buckets; *at becomes 0 after the last bucket. */
unsigned fdb_read(const struct fdb *t, uint64_t *at, struct fdb_entry *out, unsigned n,
		  uint32_t now_s);

/* The live entry of key; false: there is none. */
bool fdb_find(struct fdb *t, uint64_t key, uint32_t now_s, struct fdb_entry *out);

uint32_t fdb_n_of_port(const struct fdb *t, uint16_t port); /* any thread; static ones included */
uint32_t fdb_n_entries(const struct fdb *t); /* expired ones not yet swept included */
uint32_t fdb_n_learned(const struct fdb *t); /* of these, those that can expire */
uint64_t fdb_n_full(const struct fdb *t);
uint64_t fdb_n_evicted(const struct fdb *t);

#endif
