/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/flipper.h"

#include <sched.h>
#include <unistd.h>

#include "base/loop.h"

#define STUCK_NS (200 * MS_NS)

static void *flip(void *arg)
{
	struct flipper *x = arg;

	while (!atomic_load_explicit(&x->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < 64; i++) {
			/* xorshift64 */
			x->r ^= x->r << 13;
			x->r ^= x->r >> 7;
			x->r ^= x->r << 17;
			__atomic_fetch_xor(x->place(x, x->r), (uint8_t)(1u << (x->r >> 55 & 7)), __ATOMIC_RELAXED);
		}
		atomic_fetch_add(&x->n, 64);
		sched_yield();
	}
	return NULL;
}

void flipper_start(struct flipper *x)
{
	atomic_store(&x->stop, false);
	pthread_create(&x->thread, NULL, flip, x);
}

void flipper_stop(struct flipper *x)
{
	atomic_store(&x->stop, true);
	pthread_join(x->thread, NULL);
}

bool flipper_errored(struct fe *fe)
{
	uint64_t n;

	return read(fe->rings[0].err_fd, &n, sizeof(n)) > 0 || read(fe->rings[1].err_fd, &n, sizeof(n)) > 0;
}

bool flipper_burst(struct fe *fe, unsigned n)
{
	struct fe_ring *tx = &fe->rings[1], *rx = &fe->rings[0];
	uint64_t end_ns = loop_now_ns() + STUCK_NS;

	__atomic_store_n(&rx->avail->idx, (uint16_t)(__atomic_load_n(&rx->used->idx, __ATOMIC_ACQUIRE) + rx->size),
			 __ATOMIC_RELEASE);
	while ((uint16_t)(tx->next_avail + n - __atomic_load_n(&tx->used->idx, __ATOMIC_ACQUIRE)) > tx->size) {
		if (flipper_errored(fe) || loop_now_ns() > end_ns)
			return false;
		fe_kick(fe, 1);
		sched_yield();
	}
	tx->next_avail = (uint16_t)(tx->next_avail + n);
	__atomic_store_n(&tx->avail->idx, tx->next_avail, __ATOMIC_RELEASE);
	fe_kick(fe, 1);
	return true;
}
