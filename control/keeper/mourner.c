/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/mourner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/detached.h"

struct mourner {
	struct pulse *pulse;
	unsigned n_workers;
	int event_fd;
	bool told; /* of a crash */
};

static void mourner_free(struct mourner *m)
{
	if (m->pulse != MAP_FAILED)
		munmap(m->pulse, sizeof(*m->pulse));
	if (m->event_fd >= 0)
		close(m->event_fd);
	free(m);
}

/* The lock's futex word, with which glibc's locks begin: set_robust_list(2) says what the kernel puts there.
 * The lock itself is not for us: the C library would follow pointers in it, which its owner may have made up. */
static _Atomic uint32_t *word_of(struct pulse_life *l)
{
	return (_Atomic uint32_t *)(void *)&l->held;
}

/* Once: what stands there is anybody's word. */
static void crash_tell(struct mourner *m)
{
	const uint64_t crash = MOURNER_CRASH;

	if (!m->told && atomic_load(&m->pulse->crashed))
		m->told = write(m->event_fd, &crash, sizeof(crash)) > 0;
}

/* True when its owner has died. */
static bool await_end(struct mourner *m, struct pulse_life *l)
{
	_Atomic uint32_t *word = word_of(l);

	for (;;) {
		uint32_t v = atomic_load(word);

		if (v & FUTEX_OWNER_DIED)
			return true;
		if (!(v & FUTEX_TID_MASK))
			return false; /* it left of its own accord */
		/* Whoever ends wakes those who said that they wait. */
		if (!(v & FUTEX_WAITERS) && !atomic_compare_exchange_strong(word, &v, v | FUTEX_WAITERS))
			continue;
		syscall(SYS_futex, word, FUTEX_WAIT, v | FUTEX_WAITERS, NULL, NULL, 0);
		crash_tell(m);
	}
}

static void release(struct pulse_life *l)
{
	atomic_store(word_of(l), FUTEX_OWNER_DIED);
	syscall(SYS_futex, word_of(l), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void mourner_release(struct pulse *p)
{
	release(&p->control);
	for (unsigned i = 0; i < PULSE_WORKERS_MAX; i++)
		release(&p->workers[i].life);
}

static void *mourn(void *arg)
{
	struct mourner *m = arg;
	uint64_t one = 1;
	bool all = await_end(m, &m->pulse->control);

	for (unsigned i = 0; all && i < m->n_workers; i++)
		all = await_end(m, &m->pulse->workers[i].life);
	if (all && write(m->event_fd, &one, sizeof(one)) < 0)
		all = false; /* it cannot be full */
	mourner_free(m);
	return NULL;
}

/* How many workers there are, when control and each of them has its lock; or 0. */
static unsigned all_begun(const struct pulse *p)
{
	unsigned n = atomic_load(&p->n_workers);

	if (!n || n > PULSE_WORKERS_MAX || !atomic_load(&p->control.begun))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!atomic_load(&p->workers[i].life.begun))
			return 0;
	return n;
}

int mourner_start(int pulse_fd)
{
	struct mourner *m = calloc(1, sizeof(*m));
	int fd = -1, rc = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->pulse = mmap(NULL, sizeof(*m->pulse), PROT_READ | PROT_WRITE, MAP_SHARED, pulse_fd, 0);
	if (m->event_fd < 0 || m->pulse == MAP_FAILED)
		rc = -errno;
	else if (!(m->n_workers = all_begun(m->pulse)))
		rc = -EAGAIN;
	else if ((fd = fcntl(m->event_fd, F_DUPFD_CLOEXEC, 0)) < 0)
		rc = -errno;
	else
		rc = detached_start(mourn, m);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	mourner_free(m);
	return rc;
}
