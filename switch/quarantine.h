/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Quarantine: a port that makes the switch crash again and again is shut out, the others forward on.
 *
 * What     A port for which the process crashed or hung twice within a minute begins as `errored`, without
 *          its front end and its rings, until the administrator says up.
 * How      Threads note in the arena whom they serve (struct arena_note): a worker the port whose burst it
 *          is about to take, the control thread the one whose messages it reads or whose slot it takes over.
 *          A thread that gets a fatal signal marks its own note, so that the successor knows which it was;
 *          where none is marked (it hung, or had no stack left), all who served somebody count.
 *          What somebody else killed counts for nobody.
 * Threads  quarantine_judge(), quarantine_lift(): control. quarantine_thread(): each thread, of itself.
 *          quarantine_witness(): any thread, also in a signal handler.
 * Limits   The port that sent the burst is shut out, also where the crash was about the rings of a receiver.
 *          Threads beside workers and control note nothing.
 */
#ifndef SWITCH_QUARANTINE_H
#define SWITCH_QUARANTINE_H

#include <stdint.h>

#include "switch/keep.h"

struct arena;
struct arena_note;
struct arena_port;

#define QUARANTINE_WITHIN_NS (60ull * 1000000000)

/* Once a process, before threads: fatal signals are witnessed, then do what they did before. */
void quarantine_watch(void);

struct pulse;

/* Where whoever watches over the process is told of a fatal signal at once; NULL: nowhere. */
void quarantine_show(struct pulse *p);

/* The note of the calling thread; NULL: it serves nobody. */
void quarantine_thread(struct arena_note *note);

/* The calling thread will not live. */
void quarantine_witness(void);

/* After a process ended like this: counts for the ports that it served, and forgets the notes. now_ns:
 * CLOCK_MONOTONIC. */
void quarantine_judge(struct arena *a, enum keep_end end, uint64_t now_ns);

/* The administrator lets it in again. */
void quarantine_lift(struct arena_port *p);

#endif
