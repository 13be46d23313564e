/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory tables that lie, and memory that vanishes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define TIB (1ull << 40)

struct table {
	uint32_t n, padding;
	struct vu_mem_region r[VU_MSG_FDS];
};

enum {
	M_OVERLAP_GPA,
	M_OVERLAP_UVA,
	M_EMPTY,
	M_2_63,
	M_WRAP_GPA,
	M_WRAP_UVA,
	M_WRAP_OFFSET,
	M_BEYOND,
	M_NONE,
	M_NINE,
	M_MANY,
	M_FDS_FEWER,
	M_FILE_EMPTY,
	M_SEALED,
	M_UNALIGNED,
	M_VAST
};

static int memfd(uint64_t size)
{
	int fd = memfd_create("evil", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd >= 0 && ftruncate(fd, (off_t)size) == 0 ? fd : -1;
}

/* Two good regions, one of them made bad. */
static void lie(unsigned how, struct table *t, int *fds, unsigned *n_fds, uint32_t *size)
{
	switch (how) {
	case M_OVERLAP_GPA:
		t->r[1].gpa = t->r[0].gpa + t->r[0].size - 1;
		break;
	case M_OVERLAP_UVA:
		t->r[1].uva = t->r[0].uva + t->r[0].size - 1;
		break;
	case M_EMPTY:
		t->r[1].size = 0;
		break;
	case M_2_63:
		t->r[1].size = 1ull << 63;
		break;
	case M_WRAP_GPA:
		t->r[1].gpa = 0ull - 4096;
		break;
	case M_WRAP_UVA:
		t->r[1].uva = 0ull - 4096;
		break;
	case M_WRAP_OFFSET:
		t->r[1].mmap_offset = 0ull - 4096;
		break;
	case M_BEYOND:
		t->r[1].mmap_offset += 4096;
		break;
	case M_NONE:
		t->n = 0;
		break;
	case M_NINE:
		t->n = 9;
		break;
	case M_MANY:
		t->n = 0xffffffff;
		break;
	case M_FDS_FEWER:
		*n_fds = 1;
		break;
	case M_FILE_EMPTY:
		fds[1] = memfd(0);
		break;
	case M_SEALED:
		fds[1] = memfd(t->r[1].size + t->r[1].mmap_offset);
		fcntl(fds[1], F_ADD_SEALS, F_SEAL_WRITE);
		break;
	case M_UNALIGNED: /* allowed: rings and buffers are still found */
		t->r[1].gpa += 8;
		t->r[1].uva += 8;
		t->r[1].mmap_offset += 8;
		t->r[1].size -= 8;
		break;
	case M_VAST:
		t->n = *n_fds = VU_MSG_FDS;
		*size = sizeof(*t);
		for (unsigned i = 0; i < VU_MSG_FDS; i++) {
			t->r[i] = (struct vu_mem_region){i * 16 * TIB, 16 * TIB,
							 i * 16 * TIB + 4096, 0};
			fds[i] = memfd(16 * TIB);
		}
		break;
	}
}

static void table(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});
	uint64_t half = fe->mem_size / 2, base = (uintptr_t)fe->mem;
	struct table t = {
		2, 0, {{FE_GPA, half, base, 0}, {FE_GPA + half, half, base + half, half}}};
	int fds[VU_MSG_FDS] = {fe->mem_fd, fe->mem_fd};
	unsigned n_fds = 2;
	uint32_t size = 8 + 2 * 32;

	lie(s->c->arg, &t, fds, &n_fds, &size);
	fe_msg_send(fe, VU_SET_MEM_TABLE, 0, &t, size, fds, n_fds);
	if (s->c->arg == M_UNALIGNED) {
		for (unsigned i = 0; i < 2; i++)
			fe_ring_start(fe, i, 0);
	}
}

static void region_send(struct fe *fe, uint32_t request, const struct vu_mem_region *r)
{
	struct {
		uint64_t padding;
		struct vu_mem_region r;
	} m = {0, *r};

	fe_msg_send(fe, request, 0, &m, sizeof(m), &fe->mem_fd, request == VU_ADD_MEM_REG);
}

/* A page each, until there is no slot left. */
static void slots(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_rings = true});

	for (unsigned i = 1; i <= VU_MEM_SLOTS; i++)
		region_send(fe, VU_ADD_MEM_REG,
			    &(struct vu_mem_region){i << 20, 4096, (uint64_t)i << 20,
						    (uint64_t)(i % 16) * 4096});
}

static void remove_unknown(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	region_send(fe, VU_REM_MEM_REG,
		    &(struct vu_mem_region){FE_GPA, 4096, (uintptr_t)fe->mem, 0});
}

static void remove_running(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});

	region_send(fe, VU_REM_MEM_REG,
		    &(struct vu_mem_region){FE_GPA, fe->mem_size, (uintptr_t)fe->mem, 0});
}

/* ---- memory that vanishes under rings that run ---- */

enum { V_RINGS, V_BUFFERS, V_RECEIVE, V_PUNCH_RINGS, V_PUNCH_BUFFERS, V_SEALED };

static void frames_send(struct fe *fe, unsigned n)
{
	uint8_t f[1500] = BROADCAST EVIL_MAC "\x88\xb6";

	for (unsigned i = 0; i < n; i++)
		fe_send(fe, 0, f, sizeof(f));
}

static void punch(struct scene *s, struct fe *fe, const uint8_t *from)
{
	off_t at = from - fe->mem;

	if (fallocate(fe->mem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
		      (off_t)fe->mem_size - at) < 0)
		evil_fail(s, "fallocate: %s", strerror(errno));
}

static void vanish(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = evil_attacker(s, (struct fe_opts){.no_seal = s->c->arg != V_SEALED});
	struct fe_ring *tx = &fe->rings[TX_RING];
	off_t keep = s->c->arg == V_BUFFERS   ? tx->bufs - fe->mem
		     : s->c->arg == V_RECEIVE ? fe->rings[RX_RING].bufs - fe->mem
					      : 0;

	frames_send(fe, 40);
	raw_used(fe, TX_RING);
	if (s->c->arg == V_PUNCH_RINGS) {
		punch(s, fe, fe->mem);
		fe_kick(fe, TX_RING);
		return;
	}
	if (s->c->arg == V_PUNCH_BUFFERS) {
		for (unsigned i = 0; i < 50; i++) {
			punch(s, fe, tx->bufs);
			frames_send(fe, 32);
		}
		return;
	}
	if (ftruncate(fe->mem_fd, keep) < 0) {
		if (s->c->arg == V_SEALED)
			return;
		evil_fail(s, "ftruncate: %s", strerror(errno));
	}
	if (s->c->arg == V_SEALED)
		evil_fail(s, "memory that can be sealed was not");
	if (s->c->arg == V_BUFFERS) {
		/* Their descriptors are still there, as is the ring. */
		for (unsigned i = 0; i < 32; i++) {
			raw_desc(fe, TX_RING, i, fe_gpa(fe, tx->bufs + (size_t)i * tx->stride),
				 1512, 0, 0);
			raw_offer(fe, TX_RING, i);
		}
	} else if (s->c->arg == V_RECEIVE) {
		frames_send(peer, 40);
	} else {
		fe_kick(fe, TX_RING);
	}
}

/* Truncated at some moment while frames go both ways as fast as they can. */
static void vanish_midway(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});

	for (unsigned k = 0; k < 20; k++) {
		struct fe *fe = evil_attacker(s, (struct fe_opts){.no_seal = true});
		uint64_t end_ns = loop_now_ns() + (1 + k % 5) * MS_NS;
		uint8_t got[65536], f[1500] = BROADCAST "\x02\0\0\0\xe0\2\x88\xb6";
		pid_t pid;

		/* Whoever truncates must not touch the memory himself: a child does it. */
		pid = fork();
		if (pid == 0) {
			while (loop_now_ns() < end_ns)
				;
			_exit(ftruncate(fe->mem_fd, k % 2 ? 0 : fe->rings[TX_RING].bufs - fe->mem) <
			      0);
		}
		/* The frames are the neighbour's: the attacker's rings are left to the switch. */
		raw_idx(fe, TX_RING, 200);
		while (loop_now_ns() < end_ns + 2 * MS_NS) {
			fe_send(peer, 0, f, sizeof(f));
			while (fe_recv(peer, 0, got, sizeof(got)) >= 0)
				;
		}
		evil_await(s, "errored", NULL);
		fe_close(fe);
		evil_heal(s, "waiting");
	}
}

#define CLOSED "the socket is closed, "

const struct evil_case evil_memory[] = {
	{"table-overlap-guest", "two regions that overlap in the guest", CLOSED "both named", table,
	 "errored", "SET_MEM_TABLE: the regions at guest addresses 0x400", M_OVERLAP_GPA},
	{"table-overlap-front-end", "two regions that overlap in the front end",
	 CLOSED "both named", table, "errored", "overlap", M_OVERLAP_UVA},
	{"table-empty-region", "a region of 0 bytes", CLOSED "the region named", table, "errored",
	 "is empty or wraps around", M_EMPTY},
	{"table-2-63", "a region of 2^63 bytes", CLOSED "the sizes named", table, "errored",
	 "ends at byte", M_2_63},
	{"table-wraps-guest", "a region that wraps around the guest's addresses",
	 CLOSED "the region named", table, "errored", "is empty or wraps around", M_WRAP_GPA},
	{"table-wraps-front-end", "a region that wraps around the front end's addresses",
	 CLOSED "the region named", table, "errored", "is empty or wraps around", M_WRAP_UVA},
	{"table-wraps-file", "a region whose place in its file wraps around",
	 CLOSED "the region named", table, "errored", "is empty or wraps around", M_WRAP_OFFSET},
	{"table-beyond-file", "a region that its file is too short for", CLOSED "the sizes named",
	 table, "errored", "ends at byte", M_BEYOND},
	{"table-none", "a memory table of no regions", CLOSED "the number named", table, "errored",
	 "SET_MEM_TABLE: 0 regions in a message", M_NONE},
	{"table-nine", "a memory table of nine regions", CLOSED "the number named", table,
	 "errored", "SET_MEM_TABLE: 9 regions in a message", M_NINE},
	{"table-many", "a memory table of 2^32 - 1 regions", CLOSED "the number named", table,
	 "errored", "SET_MEM_TABLE: 4294967295 regions in a message", M_MANY},
	{"table-fds-fewer", "two regions with one descriptor", CLOSED "both numbers named", table,
	 "errored", "2 regions came with 1 descriptors", M_FDS_FEWER},
	{"table-file-empty", "a region in an empty file", CLOSED "the sizes named", table,
	 "errored", "of a file of 0", M_FILE_EMPTY},
	{"table-sealed", "a region in a file that is sealed against writing",
	 CLOSED "and says that it cannot be mapped", table, "errored", "cannot map", M_SEALED},
	{"table-unaligned", "a region at addresses that are no multiples of a page", "it works",
	 table, "up", NULL, M_UNALIGNED},
	{"table-vast", "128 TiB of memory, as much as a process can have",
	 CLOSED "the most that there can be named", table, "errored", "are the most", M_VAST},
	{"slots", "a 65th memory slot", CLOSED "and says that all are in use", slots, "errored",
	 "ADD_MEM_REG: all 64 memory slots are in use"},
	{"remove-unknown", "a region taken away that there is not", CLOSED "the region named",
	 remove_unknown, "errored",
	 "REM_MEM_REG: no region at guest address 0x40000000 with that size"},
	{"remove-running", "the region taken away that running rings are in",
	 "the port is errored, the socket stays open", remove_running, "errored",
	 "a part of a ring of 256 entries is outside guest memory"},
	{"truncate-rings", "memory truncated under running rings",
	 "the port is errored and says so", vanish, "errored",
	 "its front end truncated the guest's memory", V_RINGS},
	{"truncate-buffers", "memory truncated under frames that are sent",
	 "the port is errored and says so", vanish, "errored",
	 "queue 1: its front end truncated the guest's memory", V_BUFFERS},
	{"truncate-receive", "memory truncated under receive buffers",
	 "the port is errored and says so", vanish, "errored",
	 "queue 0: its front end truncated the guest's memory", V_RECEIVE},
	{"truncate-midway", "memory truncated while frames are copied, 20 times",
	 "the port is errored each time", vanish_midway, "waiting", NULL},
	{"truncate-sealed", "memory truncated that can be sealed", "the kernel refuses it", vanish,
	 "up", NULL, V_SEALED},
	{"punch-rings", "holes punched into running rings",
	 "the port is errored: its index went back", vanish, "errored",
	 "available index went from 40 to 0", V_PUNCH_RINGS},
	{"punch-buffers", "holes punched into frames that are sent", "frames of zeros are dropped",
	 vanish, "up", NULL, V_PUNCH_BUFFERS},
	{0},
};
