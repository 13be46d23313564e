/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a vhost-user port outlives the process: its slot of the arena and the descriptors that are kept with
 * it, so that a successor goes on with the front end where this process was.
 *
 * How      The slot is where the device's protocol state lies, not a copy; descriptors are kept (switch/keep.h)
 *          as they come, before the message that brought them is answered. While a message is being read or
 *          handled, and until its reply has left, the stage says busy. After a crash at such a moment
 *          nobody knows how far it got, so the successor closes that connection. A front end of which no
 *          message was under way notices nothing of a crash.
 * Threads  control only.
 * Trust    A successor may find a slot that another build wrote, or memory run amok: vu_kept_check() lets
 *          through what vu_step() could have made, and nothing else.
 */
#ifndef VHOST_USER_VU_KEPT_H
#define VHOST_USER_VU_KEPT_H

#include "base/err.h"
#include "switch/keep.h"
#include "switch/port.h"
#include "vhost-user/vu_proto.h"

enum vu_stage { VU_SETTLED, VU_BUSY };

struct vu_kept {
	char path[108]; /* sizeof(sun_path); empty: nothing was ever kept here */
	bool listen;
	uint8_t stage;	     /* enum vu_stage */
	bool lacking;	     /* a descriptor could not be kept: busy for the rest of the connection */
	char errored[160];   /* why the guest's rings are held; empty: they are not */
	uint32_t mtu_agreed; /* the port's when its front end connected; 0: none was given */
	uint8_t region_key[VU_MEM_SLOTS]; /* the index under which a region's file is kept */
	struct vu_dev dev; /* features offered and agreed, memory table, rings and where they began */
};
_Static_assert(sizeof(struct vu_kept) <= ARENA_DRIVER_BYTES, "a slot holds it");

static inline struct vu_kept *vu_kept_of(const struct port *p)
{
	return (struct vu_kept *)p->kept->driver;
}

/* From here to vu_kept_settle() a crash costs the connection. */
void vu_kept_busy(struct port *p);
void vu_kept_settle(struct port *p);

/* Keeps fd, or (-1) drops what was kept. */
void vu_kept_fd(struct port *p, enum keep_kind kind, unsigned index, int fd);

/* The file of region `slot`, which is the last one; the one that went, with the later ones moved down. */
void vu_kept_region_add(struct port *p, unsigned slot, int fd);
void vu_kept_region_del(struct port *p, unsigned slot);
void vu_kept_regions_clear(struct port *p);

/* Nothing of a connection is left here or kept. */
void vu_kept_forget(struct port *p);

/* What a predecessor left under a kind, now the caller's, or -1. */
int vu_kept_take(struct port *p, enum keep_kind kind, unsigned index);

/* Whether this build can go on with what is kept here by a process that still runs: -EPROTO with a sentence. */
int vu_kept_fits(const struct vu_kept *k, struct err *err);

/* Whether this device, which offers these features and queues, can go on with what was left: -EPROTO with a
 * sentence. */
int vu_kept_check(const struct vu_kept *k, uint64_t offer, unsigned n_rings, struct err *err);

#endif
