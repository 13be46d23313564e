/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who keeps descriptors in tests: what a process that dies has put is there for the next one.
 *
 * How      The process that dies is a fork. What it puts and drops goes over a socket pair and is read here
 *          when it has died, as switch/keep.h promises.
 * Threads  the test's (control) thread.
 */
#ifndef TESTS_KEEP_TABLE_H
#define TESTS_KEEP_TABLE_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "switch/keep.h"

struct keep_table;

struct keep_table *keep_table_create(void);
void keep_table_destroy(struct keep_table *t);

/* For switch_opts: keep_arg is the table. */
extern const struct keep_ops keep_table_ops;

/* Runs fn(arg) in a process of its own, which then dies without tidying up; returns what wait(2) says. */
int keep_table_life(struct keep_table *t, void (*fn)(void *arg), void *arg);

/* Asserts in such a process. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			_exit(9);                                                                  \
		}                                                                                  \
	} while (0)

unsigned keep_table_n(const struct keep_table *t); /* descriptors kept */

#endif
