/* SPDX-License-Identifier: BSD-3-Clause */
/* What the load is asked for on its command line; bench/options.c has the table with the help. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/front_end.h"

#define PORTS_MAX 64
#define PAIRS_MAX 8

/* Which part of a frame the load writes before it sends and reads after it came. */
enum touch {
	TOUCH_NONE,  /* nothing, descriptors neither: all stays as filled before. No numbering. */
	TOUCH_FIRST, /* descriptors, virtio header, first line */
	TOUCH_ALL,   /* and a word in every other line */
};

enum pattern {
	PATTERN_PAIR, /* ports 0 and 1 exchange frames, 2 and 3 … */
	PATTERN_MESH, /* every port sends to every other */
	PATTERN_ONE_TO_MANY,
	PATTERN_MANY_TO_ONE,
	PATTERN_BROADCAST, /* port 0 sends to the broadcast address */
	PATTERN_FLOOD,	   /* port 0 sends to an address that nobody has */
};

/* Frames of what kind: what a guest leaves to the device, by direction. */
enum traffic_kind {
	KIND_OFF,  /* plain frames of an unknown protocol */
	KIND_NONE, /* TCP/IPv4 with full checksums */
	KIND_CSUM,
	KIND_TSO,
};

struct options {
	const char *paths[PORTS_MAX];
	unsigned n_paths;
	unsigned n_ports; /* 0: as many as paths; otherwise the first path with 0, 1 … behind it */
	unsigned n_busy;  /* ports of the pattern; the others only listen. 0: all */
	unsigned n_pairs;
	bool server, mergeable, one_way, step;
	uint16_t ring;
	uint32_t size; /* bytes of a frame; 0: IMIX */
	uint32_t n_macs;
	int vlan; /* -1: no tag */
	enum fe_layout layout;
	enum touch touch;
	enum pattern pattern;
	enum traffic_kind send, receive;
	int stall; /* a port that takes nothing, or -1 */
	double seconds;
	double rate; /* frames a second in all; 0: as fast as they go */
	double learn_rate;
	bool latency, bursts;
	double idle_gap_ms;
	unsigned samples;
	int cpu, wake_cpu;
	const char *pcap;
	unsigned pcap_frames;
};

/* Exit code of a program that should end (help: 0, a mistake: 2), or -1 to go on. */
int options_parse(struct options *o, int argc, char **argv);

#endif
