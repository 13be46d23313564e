/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What keeper and packet process say to each other: messages with descriptors on a socket pair.
 *
 * How      SOCK_SEQPACKET: a message is whole or not there, and what was sent before its sender died can
 *          still be read. So nothing is acknowledged. Sending waits for room, CHANNEL_WAIT_MS at most.
 *          The two may be of different builds: CHANNEL_WARM says which version a packet process speaks.
 * Threads  one a side.
 * Trust    The packet process reads what guests write: its messages are checked as a stranger's are.
 */
#ifndef CONTROL_KEEPER_CHANNEL_H
#define CONTROL_KEEPER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/keep.h"

#define CHANNEL_VERSION	 6 /* count up with every change of what is said here, or in paths_msg.h or tap/host_msg.h */
#define CHANNEL_WAIT_MS	 1000
#define CHANNEL_BATCH	 64 /* descriptors a message */
#define CHANNEL_TEXT_MAX 256
#define CHANNEL_DEVICE_MAX 512

/* slot of a KEEP_PROCESS */
enum channel_own {
	OWN_CONTROL = 1, /* the control socket; stored, too */
	OWN_METRICS,	 /* the socket of --metrics */
	OWN_LOCK,	 /* on the folders; index: which. So they are not free before all have gone */
	OWN_PULSE,	 /* switch/pulse.h */
	OWN_PATHS,	 /* control/keeper/paths.h: the asking end */
	OWN_HOST,	 /* control/keeper/helper.h: the asking end */
	OWN_LEDGER = 63, /* control/keeper/ledger.h; stored, and so the same in each build */
};

enum channel_type {
	/* packet process to keeper */
	CHANNEL_PUT = 1,   /* keys[0] and one descriptor; none where the kernel had none for us */
	CHANNEL_DROP,	   /* keys[0] */
	CHANNEL_DROP_SLOT, /* keys[0].slot, kinds */
	CHANNEL_WARM,	   /* `number`: its CHANNEL_VERSION; nothing is left to do that needs no state */
	CHANNEL_READY,	   /* it answers; `number`: since when it forwards */
	CHANNEL_STOPPING,  /* somebody wants the switch to end */
	CHANNEL_ASK,	   /* `text`: why another process shall go on in its place, planned */
	CHANNEL_YIELDING,  /* from here to CHANNEL_YIELDED nobody forwards */
	CHANNEL_YIELDED,   /* `number`: since when (CLOCK_MONOTONIC); it touches nothing any more */
	CHANNEL_STAYING,   /* `text`: why it does not yield now */
	CHANNEL_FITS,	   /* it can go on with what it was handed to look at */
	CHANNEL_FITS_NOT,  /* `text`: it cannot, and why */
	/* both ways, see control/keeper/opening.c: from the one that forwards, to a spare */
	CHANNEL_OPEN,	/* `device`: open it */
	CHANNEL_UNOPEN, /* what was opened is not needed */
	/* from a spare, to the one that forwards */
	CHANNEL_OPENED, /* `opened`: how that went; number 0: what was opened is open no more */
	/* keeper to packet process */
	CHANNEL_HAND,  /* n keys and as many descriptors */
	CHANNEL_GO,    /* `go`: all has been handed on; the one before has gone */
	CHANNEL_YIELD, /* `text`: why; whoever answers has up to YIELD_MAX for it */
	CHANNEL_STAY,  /* too late, if it has not begun to */
	CHANNEL_CHECK, /* to a spare: what was handed is only to be looked at, and an answer awaited */
	CHANNEL_TYPES
};

/* Deaths, or planned successions: how many there were, and the last one. */
struct channel_past {
	uint32_t n;
	uint64_t at_ns;	 /* CLOCK_MONOTONIC: since when nobody forwarded */
	uint64_t gap_ns; /* until the next one did; 0: not known yet */
	char reason[96]; /* "killed by signal 11 (Segmentation fault)" */
};

struct channel_go {
	uint32_t end; /* enum keep_end */
	int32_t keeper_pid;
	uint32_t must_fit; /* or end: another build goes on then */
	uint64_t start_ns; /* CLOCK_MONOTONIC: of the keeper */
	struct channel_past deaths, planned;
};

/* A device, which the keeper hands on without a look. */
struct channel_device {
	uint32_t number; /* of the question, not 0 */
	uint32_t n_queues, mtu;
	char device[CHANNEL_DEVICE_MAX];
};

struct channel_opened {
	uint32_t number;
	int32_t result; /* 0, or -errno with a sentence */
	char text[384], hint[256];
};

struct channel_msg {
	uint32_t type;
	uint32_t n;	/* keys */
	uint32_t kinds; /* of CHANNEL_DROP_SLOT */
	union {
		struct keep_key keys[CHANNEL_BATCH];
		struct channel_go go;
		uint64_t number;
		char text[CHANNEL_TEXT_MAX];
		struct channel_device device;
		struct channel_opened opened;
	};
	/* Of those received; of those sent they stay the caller's. */
	unsigned n_fds;
	int fds[CHANNEL_BATCH];
};

/* A pair of ends, both closed by exec. -errno. */
int channel_pair(int fds[2]);

/* 0, -EPIPE when nobody is at the other end, -ETIMEDOUT, -errno. */
int channel_send(int fd, const struct channel_msg *m);

/* Of those with a text. */
int channel_send_text(int fd, enum channel_type type, const char *text);

/* The next message: 1; 0: none is there (with wait: somebody interrupted); -EPIPE: the other end has closed
 * and all has been read; -EPROTO: it is none of ours, and its descriptors are closed. */
int channel_receive(int fd, struct channel_msg *m, bool wait);

#endif
