/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/discard.h"
#include "switch/quarantine.h"

#define GUARDS_MAX 32768

/* What the SIGBUS handler looks up. Written by control before memory is used and after it is gone. */
struct guard {
	_Atomic uintptr_t start; /* 0: free */
	_Atomic size_t size;
	_Atomic(atomic_bool *) lost;
};

static struct guard guards[GUARDS_MAX];
static uint64_t memory_twice; /* twice the host's, in bytes; asked for once: a confined process is not told */
static unsigned n_guards; /* ctl: highest slot ever used + 1; grows only */

/* Address space is shared by all: a front end can tell terabytes of a sparse file at no cost. Half of the
 * 128 TiB stays for everybody else. */
#define MAPPED_MAX     (64ull << 40)
#define DEVICE_MAX_MIN (1ull << 40)
static _Atomic uint64_t mapped; /* bytes, of all devices */

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, page = at & ~(uintptr_t)4095;
	unsigned n = __atomic_load_n(&n_guards, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++) {
		uintptr_t start = atomic_load(&guards[i].start);
		size_t size = atomic_load(&guards[i].size);
		atomic_bool *lost = atomic_load(&guards[i].lost);

		/* Control may give this slot to another region meanwhile: start and size of two
		 * regions together would be somebody else's memory. */
		if (!start || at - start >= size || atomic_load(&guards[i].start) != start)
			continue;
		/* The rest of a truncated file is gone as a whole. Huge pages cannot be split by a
		 * mapping: from the start of the region then. */
		if (mmap((void *)page, start + size - page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
		    mmap((void *)start, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		atomic_store(lost, true);
		return;
	}
	/* Not a guest's memory: our own bug. The default action happens when the access is retried. */
	quarantine_witness();
	signal(sig, SIG_DFL);
}

void vu_mem_guard_install(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
	if (!memory_twice)
		memory_twice = 2 * (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096;
}

static int guard_take(struct vu_mem *m, void *map, size_t size, unsigned *slot)
{
	for (unsigned i = 0; i < GUARDS_MAX; i++) {
		if (atomic_load(&guards[i].start))
			continue;
		atomic_store(&guards[i].lost, &m->lost);
		atomic_store(&guards[i].size, size);
		atomic_store(&guards[i].start, (uintptr_t)map);
		if (i >= n_guards)
			__atomic_store_n(&n_guards, i + 1, __ATOMIC_RELEASE);
		*slot = i;
		return 0;
	}
	return -ENOSPC;
}

/* Twice the host's memory, for guests that have more than is used: a tebibyte at least. */
static uint64_t device_max(void)
{
	return memory_twice > DEVICE_MAX_MIN ? memory_twice : DEVICE_MAX_MIN;
}

/* Whether size more bytes may be mapped for a guest. -ENOMEM with a sentence. */
static int size_check(const struct vu_mem *m, uint64_t size, struct err *err)
{
	uint64_t sum = size, max = device_max();

	for (unsigned i = 0; i < m->n; i++)
		sum += m->regions[i].map_size;
	if (size > max || sum > max)
		return err_set(err, -ENOMEM, "%llu GiB of guest memory; %llu are the most on this host",
			       (unsigned long long)((size > max ? size : sum) >> 30),
			       (unsigned long long)(max >> 30));
	if (atomic_load(&mapped) + size > MAPPED_MAX)
		return err_set(err, -ENOMEM, "no address space for %llu GiB of guest memory: the others have %llu",
			       (unsigned long long)(size >> 30),
			       (unsigned long long)(atomic_load(&mapped) >> 30));
	return 0;
}

int vu_mem_add(struct vu_mem *m, const struct vu_mem_region *r, int fd, struct err *err)
{
	struct vu_region *to = &m->regions[m->n];
	uint64_t block = 4096, off;
	struct stat st;
	void *map;

	/* Offsets of huge page files are multiples of their block size. */
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_blksize > block && st.st_blksize <= 1 << 30)
		block = (uint64_t)st.st_blksize;
	off = r->mmap_offset / block * block;
	to->map_size = (r->mmap_offset - off + r->size + block - 1) / block * block;
	if (size_check(m, to->map_size, err) < 0)
		return -ENOMEM;
	/* Fails on a file that does not allow sealing: accepted, the SIGBUS handler is behind it. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	map = mmap(NULL, to->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)off);
	if (map == MAP_FAILED)
		return err_set(err, -errno, "cannot map %llu bytes of guest memory: %s",
			       (unsigned long long)r->size, strerror(errno));
	/* The file may have shrunk between the check and the seal. */
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < r->mmap_offset + r->size ||
	    guard_take(m, map, to->map_size, &to->guard) < 0) {
		munmap(map, to->map_size);
		return err_set(err, -EINVAL, "the file of a memory region shrank while it was mapped");
	}
	/* A dump of this process has no business in guests' memory. */
	madvise(map, to->map_size, MADV_DONTDUMP);
	atomic_fetch_add(&mapped, to->map_size);
	to->gpa = r->gpa;
	to->size = r->size;
	to->uva = r->uva;
	to->map = map;
	to->va = (uint8_t *)map + (r->mmap_offset - off);
	__atomic_store_n(&m->n, m->n + 1, __ATOMIC_RELEASE);
	return 0;
}

void vu_mem_del(struct vu_mem *m, unsigned slot)
{
	struct vu_region *r = &m->regions[slot];

	atomic_store(&guards[r->guard].start, 0);
	atomic_fetch_sub(&mapped, r->map_size);
	/* The last one to let go of a guest's memory frees its pages, seconds for a large one. */
	discard_map(m->bin, r->map, r->map_size);
	memmove(r, r + 1, (m->n - slot - 1) * sizeof(*r));
	m->n--;
	/* Which region it was is not kept: all are new when the last old one has gone. */
	if (!m->n)
		atomic_store(&m->lost, false);
}

void vu_mem_clear(struct vu_mem *m)
{
	while (m->n)
		vu_mem_del(m, m->n - 1);
}

uint8_t *vu_mem_span(const struct vu_mem *m, uint64_t gpa, uint64_t len)
{
	uint64_t here;
	uint8_t *va = vu_mem_at(m, gpa, &here);

	return va && len <= here ? va : NULL;
}

void *vu_mem_uva(const struct vu_mem *m, uint64_t uva, uint64_t size)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vu_region *r = &m->regions[i];
		uint64_t off = uva - r->uva;

		if (off < r->size && size <= r->size - off)
			return r->va + off;
	}
	return NULL;
}

void vu_fd_fact(int fd, struct vu_fd_fact *fact)
{
	char path[40], target[64];
	struct stat st;
	ssize_t n;

	fact->kind = VU_FD_OTHER;
	fact->size = 0;
	/* Only files of tmpfs (memfds too) and hugetlbfs know seals. A page of any other file may take
	 * as long to come as its disk, server or FUSE daemon likes, and a worker would wait for it
	 * with everybody's frames. */
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		int flags = fcntl(fd, F_GETFL);

		/* A read-only descriptor cannot be mapped for writing. */
		if ((flags & O_ACCMODE) == O_RDWR && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
			fact->kind = VU_FD_FILE;
			fact->size = (uint64_t)st.st_size;
		}
		return;
	}
	/* No system call tells an eventfd from other anonymous inodes; its link does. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	if (!strcmp(target, "anon_inode:[eventfd]"))
		fact->kind = VU_FD_EVENT;
}
