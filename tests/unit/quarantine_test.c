/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port whose frames crash the switch: it is shut out at the second crash, and nobody else is.
 *
 * How      Each life is a process of its own. Port "evil" has a driver with a bug: a frame that begins with
 *          0xdead is written to nowhere. Port "good" is busy meanwhile, on the other worker.
 */
#include "tests/unit/lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "switch/internal.h"
#include "switch/quarantine.h"
#include "tests/keep_table.h"

struct life {
	struct keep_table *table;
	enum keep_end end; /* of the life before */
	bool control;	   /* it is the control thread that crashes */
	bool unseen;	   /* nobody watches for signals */
	bool hang;
	void (*fn)(struct life *l);
	/* this life's */
	struct switch_ *sw;
	struct bridge *br;
	struct fake_port *evil, *good, *other;
};

static const struct port_ops *fake_ops;
static struct port_ops buggy_ops;
static struct life *now;
static volatile int *volatile nowhere = (int *)8;

static unsigned buggy_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	unsigned n = fake_ops->rx_burst(p, q, b);

	for (unsigned i = 0; i < n; i++)
		if (b->frames[i].head[0] == 0xde && b->frames[i].head[1] == 0xad) {
			if (now->hang)
				kill(getpid(), SIGKILL);
			*nowhere = 1;
		}
	return n;
}

static struct fake_port *port_make(struct life *l, const char *name)
{
	struct port_opts opts = {.name = name, .bridge = l->br};
	struct err err = ERR_NONE;
	struct fake_port *fp;
	struct slot_info slot;

	vlan_policy_default(&opts.vlan);
	for (unsigned i = 0; switch_adopting(l->sw) && i < SWITCH_PORTS_MAX; i++)
		if (port_slot(l->sw, i, &slot) && !strcmp(slot.name, name)) {
			opts.adopt = true;
			opts.slot = (uint16_t)i;
			opts.down = slot.quarantined;
		}
	if (fake_port_add(l->sw, &opts, 1, &fp, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(9);
	}
	if (opts.down)
		MUST(port_admin_set(fake_port(fp), false, NULL) == 0);
	return fp;
}

static void live(void *arg)
{
	struct life *l = now = arg;
	const struct eal_opts eal = {.n_workers = 2};
	const struct bridge_opts bo = {.ageing_s = 300, .max_macs = 1024};
	struct switch_opts opts = {
		.n_workers = 2, .keep = &keep_table_ops, .keep_arg = l->table, .end = l->end};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_ERR);
	if (!l->unseen)
		quarantine_watch();
	MUST(eal_start(&eal, &err) == 0 && loop_create(&opts.loop) == 0);
	MUST(switch_create(&opts, &l->sw, &err) == 0);
	if (switch_adopting(l->sw))
		MUST(bridge_adopt(l->sw, 0, &l->br, &err) == 0);
	else
		MUST(bridge_add(l->sw, "br", &bo, &l->br, &err) == 0);
	l->good = port_make(l, "good");
	l->evil = port_make(l, "evil");
	l->other = port_make(l, "other");
	fake_ops = fake_port(l->evil)->ops;
	buggy_ops = *fake_ops;
	buggy_ops.rx_burst = buggy_rx_burst;
	fake_port(l->evil)->ops = &buggy_ops;
	switch_adopt_end(l->sw);
	MUST(switch_publish(l->sw) == 0);
	l->fn(l);
}

/* "good" is served by one worker while "evil" crashes the other. */
static void send_magic(struct life *l)
{
	uint8_t f[60];

	for (unsigned i = 0; i < 50; i++)
		fake_inject(l->good, f, frame_make(f, 9, 1, -1, sizeof(f)));
	if (l->control) {
		/* Nobody is served by a worker any more. */
		fake_settle(l->sw);
		while (atomic_load(&arena_note(l->sw->arena, 1)->serving) ||
		       atomic_load(&arena_note(l->sw->arena, 2)->serving))
			usleep(100);
		port_serve(fake_port(l->evil));
		abort();
	}
	frame_make(f, 9, 2, -1, sizeof(f));
	f[0] = 0xde;
	f[1] = 0xad;
	fake_inject(l->evil, f, sizeof(f));
	for (;;) {
		fake_inject(l->good, f, frame_make(f, 9, 1, -1, sizeof(f)));
		usleep(100);
	}
}

static bool is_in(struct fake_port *fp)
{
	return fake_port(fp)->state == PORT_UP;
}

static void all_are_in(struct life *l)
{
	MUST(is_in(l->good) && is_in(l->evil) && is_in(l->other));
}

static void evil_is_out(struct life *l)
{
	struct port *p = fake_port(l->evil);
	uint8_t f[60];

	MUST(is_in(l->good) && is_in(l->other));
	MUST(p->state == PORT_ERRORED && strstr(p->reason, "crashed twice within 60 s"));
	MUST(strstr(p->reason, "`lanyard port up evil`"));
	fake_inject(l->good, f, frame_make(f, 9, 1, -1, sizeof(f)));
	fake_settle(l->sw);
	MUST(fake_n_out(l->other) == 1 && fake_n_out(l->evil) == 0);
}

static void evil_is_let_in(struct life *l)
{
	evil_is_out(l);
	MUST(port_admin_set(fake_port(l->evil), true, NULL) == 0);
	MUST(is_in(l->evil) && !fake_port(l->evil)->reason[0]);
}

static void a_minute_passes(struct life *l)
{
	fake_port(l->evil)->kept->crashed_ns -= QUARANTINE_WITHIN_NS;
}

static int setup(void **state)
{
	struct life *l = calloc(1, sizeof(*l));

	l->table = keep_table_create();
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct life *l = *state;

	keep_table_destroy(l->table);
	free(l);
	return 0;
}

static void crash(struct life *l)
{
	int status;

	l->fn = send_magic;
	status = keep_table_life(l->table, live, l);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), l->hang ? SIGKILL : l->control ? SIGABRT : SIGSEGV);
	l->end = l->hang ? KEEP_HUNG : KEEP_CRASHED;
}

static void look(struct life *l, void (*fn)(struct life *l))
{
	l->fn = fn;
	assert_int_equal(keep_table_life(l->table, live, l), 0);
	l->end = KEEP_KILLED;
}

static void sender_is_out_at_its_second_crash(void **state)
{
	struct life *l = *state;

	crash(l);
	look(l, all_are_in);
	crash(l);
	look(l, evil_is_out);
	look(l, evil_is_out); /* it stays so, whoever dies */
	look(l, evil_is_let_in);
	crash(l);
	look(l, all_are_in); /* it counts from the beginning */
}

static void crash_of_the_control_thread_counts(void **state)
{
	struct life *l = *state;

	l->control = true;
	crash(l);
	crash(l);
	look(l, evil_is_out);
}

/* Nobody could mark who it was: whoever was served counts. */
static void crash_that_nobody_saw_counts_too(void **state)
{
	struct life *l = *state;
	l->unseen = true;
	l->control = true; /* so that "good" is served by nobody */
	crash(l);
	crash(l);
	look(l, evil_is_out);
}

static void what_others_kill_counts_for_nobody(void **state)
{
	struct life *l = *state;

	l->hang = true;
	for (unsigned i = 0; i < 4; i++) {
		crash(l);
		l->end = KEEP_KILLED;
	}
	look(l, all_are_in);
}

static void crashes_far_apart_are_borne(void **state)
{
	struct life *l = *state;

	for (unsigned i = 0; i < 3; i++) {
		crash(l);
		look(l, a_minute_passes);
	}
	crash(l);
	look(l, all_are_in);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sender_is_out_at_its_second_crash),
		T(crash_of_the_control_thread_counts),
		T(crash_that_nobody_saw_counts_too),
		T(what_others_kill_counts_for_nobody),
		T(crashes_far_apart_are_borne),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
