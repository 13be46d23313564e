/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/byte_ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int byte_ring_create(struct byte_ring *r, uint64_t size)
{
	void *data;

	assert(size >= 4096 && !(size & (size - 1)));
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->data = data;
	r->size = size;
	return 0;
}

void byte_ring_destroy(struct byte_ring *r)
{
	if (r->data)
		munmap(r->data, r->size);
	r->data = NULL;
}
