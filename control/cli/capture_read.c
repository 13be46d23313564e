/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/capture_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/loop.h"

struct end {
	struct capture_ring *ring;
	const uint8_t *data;
	uint64_t head, tail;
};

struct capture_reader {
	uint8_t *memory;
	size_t size, ring_size;
	unsigned n_rings, n_ports;
	uint64_t tsc, time_ns, tsc_hz,
		start_ns; /* at tsc it was time_ns, and start_ns by our own clock */
	uint64_t until_tsc;
	struct end *last; /* whose record was given out */
	uint32_t last_size;
	struct end ends[];
};

static uint64_t number(const json_t *started, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(started, key));
}

int capture_open(int fd, const json_t *started, struct capture_reader **out, struct err *err)
{
	unsigned n = (unsigned)number(started, "rings");
	struct capture_reader *c =
		n && n <= 4096 ? calloc(1, sizeof(*c) + n * sizeof(c->ends[0])) : NULL;
	struct stat st;

	if (!c)
		return err_set(err, -EPROTO, "the switch's answer makes no sense");
	c->n_rings = n;
	c->ring_size = number(started, "ring_bytes");
	c->n_ports = (unsigned)json_array_size(json_object_get(started, "ports"));
	c->tsc = number(started, "tsc");
	c->time_ns = number(started, "time_ns");
	c->tsc_hz = number(started, "tsc_hz");
	c->start_ns = loop_now_ns();
	c->size = n * (CAPTURE_PAGE + c->ring_size);
	if (!c->tsc_hz || c->ring_size & (c->ring_size - 1) || !c->ring_size ||
	    fstat(fd, &st) < 0 || (size_t)st.st_size < c->size) {
		free(c);
		return err_set(err, -EPROTO, "the switch's answer makes no sense");
	}
	c->memory = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c->memory == MAP_FAILED) {
		free(c);
		return err_set(err, -errno, "cannot map the capture's memory: %s", strerror(errno));
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = c->memory + i * (CAPTURE_PAGE + c->ring_size);

		c->ends[i].ring = (struct capture_ring *)(void *)at;
		c->ends[i].data = at + CAPTURE_PAGE;
	}
	*out = c;
	return 0;
}

void capture_close(struct capture_reader *c)
{
	if (!c)
		return;
	munmap(c->memory, c->size);
	free(c);
}

bool capture_has_ended(const struct capture_reader *c)
{
	return atomic_load_explicit(&c->ends[0].ring->ended, memory_order_acquire);
}

void capture_look(struct capture_reader *c, bool all)
{
	double elapsed_s = (double)(loop_now_ns() - c->start_ns) / 1e9;

	for (unsigned i = 0; i < c->n_rings; i++)
		c->ends[i].head =
			atomic_load_explicit(&c->ends[i].ring->head, memory_order_acquire);
	c->until_tsc = UINT64_MAX;
	if (!all && c->n_rings > 1)
		c->until_tsc =
			c->tsc + (uint64_t)(elapsed_s * (double)c->tsc_hz) - c->tsc_hz / 1000;
}

static void take(struct end *e, uint32_t size)
{
	e->tail += size;
	atomic_store_explicit(&e->ring->tail, e->tail, memory_order_release);
}

/* The record that e has next: 1, 0, or -1 where it cannot be one. */
static int peek(const struct capture_reader *c, struct end *e, struct capture_record *r)
{
	while (e->tail != e->head) {
		uint64_t at = e->tail & (c->ring_size - 1);

		memset(r, 0, sizeof(*r));
		memcpy(r, e->data + at, c->ring_size - at < sizeof(*r) ? 8 : sizeof(*r));
		if (r->size < 8 || r->size & 7 || r->size > c->ring_size - at ||
		    r->size > e->head - e->tail)
			return -1;
		if (r->kept == CAPTURE_FILLER) {
			take(e, r->size);
			continue;
		}
		return r->size >= sizeof(*r) && r->kept <= r->size - sizeof(*r) &&
				       r->port < c->n_ports
			       ? 1
			       : -1;
	}
	return 0;
}

static uint64_t time_of(const struct capture_reader *c, uint64_t tsc)
{
	/* The worker may have been before the clock was read. */
	int64_t since = (int64_t)(tsc - c->tsc);

	return c->time_ns + (uint64_t)(int64_t)((__int128)since * 1000000000 / (__int128)c->tsc_hz);
}

int capture_next(struct capture_reader *c, struct capture_frame *f, struct err *err)
{
	struct end *first = NULL;

	if (c->last)
		take(c->last, c->last_size);
	c->last = NULL;
	for (unsigned i = 0; i < c->n_rings; i++) {
		struct capture_record r;
		int rc = peek(c, &c->ends[i], &r);

		if (rc < 0)
			return err_set(err, -EPROTO, "the capture's memory is damaged");
		if (rc && r.tsc <= c->until_tsc && (!first || r.tsc < f->r.tsc)) {
			first = &c->ends[i];
			f->r = r;
		}
	}
	if (!first)
		return 0;
	f->bytes = first->data + (first->tail & (c->ring_size - 1)) + sizeof(f->r);
	f->time_ns = time_of(c, f->r.tsc);
	c->last = first;
	c->last_size = f->r.size;
	return 1;
}

uint64_t capture_n_lost(const struct capture_reader *c, unsigned port)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->n_rings; i++)
		n += atomic_load_explicit(&c->ends[i].ring->n_lost[port], memory_order_relaxed);
	return n;
}
