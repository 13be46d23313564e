/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memfd.h"
#include "switch/internal.h"
#include "switch/keep.h"

#define BLOCKS_MAX 256 /* of one port, in a predecessor's */

struct header {
	char magic[8];
	uint32_t block_bytes, n_blocks; /* a port's */
} __attribute__((aligned(64)));

struct tally {
	struct header *memory; /* then the blocks of all ports, by id */
	size_t size_bytes;
	unsigned n_blocks, before; /* before: the block of those before */
};

static const struct keep_key key = {.kind = KEEP_ARENA, .index = 1};
static const char magic[8] = "lntally";

unsigned tally_n_summed(const struct switch_ *sw)
{
	return sw->opts.n_workers + PORT_HELPERS_MAX + 1;
}

static size_t size_of(unsigned n_blocks)
{
	return sizeof(struct header) + (size_t)SWITCH_PORTS_MAX * n_blocks * sizeof(struct port_counters);
}

static struct port_counters *blocks_of(struct tally *t, uint16_t id)
{
	return (struct port_counters *)(t->memory + 1) + (size_t)id * t->n_blocks;
}

static void sum_add(struct port_counters *sum, const struct port_counters *c)
{
	const uint64_t *from = (const uint64_t *)c;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static void sum_close(struct port_counters *c)
{
	c->rx_frames = c->rx_forwarded;
	for (unsigned i = 0; i < N_RX_DROPS; i++)
		c->rx_frames += c->rx_drops[i];
}

static bool header_good(const struct header *h)
{
	return !memcmp(h->magic, magic, sizeof(magic)) && h->block_bytes == sizeof(struct port_counters) &&
	       h->n_blocks > 1 && h->n_blocks <= BLOCKS_MAX;
}

/* The last block is in no sum. */
static bool port_sum(int fd, unsigned n_blocks, unsigned id, struct port_counters *sum)
{
	struct port_counters blocks[BLOCKS_MAX];
	const size_t bytes = (n_blocks - 1) * sizeof(blocks[0]);
	const size_t at = sizeof(struct header) + (size_t)id * n_blocks * sizeof(blocks[0]);

	if (pread(fd, blocks, bytes, (off_t)at) != (ssize_t)bytes)
		return false;
	for (unsigned i = 0; i < n_blocks - 1; i++)
		sum_add(sum, &blocks[i]);
	sum_close(sum);
	return true;
}

static void go_on(struct tally *t, const struct switch_ *sw, int fd)
{
	struct header h;
	struct stat st;

	/* What is no file may wait for ever. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    !header_good(&h)) {
		LOG_WARN("switch: counters begin at zero: those of the process before are of another build");
		return;
	}
	for (unsigned id = 0; id < SWITCH_PORTS_MAX; id++)
		if (arena_port_used(sw->arena, id) &&
		    !port_sum(fd, h.n_blocks, id, &blocks_of(t, (uint16_t)id)[t->before])) {
			LOG_WARN("switch: counters begin at zero for some ports: those of the process before are cut");
			return;
		}
}

static int make(struct tally *t, struct switch_ *sw)
{
	int fd = memfd_sized("lanyard-counters", t->size_bytes), was, rc;
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, t->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (memory == MAP_FAILED) {
		rc = -errno;
		close(fd);
		return rc;
	}
	t->memory = memory;
	*t->memory = (struct header){.block_bytes = sizeof(struct port_counters), .n_blocks = t->n_blocks};
	memcpy(t->memory->magic, magic, sizeof(magic));
	was = sw->adopted ? keep_take(sw, key) : -1;
	if (was >= 0) {
		go_on(t, sw, was);
		close(was);
	}
	rc = keep_put(sw, key, fd);
	close(fd);
	return rc;
}

int tally_create(struct switch_ *sw, struct tally **out, struct err *err)
{
	struct tally *t = calloc(1, sizeof(*t));
	int rc = -ENOMEM;

	if (t) {
		t->n_blocks = tally_n_summed(sw) + 1;
		t->before = tally_n_summed(sw) - 1;
		t->size_bytes = size_of(t->n_blocks);
		rc = make(t, sw);
	}
	if (rc == 0) {
		*out = t;
		return 0;
	}
	tally_destroy(t);
	return err_set(err, rc, "switch: cannot have memory for the counters of ports: %s", strerror(-rc));
}

void tally_destroy(struct tally *t)
{
	if (t && t->memory)
		munmap(t->memory, t->size_bytes);
	free(t);
}

struct port_counters *tally_blocks(struct tally *t, uint16_t id, bool adopted)
{
	struct port_counters *blocks = blocks_of(t, id);

	for (unsigned i = 0; i < t->n_blocks; i++)
		if (!adopted || i != t->before)
			memset(&blocks[i], 0, sizeof(blocks[i]));
	return blocks;
}
