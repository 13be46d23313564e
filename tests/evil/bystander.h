/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bystander: a pair of ports between which numbered frames go both ways while others are attacked.
 *
 * How      A process of its own, so that nothing an attacker does to its process slows it; what it saw
 *          lies in memory shared with whoever started it. As many frames are under way as
 *          10,000 frames/s need, never more than half a ring: no frame is lost for want of room.
 * Threads  bystander_start, bystander_stop: one; the others only read.
 */
#ifndef TESTS_EVIL_BYSTANDER_H
#define TESTS_EVIL_BYSTANDER_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define BYSTANDER_RATE 10000 /* frames/s, both ways together */

struct bystander {
	_Atomic uint64_t sent, received, lost, misordered, foreign, spoilt;
	_Atomic uint64_t gap_ns; /* the longest time without a frame while some were under way */
	_Atomic int running, stop;
	char error[512];
	pid_t pid;
};

/* Takes ports whose sockets are at these paths; NULL with a message on stderr. */
struct bystander *bystander_start(const char *path_a, const char *path_b);

/* "" or what is wrong: waits until n frames more than now have been received, up to 10 s. */
const char *bystander_check(struct bystander *b, uint64_t n, char *text, size_t size);

/* Lets what is under way arrive, and ends it. Accepts NULL. */
void bystander_stop(struct bystander *b);

#endif
