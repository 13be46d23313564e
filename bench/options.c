/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How an option's text is read, and into what. */
enum kind { KIND_PATH, KIND_FLAG, KIND_INT, KIND_DOUBLE, KIND_WORD, KIND_TEXT, KIND_IMIX, KIND_HELP };

struct option_row {
	const char *name, *value, *help;
	enum kind kind;
	size_t at;
	double min, max;
	const char *const *words; /* the first is 0 */
};

static const char *const touches[] = {"none", "first", "all", NULL};
static const char *const layouts[] = {"one", "two", "indirect", NULL};
static const char *const patterns[] = {"pair",	    "mesh",  "one-to-many", "many-to-one",
				       "broadcast", "flood", NULL};
static const char *const offloads[] = {"off", "none", "csum", "tso", NULL};

#define AT(member) offsetof(struct options, member)
static const struct option_row rows[] = {
	{"path", "SOCK", "a port's socket; repeat, or give one and --ports", KIND_PATH, 0},
	{"ports", "N", "use SOCK0, SOCK1 … as N ports", KIND_INT, AT(n_ports), 2, PORTS_MAX},
	{"busy", "N", "only the first N ports send and are sent to", KIND_INT, AT(n_busy), 2, PORTS_MAX},
	{"pairs", "N", "queue pairs of a port (1)", KIND_INT, AT(n_pairs), 1, PAIRS_MAX},
	{"server", NULL, "own the sockets: the switch connects", KIND_FLAG, AT(server)},
	{"ring", "N", "entries of a ring, a power of two (256)", KIND_INT, AT(ring), 64, 1024},
	{"no-mergeable", NULL, "one receive buffer a frame", KIND_FLAG, AT(mergeable)},
	{"layout", "L", "one, two (descriptors a frame) or indirect (one)", KIND_WORD, AT(layout), 0, 0,
	 layouts},
	{"size", "BYTES", "of a frame, without FCS (60)", KIND_INT, AT(size), 60, 65000},
	{"imix", NULL, "7 frames of 60 bytes, 4 of 590, 1 of 1514", KIND_IMIX, AT(size)},
	{"vlan", "VID", "tag frames", KIND_INT, AT(vlan), 1, 4094},
	{"macs", "N", "address pairs in all, spread over the ports", KIND_INT, AT(n_macs), 1, 8 << 20},
	{"touch", "T", "what is written and read: none, first line or all lines (first)", KIND_WORD,
	 AT(touch), 0, 0, touches},
	{"pattern", "P", "pair, mesh, one-to-many, many-to-one, broadcast or flood (pair)", KIND_WORD,
	 AT(pattern), 0, 0, patterns},
	{"one-way", NULL, "pair: only the even ports send", KIND_FLAG, AT(one_way)},
	{"send", "O", "what senders leave to the switch: off, none (TCP, checksums made), csum or tso",
	 KIND_WORD, AT(send), 0, 0, offloads},
	{"receive", "O", "what receivers take: off, none, csum or tso (as --send)", KIND_WORD,
	 AT(receive), 0, 0, offloads},
	{"stall-port", "K", "port K takes nothing", KIND_INT, AT(stall), 0, PORTS_MAX - 1},
	{"seconds", "S", "of measurement (2)", KIND_DOUBLE, AT(seconds), 0.01, 3600},
	{"rate", "R", "frames a second in all (as fast as they go)", KIND_DOUBLE, AT(rate), 1, 1e9},
	{"learn-rate", "R", "addresses a second in the learning phase (as fast as they go)",
	 KIND_DOUBLE, AT(learn_rate), 1, 1e9},
	{"latency", NULL, "also latency at 10, 50 and 90 % of the maximum", KIND_FLAG, AT(latency)},
	{"bursts", NULL, "also the longest burst back to back without loss", KIND_FLAG, AT(bursts)},
	{"idle-gap", "MS", "instead: latency of the first frame after so long, and of a bare wake",
	 KIND_DOUBLE, AT(idle_gap_ms), 0.01, 10000},
	{"samples", "N", "of --idle-gap (1000)", KIND_INT, AT(samples), 10, 1000000},
	{"cpu", "N", "the load's CPU", KIND_INT, AT(cpu), 0, 1023},
	{"wake-cpu", "N", "the CPU of the bare wake: the switch's", KIND_INT, AT(wake_cpu), 0, 1023},
	{"pcap", "FILE", "write what is received", KIND_TEXT, AT(pcap)},
	{"pcap-frames", "N", "at most so many (10000)", KIND_INT, AT(pcap_frames), 1, 1e9},
	{"step", NULL, "print \"ready\", and wait for a line before the clock starts and before the end",
	 KIND_FLAG, AT(step)},
	{"help", NULL, "this", KIND_HELP, 0},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void help(void)
{
	puts("usage: load --path A --path B [OPTION…]\n\n"
	     "Exchanges frames between the ports of a switch as its vhost-user front ends, from one\n"
	     "core, checks what arrives and prints one line of JSON.\n");
	for (unsigned i = 0; i < N_ROWS; i++) {
		int n = printf("  --%s %s", rows[i].name, rows[i].value ? rows[i].value : "");

		printf("%*s%s\n", n < 22 ? 22 - n : 1, "", rows[i].help);
	}
}

static int wrong(const struct option_row *r, const char *text)
{
	fprintf(stderr, "load: --%s: \"%s\"", r->name, text);
	if (r->kind == KIND_WORD) {
		fprintf(stderr, " is none of");
		for (unsigned i = 0; r->words[i]; i++)
			fprintf(stderr, " %s", r->words[i]);
	} else {
		fprintf(stderr, " is no number from %g to %g", r->min, r->max);
	}
	fprintf(stderr, "\n");
	return 2;
}

/* Every enum is as wide as an int, and so are the numbers but for ring. */
static int number_set(struct options *o, const struct option_row *r, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || value < r->min || value > r->max)
		return wrong(r, text);
	if (r->kind == KIND_DOUBLE)
		*(double *)((char *)o + r->at) = value;
	else if (r->at == AT(ring))
		o->ring = (uint16_t)value;
	else
		*(int *)((char *)o + r->at) = (int)value;
	return -1;
}

static int word_set(struct options *o, const struct option_row *r, const char *text)
{
	for (int i = 0; r->words[i]; i++)
		if (!strcmp(r->words[i], text)) {
			*(int *)((char *)o + r->at) = i;
			return -1;
		}
	return wrong(r, text);
}

static int option_set(struct options *o, const struct option_row *r, char *text)
{
	switch (r->kind) {
	case KIND_PATH:
		if (o->n_paths == PORTS_MAX)
			return wrong(r, text);
		o->paths[o->n_paths++] = text;
		return -1;
	case KIND_FLAG:
		*(bool *)((char *)o + r->at) = r->at != AT(mergeable);
		return -1;
	case KIND_IMIX:
		o->size = 0;
		return -1;
	case KIND_TEXT:
		*(const char **)((char *)o + r->at) = text;
		return -1;
	case KIND_WORD:
		return word_set(o, r, text);
	case KIND_HELP:
		help();
		return 0;
	default:
		return number_set(o, r, text);
	}
}

static int refuse(const char *why)
{
	fprintf(stderr, "load: %s; --help has the options\n", why);
	return 2;
}

static int paths_make(struct options *o)
{
	const char *stem = o->paths[0];
	char *path;

	if (!o->n_ports) {
		o->n_ports = o->n_paths;
		return o->n_paths < 2 ? refuse("at least two ports are needed") : -1;
	}
	if (o->n_paths != 1)
		return refuse("--ports goes with one --path");
	for (unsigned i = 0; i < o->n_ports; i++) {
		if (asprintf(&path, "%s%u", stem, i) < 0)
			return refuse("no memory");
		o->paths[i] = path;
	}
	return -1;
}

static int options_check(struct options *o)
{
	bool tcp = o->send != KIND_OFF;

	if (!o->n_busy)
		o->n_busy = o->n_ports;
	if (o->n_busy > o->n_ports || (o->pattern == PATTERN_PAIR && o->n_busy % 2))
		return refuse("--busy: more than there are ports, or not even for pairs");
	if (o->ring & (o->ring - 1))
		return refuse("--ring is no power of two");
	if (tcp && !o->size)
		return refuse("--imix goes without --send");
	if (tcp && o->vlan >= 0)
		return refuse("--vlan goes without --send");
	if ((o->latency || o->bursts || o->idle_gap_ms || o->rate) && (o->touch == TOUCH_NONE || tcp))
		return refuse("times are carried in the first line: --touch first, and no --send");
	if (o->stall >= 0 && o->touch == TOUCH_NONE)
		return refuse("--stall-port needs numbered frames: --touch first");
	if (o->receive == KIND_OFF)
		o->receive = o->send;
	return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[N_ROWS + 1] = {0};
	int c, at = 0, rc = -1;

	*o = (struct options){
		.n_pairs = 1,
		.mergeable = true,
		.ring = 256,
		.size = 60,
		.vlan = -1,
		.touch = TOUCH_FIRST,
		.stall = -1,
		.seconds = 2,
		.samples = 1000,
		.cpu = -1,
		.wake_cpu = -1,
		.pcap_frames = 10000,
	};
	for (unsigned i = 0; i < N_ROWS; i++)
		longs[i] = (struct option){rows[i].name, rows[i].value != NULL, NULL, 1};
	while (rc < 0 && (c = getopt_long(argc, argv, "", longs, &at)) != -1)
		rc = c == 1 ? option_set(o, &rows[at], optarg) : 2;
	if (rc < 0 && optind < argc)
		rc = refuse("arguments without a name");
	if (rc < 0)
		rc = paths_make(o);
	return rc < 0 ? options_check(o) : rc;
}
