/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of ports outlive the process that counted.
 *
 * How      Each life is a process of its own, which dies as kill -9 has it; its successor adopts what was kept.
 */
#include "tests/unit/lab.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memfd.h"
#include "switch/internal.h"
#include "tests/keep_table.h"

#define N 40 /* frames a life */

struct life {
	struct keep_table *table;
	unsigned n_workers;
	uint64_t n_before; /* frames */
	void (*damage)(struct life *l);
	/* this life's */
	struct switch_ *sw;
	struct fake_port *from, *to;
};

static const struct keep_key key = {.kind = KEEP_ARENA, .index = 1};

static struct fake_port *port_make(struct life *l, struct bridge *br, const char *name, uint16_t slot)
{
	struct port_opts opts = {.name = name, .bridge = br, .slot = slot, .adopt = switch_adopting(l->sw)};
	struct err err = ERR_NONE;
	struct fake_port *fp;

	opts.vlan = vlan_access(10);
	if (fake_port_add(l->sw, &opts, 1, &fp, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(9);
	}
	return fp;
}

static struct port_counters read_of(struct fake_port *fp)
{
	struct port_counters c;

	port_counters_read(fake_port(fp), &c);
	return c;
}

/* n frames went from "from" to "to", and as many tagged ones nowhere. */
static void counted(struct life *l, uint64_t n)
{
	struct port_counters from = read_of(l->from), to = read_of(l->to);

	MUST(from.rx_forwarded == n && from.rx_drops[RX_VLAN_TAGGED_ON_ACCESS] == n);
	MUST(from.rx_frames == 2 * n && from.rx_bytes == 2 * n * 60);
	MUST(to.tx_frames == n && to.tx_bytes == n * 60 && to.rx_frames == 0);
}

static void send(struct life *l)
{
	uint8_t f[60];

	for (unsigned i = 0; i < N; i++) {
		fake_inject(l->from, f, frame_make(f, 9, 1, -1, sizeof(f)));
		fake_inject(l->from, f, frame_make(f, 9, 1, 7, sizeof(f)));
	}
	fake_settle(l->sw);
}

static void live(void *arg)
{
	struct life *l = arg;
	const struct eal_opts eal = {.n_workers = l->n_workers};
	const struct bridge_opts bo = {.ageing_s = 300, .max_macs = 1024};
	struct switch_opts opts = {.n_workers = l->n_workers,
				   .keep = &keep_table_ops,
				   .keep_arg = l->table,
				   .end = KEEP_KILLED};
	struct bridge *br = NULL;
	struct err err = ERR_NONE;

	alarm(30); /* one that waits for ever ends by another signal */
	log_level_set(LOG_LEVEL_ERR);
	MUST(eal_start(&eal, &err) == 0 && loop_create(&opts.loop) == 0);
	MUST(switch_create(&opts, &l->sw, &err) == 0);
	if (switch_adopting(l->sw))
		MUST(bridge_adopt(l->sw, 0, &br, &err) == 0);
	else
		MUST(bridge_add(l->sw, "br", &bo, &br, &err) == 0);
	l->from = port_make(l, br, "from", 0);
	l->to = port_make(l, br, "to", 1);
	switch_adopt_end(l->sw);
	MUST(switch_publish(l->sw) == 0);
	counted(l, l->n_before);
	send(l);
	counted(l, l->n_before + N);
	if (l->damage)
		l->damage(l);
	raise(SIGKILL);
}

static void dies(struct life *l)
{
	int status = keep_table_life(l->table, live, l);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int setup(void **state)
{
	struct life *l = calloc(1, sizeof(*l));

	l->table = keep_table_create();
	l->n_workers = 2;
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

static void successors_go_on_counting(void **state)
{
	struct life *l = *state;

	for (unsigned i = 0; i < 3; i++, l->n_before += N)
		dies(l);
}

static void number_of_workers_may_change(void **state)
{
	struct life *l = *state;
	const unsigned workers[] = {2, 1, 4};

	for (unsigned i = 0; i < 3; i++, l->n_before += N) {
		l->n_workers = workers[i];
		dies(l);
	}
}

/* It died before the last frames of a burst were all counted. */
static void count_half(struct life *l)
{
	fake_port(l->from)->counters[0].rx_frames += 5;
	fake_port(l->to)->counters[1].rx_frames += 3;
}

static void sums_of_a_burst_cut_short_close(void **state)
{
	struct life *l = *state;

	l->damage = count_half;
	dies(l);
	l->n_before = N;
	dies(l);
}

static void port_made_anew(struct life *l)
{
	struct bridge *br = fake_port(l->to)->bridge;

	MUST(port_del(fake_port(l->to), NULL) == 0);
	l->to = port_make(l, br, "other", 1);
	MUST(fake_port(l->to)->id == 1);
	MUST(read_of(l->to).tx_frames == 0);
}

static void new_port_begins_at_zero(void **state)
{
	struct life *l = *state;

	dies(l);
	l->n_before = N;
	l->damage = port_made_anew;
	dies(l);
}

/* ---- what is no such memory ---- */

static void put(struct life *l, int fd)
{
	MUST(fd >= 0 && keep_put(l->sw, key, fd) == 0);
}

static void kept_is_empty(struct life *l)
{
	put(l, memfd_sized("test", 0));
}

static void kept_is_no_memory(struct life *l)
{
	put(l, open("/", O_RDONLY));
}

/* Whoever reads it waits until somebody writes: for ever. */
static void kept_is_an_eventfd(struct life *l)
{
	put(l, eventfd(0, EFD_CLOEXEC));
}

/* A good beginning, and nothing after it. */
static void kept_is_cut(struct life *l)
{
	int fd = memfd_sized("test", 64);

	MUST(pwrite(fd, (const char *)fake_port(l->from)->counters - 64, 64, 0) == 64);
	put(l, fd);
}

static void kept_lies_of_its_size(struct life *l)
{
	const uint32_t words[4] = {0, 0, sizeof(struct port_counters), 3000};
	int fd = memfd_sized("test", 1 << 20);

	MUST(pwrite(fd, words, sizeof(words), 0) == sizeof(words) && pwrite(fd, "lntally", 8, 0) == 8);
	put(l, fd);
}

static void what_is_no_such_memory_counts_nothing(void **state)
{
	struct life *l = *state;
	void (*const damages[])(struct life *) = {kept_is_empty, kept_is_no_memory, kept_is_an_eventfd, kept_is_cut,
						  kept_lies_of_its_size, NULL};

	for (unsigned i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		l->damage = damages[i];
		dies(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(successors_go_on_counting, setup, teardown),
		cmocka_unit_test_setup_teardown(number_of_workers_may_change, setup, teardown),
		cmocka_unit_test_setup_teardown(sums_of_a_burst_cut_short_close, setup, teardown),
		cmocka_unit_test_setup_teardown(new_port_begins_at_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_such_memory_counts_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
