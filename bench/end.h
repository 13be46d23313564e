/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One port of the load: a front end, the flows that it sends and the account of what it receives.
 *
 * What     end_send() and end_receive() move bursts of frames; nothing else is done a frame than what
 *          a guest's driver would do, and one check of its number.
 * How      Slots of the transmit ring are used in order, each with a buffer of its own that was filled
 *          before. A flow is all frames from one address to one other; its frames are numbered. A
 *          receiver knows the next number of every flow and which of the last 32 are missing, so
 *          that it can tell loss, late frames and duplicates apart.
 *          No more large frames are in flight than a receive ring holds, as with TCP's windows.
 * Limits   The back end gives descriptors back in order, as all that are known do when they copy.
 *          Receive rings are refilled without a kick: no back end that has frames waits for one.
 */
#ifndef BENCH_END_H
#define BENCH_END_H

#include "bench/frame.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/pcap.h"

#define BURST 32

struct flow {
	uint8_t addresses[ADDRESSES];
	uint32_t n_sent;
};

struct seen {
	uint32_t next, missing; /* bit i: number next - 1 - i has not come */
};

struct tally {
	uint64_t n_frames, n_bytes; /* n_bytes: without virtio headers */
	uint64_t n_gaps;	    /* numbers that have not come */
	uint64_t n_late, n_duplicates;
	uint64_t n_stray;	    /* for an address of another port: a switch flooded it */
	uint64_t n_foreign;	    /* not numbered: learning */
	uint64_t payload;	    /* bytes of TCP */
	uint64_t n_gso;
};

struct sender { /* a transmit queue */
	struct fe *fe;
	struct fe_ring *r;
	struct flow *flows;
	uint32_t *sizes;
	uint32_t n_flows, first, cursor; /* first: the flows' number */
	uint16_t mask;			 /* slots - 1 */
	uint16_t window;		 /* frames in flight at most: the slots, or fewer large ones */
	unsigned ring;
	uint64_t n_sent, bytes, n_tries, n_full;
};

struct end {
	unsigned index;
	struct fe *fe;
	struct sender senders[PAIRS_MAX];
	struct seen *seen; /* of every flow */
	struct tally tally;
};

/* What all ends have in common. */
struct ends {
	const struct options *o;
	struct end *all;
	struct flow *flows;
	uint32_t n_flows;
	uint32_t n_addresses; /* of each busy port */
	uint64_t copies;      /* of a frame that are delivered */
	bool big;	      /* a frame may need several receive buffers, or is written to a file */
	struct histogram *latency; /* NULL: not measured */
	uint32_t sample_mask;
	struct pcap *pcap;
	double tsc_hz;
	uint64_t sum; /* of what was read, so that it is */
};

static inline uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* Opens the front ends. 0 or -errno; ends_close() in both cases. */
int ends_open(struct ends *l, const struct options *o, struct err *err);
void ends_close(struct ends *l);

/* Writes the buffers and descriptors of all slots with the sender's flows in turn. */
void sender_fill(const struct ends *l, struct sender *s);

/* Sends up to max frames as far as the ring has room; returns how many. */
unsigned end_send(struct ends *l, struct sender *s, unsigned max, enum touch touch);

/* Takes all that has come, checks it and gives the buffers back; returns the number of frames. */
unsigned end_receive(struct ends *l, struct end *e);

#endif
