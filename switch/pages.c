/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/pages.h"

#include <stdint.h>
#include <sys/mman.h>

/* Address space for size bytes where large pages can begin: what is too much before and behind is given back. */
static void *reserve(size_t size)
{
	size_t room = size + PAGES_HUGE, before;
	uint8_t *p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p % PAGES_HUGE;
	if (before)
		munmap(p, before);
	p += before;
	size = (size + 4095) / 4096 * 4096;
	if (room - before > size)
		munmap(p + size, room - before - size);
	return p;
}

static void *map(int fd, int flags, size_t size, bool huge)
{
	void *at = huge ? reserve(size) : NULL, *p;

	if (huge && !at)
		return NULL;
	p = mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE | (huge ? MAP_FIXED : 0), fd, 0);
	if (p == MAP_FAILED) {
		pages_free(at, size);
		return NULL;
	}
	if (huge)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void *pages_alloc(size_t size, bool huge)
{
	return map(-1, MAP_PRIVATE | MAP_ANONYMOUS, size, huge);
}

void *pages_map(int fd, size_t size, bool huge)
{
	return map(fd, MAP_SHARED, size, huge);
}

void pages_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
