/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet process whose core is written: the kernel first has all of its threads stand still, for good, and only lets them
 * end when the core is there, a second or more later.
 *
 * How      A thread with a fatal signal says so in the pulse, and its mourner tells us; the watchdog's tick looks too, for
 *          signals that nobody handles. From then on /proc says when the core has begun. One look more than a
 *          millisecond after the first is enough: whoever was in the middle of an instruction stands still by then.
 * Trust    What the pulse says is anybody's word: it makes us look, for LOOKS_MAX at most.
 */
#include <signal.h>

#include "control/keeper/internal.h"

#define LOOK_NS	     (2 * MS_NS)
#define LOOKS_ENOUGH 2
#define LOOKS_MAX    250

static void look(void *arg)
{
	struct keeper *k = arg;

	if (!k->active || k->stopping)
		return;
	k->n_core = packet_is_dumping(k->active) ? k->n_core + 1 : 0;
	if (k->n_core >= LOOKS_ENOUGH && !k->dying) {
		active_harmless(k, "; its core is being written");
		return;
	}
	/* One at a time: the core of the last one is worth more than that of the one before. */
	if (k->n_core && k->dying)
		kill(k->dying->pid, SIGKILL);
	if (++k->n_core_looks < LOOKS_MAX)
		loop_timer_add(k->loop, LOOK_NS, look, k, &k->core_timer);
}

void core_look(struct keeper *k)
{
	if (k->core_timer || !k->active)
		return;
	k->n_core = k->n_core_looks = 0;
	look(k);
}
