/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/quarantine.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "switch/arena.h"
#include "switch/pulse.h"

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
#define N_FATAL (sizeof(fatal) / sizeof(fatal[0]))

static struct sigaction before[N_FATAL];
static __thread struct arena_note *mine;
static struct pulse *shown;

void quarantine_show(struct pulse *p)
{
	shown = p;
}

void quarantine_thread(struct arena_note *note)
{
	mine = note;
}

void quarantine_witness(void)
{
	if (mine)
		atomic_store_explicit(&mine->crashed, 1, memory_order_relaxed);
	if (!shown)
		return;
	atomic_store(&shown->crashed, 1);
	syscall(SYS_futex, &shown->control.held, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* On return the instruction is done again, and what was there before has its turn: mostly the process ends. */
static void on_fatal(int sig)
{
	quarantine_witness();
	for (size_t i = 0; i < N_FATAL; i++)
		if (fatal[i] == sig)
			sigaction(sig, &before[i], NULL);
}

void quarantine_watch(void)
{
	struct sigaction sa = {.sa_handler = on_fatal};

	for (size_t i = 0; i < N_FATAL; i++)
		sigaction(fatal[i], &sa, &before[i]);
}

static void blame(struct arena *a, uint32_t serving, uint64_t now_ns)
{
	struct arena_port *p;

	if (!serving || serving > SWITCH_PORTS_MAX || !arena_port_used(a, serving - 1))
		return;
	p = arena_port(a, serving - 1);
	if (p->crashed_ns && now_ns - p->crashed_ns < QUARANTINE_WITHIN_NS) {
		p->quarantined = true;
		LOG_ERR("port \"%s\": the switch crashed again while it served it: quarantined",
			p->name);
	} else {
		LOG_WARN("port \"%s\": the switch crashed while it served it", p->name);
	}
	p->crashed_ns = now_ns;
}

void quarantine_judge(struct arena *a, enum keep_end end, uint64_t now_ns)
{
	bool own_doing = end == KEEP_CRASHED || end == KEEP_HUNG, marked = false;

	for (unsigned i = 0; i < ARENA_NOTES; i++)
		marked |= atomic_load(&arena_note(a, i)->crashed) != 0;
	for (unsigned i = 0; i < ARENA_NOTES; i++) {
		struct arena_note *note = arena_note(a, i);

		if (own_doing && (!marked || atomic_load(&note->crashed)))
			blame(a, atomic_load(&note->serving), now_ns);
		atomic_store(&note->serving, 0);
		atomic_store(&note->crashed, 0);
	}
}

void quarantine_lift(struct arena_port *p)
{
	p->quarantined = false;
	p->crashed_ns = 0;
}
