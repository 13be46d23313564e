/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Watches: captures and mirrors, what looks at the frames of ports.
 *
 * What     A capture writes copies of frames into a ring of shared memory for each worker
 *          (switch/capture_ring.h), from which another process reads them. A mirror delivers
 *          copies to a port. Both see frames as they are on the port that they were asked for:
 *          `in` is what the switch received from it, `out` what it delivered to it. A capture
 *          may ask for dropped frames instead, with the reason.
 * How      While a bridge, or one that is linked with it, has a port that is looked at, its
 *          frames go through the watched version of the forwarder: one branch a burst decides
 *          that. Filters are BPF programs that control has checked; workers run them on their
 *          own copy of the frame.
 * Threads  control only, here. Workers read struct watch through the view; what they write in it
 *          is marked.
 * Trust    Whoever reads a capture's memory can write it too: workers read only the ring's tail
 *          from it, and take it for no more than a hint within bounds.
 * Limits   CAPTURES_MAX captures, WATCHES_MAX watches, CAPTURE_PORTS_MAX ports of one. A reader
 *          that is too slow loses copies, which are counted; nobody waits for it.
 */
#ifndef SWITCH_WATCH_H
#define SWITCH_WATCH_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "switch/capture_ring.h"
#include "switch/view.h"

#define CAPTURES_MAX	  8
#define WATCH_FILTER_MAX  4096 /* instructions */

struct bpf_insn;

enum watch_way { WATCH_IN = 1, WATCH_OUT = 2 };

struct watch_opts {
	unsigned ways; /* WATCH_* */
	bool drops;    /* frames that were dropped, and no others; of a capture */
	uint32_t snaplen;
	const struct bpf_insn *filter; /* checked; NULL: all frames */
	unsigned n_filter;
	struct port *const *ports;
	unsigned n_ports;
	struct port *to; /* of a mirror; NULL: a capture */
	struct watch *instead; /* of a mirror: one that makes place for it, and is gone then */
};

/* A worker's end of a ring, its own but for ring and data. */
struct capture_writer {
	struct capture_ring *ring; /* shared with the reader */
	uint8_t *data;
	uint64_t head, tail; /* bytes written; and read, as far as is known */
	uint64_t n_frames;
	uint64_t n_lost[CAPTURE_PORTS_MAX];
} __attribute__((aligned(64)));

struct watch {
	struct switch_ *sw;
	unsigned bit; /* its place in view.watches */
	unsigned ways;
	bool drops;
	uint32_t snaplen;
	struct bpf_insn *filter;
	unsigned n_ports, n_left; /* n_left: ctl, of those that have not gone */
	struct port *ports[CAPTURE_PORTS_MAX]; /* ctl; NULL: has gone */
	uint16_t index[SWITCH_PORTS_MAX];      /* of a capture, by port id */
	struct port *to;		       /* ctl; NULL: a capture, or has gone */
	uint16_t to_id;
	bool is_mirror;
	int fd; /* of a capture's memory */
	void *memory;
	size_t memory_size, ring_size;
	struct capture_writer *writers; /* worker: rw, one each; of a capture */
	TAILQ_ENTRY(watch) link;
};

TAILQ_HEAD(watch_list, watch);

/* Refuses what there is no room for. Workers look from when this has returned until watch_del(). In place of
 * another one it needs no room, no frame is missed between them, and an error leaves the other. */
int watch_add(struct switch_ *sw, const struct watch_opts *opts, struct watch **out,
	      struct err *err);
void watch_del(struct watch *w); /* accepts NULL */

/* The memory of a capture: stays the watch's. */
int watch_fd(const struct watch *w);
size_t watch_ring_size(const struct watch *w);

/* The clock of capture records: at *tsc it was *time_ns since 1970, and *hz of it are a second. */
void watch_clock(const struct switch_ *sw, uint64_t *tsc, uint64_t *time_ns, uint64_t *hz);

/* A port goes, before it leaves the view: nobody looks at it any more, nor through it. */
void watch_port_gone(struct switch_ *sw, struct port *p);

/* A port has gone, and the view is one without it: readers of captures that have no other are told. */
void watch_ports_ended(struct switch_ *sw);

/* Fills in who is looked at, in a view that is being built. */
void watch_view_fill(const struct switch_ *sw, struct view *v);

#endif
