/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of records of any length between two threads of this process.
 *
 * What     The producer reserves room, writes into it, commits what it used and publishes; the
 *          consumer reads records where they lie and gives their memory back. Nothing is copied.
 * How      A record is a word of length and tag, then its bytes, and never wraps: where it does not fit
 *          before the end, a mark sends the consumer to the beginning. Positions only grow.
 *          Neither side polls: who has nothing to do asks to be told (byte_ring_ask(), _ask_room())
 *          and looks once more; the other side then sees that in _told() after what it did. A
 *          full fence on both sides keeps them from missing each other.
 * Threads  one producer, one consumer; a function's comment says whose it is.
 * Trust    both sides are ours.
 * Limits   a record and its word fit in a quarter of the ring: then a half that is free has room.
 */
#ifndef SWITCH_BYTE_RING_H
#define SWITCH_BYTE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYTE_RING_WORD 8	  /* bytes before a record, and what records are aligned to */
#define BYTE_RING_SKIP UINT32_MAX /* length of the mark that ends the ring early */

struct byte_ring_word {
	uint32_t len; /* bytes */
	uint32_t tag; /* the producer's */
};

struct byte_ring {
	uint8_t *data;
	uint64_t size; /* bytes, a power of two */
	/* Producer alone. */
	uint64_t head __attribute__((aligned(64))); /* committed so far */
	uint64_t freed_seen;
	/* Producer: rw, consumer: ro. */
	_Atomic uint64_t published __attribute__((aligned(64)));
	/* Consumer: rw, producer: ro. */
	_Atomic uint64_t freed __attribute__((aligned(64)));
	/* Consumer alone. */
	uint64_t tail __attribute__((aligned(64))); /* read so far */
	uint64_t published_seen;
	/* Set by who waits, cleared by who tells. */
	atomic_bool asks __attribute__((aligned(64))); /* the consumer, for a record */
	atomic_bool asks_room;			       /* the producer */
};

/* Control, before there is another side. -ENOMEM. Memory that is not used is not touched. */
int byte_ring_create(struct byte_ring *r, uint64_t size);
void byte_ring_destroy(struct byte_ring *r); /* accepts one that is all zero */

static inline struct byte_ring_word *byte_ring_word(const struct byte_ring *r, uint64_t at)
{
	return (struct byte_ring_word *)(r->data + (at & (r->size - 1)));
}

static inline uint64_t byte_ring_round(uint64_t len)
{
	return BYTE_RING_WORD + ((len + BYTE_RING_WORD - 1) & ~(uint64_t)(BYTE_RING_WORD - 1));
}

/* Producer. Room for a record of up to max bytes, or NULL. */
static inline uint8_t *byte_ring_reserve(struct byte_ring *r, uint32_t max)
{
	const uint64_t to_end = r->size - (r->head & (r->size - 1));
	uint64_t need = byte_ring_round(max), skip = need > to_end ? to_end : 0;

	if (r->head + skip + need - r->freed_seen > r->size) {
		r->freed_seen = atomic_load_explicit(&r->freed, memory_order_acquire);
		if (r->head + skip + need - r->freed_seen > r->size)
			return NULL;
	}
	if (skip) {
		byte_ring_word(r, r->head)->len = BYTE_RING_SKIP;
		r->head += skip;
	}
	return (uint8_t *)byte_ring_word(r, r->head) + BYTE_RING_WORD;
}

/* Producer. The record in the room reserved last has len bytes. */
static inline void byte_ring_commit(struct byte_ring *r, uint32_t len, uint32_t tag)
{
	*byte_ring_word(r, r->head) = (struct byte_ring_word){len, tag};
	r->head += byte_ring_round(len);
}

/* Producer. What was committed since r->head was `head`, and is not published, was not. */
static inline void byte_ring_rewind(struct byte_ring *r, uint64_t head)
{
	r->head = head;
}

/* Producer. The consumer sees what is committed. True: it has asked, and has to be woken. */
static inline bool byte_ring_publish(struct byte_ring *r)
{
	atomic_store_explicit(&r->published, r->head, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&r->asks, memory_order_relaxed) &&
	       atomic_exchange_explicit(&r->asks, false, memory_order_relaxed);
}

/* Producer, without room for max bytes: asks to be woken. True: there is room after all. */
static inline bool byte_ring_ask_room(struct byte_ring *r, uint32_t max)
{
	atomic_store_explicit(&r->asks_room, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (!byte_ring_reserve(r, max))
		return false;
	atomic_store_explicit(&r->asks_room, false, memory_order_relaxed);
	return true;
}

/* Consumer. The next record, valid until it is freed, or NULL. */
static inline uint8_t *byte_ring_next(struct byte_ring *r, uint32_t *len, uint32_t *tag)
{
	const struct byte_ring_word *w;

	for (;;) {
		if (r->tail == r->published_seen) {
			r->published_seen =
				atomic_load_explicit(&r->published, memory_order_acquire);
			if (r->tail == r->published_seen)
				return NULL;
		}
		w = byte_ring_word(r, r->tail);
		if (w->len != BYTE_RING_SKIP)
			break;
		r->tail += r->size - (r->tail & (r->size - 1));
	}
	*len = w->len;
	*tag = w->tag;
	r->tail += byte_ring_round(w->len);
	return (uint8_t *)w + BYTE_RING_WORD;
}

/* Consumer. What was read is the producer's again. True: it has asked for room, half of the ring is free
 * by now, and it has to be woken. */
static inline bool byte_ring_free(struct byte_ring *r)
{
	atomic_store_explicit(&r->freed, r->tail, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&r->asks_room, memory_order_relaxed) ||
	    atomic_load_explicit(&r->published, memory_order_relaxed) - r->tail > r->size / 2)
		return false;
	return atomic_exchange_explicit(&r->asks_room, false, memory_order_relaxed);
}

/* Consumer, with nothing to read: asks to be woken. True: there is something after all. */
static inline bool byte_ring_ask(struct byte_ring *r)
{
	atomic_store_explicit(&r->asks, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&r->published, memory_order_acquire) != r->tail;
}

/* Consumer. It looks by itself again. */
static inline void byte_ring_ask_no_more(struct byte_ring *r)
{
	atomic_store_explicit(&r->asks, false, memory_order_relaxed);
}

#endif
