/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lives: daemons one after the other, each with a switch in a process of its own, that take over what the one before
 * left behind, as after a crash.
 *
 * Threads  the test's; a life is a child of it.
 */
#ifndef TESTS_UNIT_CONTROL_LIFE_H
#define TESTS_UNIT_CONTROL_LIFE_H

#include "control/daemon/daemon.h"
#include "tests/keep_table.h"
#include "tests/unit/lab.h"

struct world {
	struct keep_table *table;
	char dir[32];
	char *was; /* shared with each life: what it had at its end */
};

extern bool life_deadly_now; /* for lives that begin from here on */

struct life {
	struct world *w;
	struct daemon d;
	void (*fn)(struct life *l);
};

/* Ends this life, with the sentence, where rc is an error. */
void life_must(int rc, const struct err *err);

/* With ' for ". */
json_t *read_json(const char *text);

/* Calls fn with text (as read_json()) as its params; it must succeed. */
void life_make(struct life *l, int (*fn)(struct daemon *, const json_t *, struct err *),
	       const char *text);

/* Saves the configuration, as the daemon does before it answers. */
void life_save(struct life *l);

/* A life, as keep_table_life() calls it: arg is a struct life. */
void life_live(void *arg);

/* A new life runs fn and writes down what it had; it must end as it should. */
void life_run(struct world *w, void (*fn)(struct life *l));

/* cmocka fixtures: a struct world. */
int life_setup(void **state);

int life_teardown(void **state);

#endif
