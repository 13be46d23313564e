/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/pages.h"

#include <stdint.h>
#include <sys/mman.h>

void *pages_alloc(size_t size, bool huge)
{
	/* Large pages begin where their size says: what is too much before and behind is given back. */
	size_t room = huge ? size + PAGES_HUGE : size, before;
	uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!huge)
		return p;
	before = -(uintptr_t)p % PAGES_HUGE;
	if (before)
		munmap(p, before);
	p += before;
	size = (size + 4095) / 4096 * 4096;
	if (room - before > size)
		munmap(p + size, room - before - size);
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void pages_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
