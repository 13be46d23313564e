/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch that is attacked, from the outside: its process, and its ports as the daemon shows them.
 *
 * Threads  one.
 */
#ifndef TESTS_EVIL_SUBJECT_H
#define TESTS_EVIL_SUBJECT_H

#include "tests/evil/evil.h"

/* What a process holds. */
struct holdings {
	unsigned n_fds, n_threads;
	long rss_kib; /* anonymous memory */
};

struct holdings holdings_of(pid_t pid);

/* Connects to the daemon of s->run_dir. 0, or -errno with a message on stderr. */
int subject_connect(struct scene *s);

/* Makes port "evil" for s->c; "" or what failed. */
void subject_port_add(struct scene *s);

/* Checks the sums of every port whose name begins with "evil" once they rest, notes what port "evil"
 * says, and deletes them. */
void subject_ports_del(struct scene *s);

#endif
