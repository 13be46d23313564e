/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory as the front end shares it: mapping, address look-up, and what happens
 * when it vanishes.
 *
 * How      Each region is mapped on its own. Where the memfd allows it, shrinking is sealed off;
 *          where not, a SIGBUS handler maps zero pages over the rest of a region that was
 *          truncated, sets `lost`, and the burst ends harmlessly; the ring code then reports it.
 * Threads  add, del, clear: control, while no worker is in the rings that use the memory (a new
 *          region may be added beside them: readers see n last). Look-ups: workers.
 * Trust    Addresses come from the guest: look-ups check them against wrapping sums.
 */
#ifndef VHOST_USER_VU_MEM_H
#define VHOST_USER_VU_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vhost-user/vu_proto.h"

struct vu_region {
	uint64_t gpa, size, uva; /* as told */
	uint8_t *va;		 /* of gpa in this process */
	void *map;
	size_t map_size; /* bytes */
	unsigned guard;	 /* slot of the SIGBUS table */
};

struct vu_mem {
	unsigned n;
	atomic_bool lost; /* a page vanished while mapped */
	struct vu_region regions[VU_MEM_SLOTS];
	struct discard *bin; /* for what is unmapped; may be NULL */
};

/* Installs the process's SIGBUS handler, also over one that somebody else has put in its place. */
void vu_mem_guard_install(void);

/* Maps r from fd (which stays the caller's). -errno with a sentence. */
int vu_mem_add(struct vu_mem *m, const struct vu_mem_region *r, int fd, struct err *err);
void vu_mem_del(struct vu_mem *m, unsigned slot);
void vu_mem_clear(struct vu_mem *m);

/* What a descriptor is: shared memory that can be mapped, an eventfd, anything else. Asks no file system
 * that could make us wait. */
void vu_fd_fact(int fd, struct vu_fd_fact *fact);

/* Where gpa is here, and through *len how many bytes follow it in its region; NULL: nowhere. */
static inline uint8_t *vu_mem_at(const struct vu_mem *m, uint64_t gpa, uint64_t *len)
{
	unsigned n = __atomic_load_n(&m->n, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++) {
		const struct vu_region *r = &m->regions[i];
		uint64_t off = gpa - r->gpa;

		if (off < r->size) {
			*len = r->size - off;
			return r->va + off;
		}
	}
	return NULL;
}

/* Where len bytes at gpa are here when they are in one region; or NULL. */
uint8_t *vu_mem_span(const struct vu_mem *m, uint64_t gpa, uint64_t len);

/* The first region, in registers for a loop: most guests have their buffers in it. */
struct vu_window {
	uint64_t gpa;
	uint64_t near; /* its size less VU_WINDOW_NEAR, 0 where that is below 0 */
	uint8_t *va;
};

/* Bytes that follow every address inside a window. */
#define VU_WINDOW_NEAR (128u << 10)

static inline struct vu_window vu_window_first(const struct vu_mem *m)
{
	const struct vu_region *r = &m->regions[0];

	if (!__atomic_load_n(&m->n, __ATOMIC_ACQUIRE))
		return (struct vu_window){0};
	return (struct vu_window){
		r->gpa, r->size > VU_WINDOW_NEAR ? r->size - VU_WINDOW_NEAR : 0, r->va,
	};
}

/* As vu_mem_span(), for len up to VU_WINDOW_NEAR: one comparison inside the window. */
static inline uint8_t *vu_window_span(const struct vu_mem *m, const struct vu_window *w, uint64_t gpa,
				      uint32_t len)
{
	uint64_t off = gpa - w->gpa;

	if (__builtin_expect(off < w->near, 1))
		return w->va + off;
	return vu_mem_span(m, gpa, len);
}

/* Where the front end's address uva is here when all of size bytes are in one region; or NULL. */
void *vu_mem_uva(const struct vu_mem *m, uint64_t uva, uint64_t size);

#endif
