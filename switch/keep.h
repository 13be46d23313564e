/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that outlive the process: handed to whoever keeps them, found again by the successor.
 *
 * What     A driver that opens or receives a descriptor without which its other side would notice a
 *          restart puts a copy of it under a key; the process that comes after a crash takes it back by
 *          the same key. Who keeps them, and how they get there, drivers do not know.
 * How      switch_opts.keep has the functions; without them nothing is kept, and every call here does
 *          nothing. When keep_put() has returned 0 the descriptor survives the death of this process,
 *          whatever happens next. So put it before anybody can rely on it, and drop it before what it
 *          stands for is forgotten.
 * Threads  control only.
 */
#ifndef SWITCH_KEEP_H
#define SWITCH_KEEP_H

#include <stdint.h>

struct switch_;

enum keep_kind {
	/* of a port; slot: its id */
	KEEP_LISTEN = 1, /* a listening socket */
	KEEP_CONNECTION, /* to a front end */
	KEEP_REGION,	 /* of guest memory; index: the region's */
	KEEP_KICK,	 /* eventfds; index: the ring */
	KEEP_CALL,
	KEEP_ERR,
	KEEP_TAP,   /* index: the queue */
	KEEP_DGRAM, /* a datagram socket */
	/* of a bridge; slot: its index */
	KEEP_FDB,
	/* of the switch; slot 0; index 0: the arena, 1: the counters of ports */
	KEEP_ARENA,
	/* of the process; slot and index by whoever keeps them */
	KEEP_PROCESS,
	KEEP_KINDS /* how many, and one more */
};

#define KEEP_BIT(kind) (1u << (kind))

/* What belongs to one connection to a front end, and all that a port may have. */
#define KEEP_OF_CONNECTION                                                                   \
	(KEEP_BIT(KEEP_CONNECTION) | KEEP_BIT(KEEP_REGION) | KEEP_BIT(KEEP_KICK) |           \
	 KEEP_BIT(KEEP_CALL) | KEEP_BIT(KEEP_ERR))
#define KEEP_OF_PORT                                                                         \
	(KEEP_OF_CONNECTION | KEEP_BIT(KEEP_LISTEN) | KEEP_BIT(KEEP_TAP) | KEEP_BIT(KEEP_DGRAM))

/* What became of the process before this one. */
enum keep_end {
	KEEP_FIRST,   /* there was none */
	KEEP_CRASHED, /* by its own doing: SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS, SIGTRAP */
	KEEP_HUNG,    /* killed by the keeper, as it stood still */
	KEEP_KILLED,  /* by another signal, or it ended: somebody else's doing */
	KEEP_YIELDED, /* it was asked to, and left nothing half done */
};

struct keep_key {
	uint16_t kind, slot, index;
};

struct keep_ops {
	/* Keeps a copy of fd under key, in place of what was there. 0 or -errno. */
	int (*put)(void *arg, struct keep_key key, int fd);
	void (*drop)(void *arg, struct keep_key key);
	/* Everything of this slot whose kind's bit is set. */
	void (*drop_slot)(void *arg, uint16_t slot, uint32_t kinds);
	/* What a predecessor left under key, now the caller's; it stays kept. -1: nothing. */
	int (*take)(void *arg, struct keep_key key);
};

/* The functions of keep_ops for this switch. Without any: 0, and -1 from keep_take(). */
int keep_put(struct switch_ *sw, struct keep_key key, int fd);
void keep_drop(struct switch_ *sw, struct keep_key key);
void keep_drop_slot(struct switch_ *sw, uint16_t slot, uint32_t kinds);
int keep_take(struct switch_ *sw, struct keep_key key);

#endif
