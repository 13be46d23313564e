/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose the process that forwards becomes, where root has started the switch: `--user`, else the user "lanyard",
 * else a number that is nobody's.
 *
 * What     A number of systemd's range for such users: that of the state folder, where an earlier start has given
 *          it to one, else found from the run dir; one that neither passwd nor group knows, and under which nothing runs. Not nobody, whom
 *          others use, too.
 * How      The keeper chooses once and tells each packet process (--run-as).
 * Threads  main, before anything else runs.
 * Trust    What lies in the state folder was made by that user, whom a guest may have become: names there are
 *          not followed.
 */
#ifndef CONTROL_DAEMON_RUN_AS_H
#define CONTROL_DAEMON_RUN_AS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct run_as {
	bool change; /* false: who started us */
	uid_t uid;
	gid_t gid;
	char name[64]; /* "lanyard", or the number */
};

/* name: of --user, or NULL. *why says why it stays root's where it does, or is NULL. */
int run_as_choose(const char *name, const char *run_dir, const char *state_dir, struct run_as *out,
		  const char **why, struct err *err);

/* "UID:GID", as --run-as has it. */
int run_as_parse(const char *text, struct run_as *out, struct err *err);

/* Gives the folder and the saved configurations in it to the user. */
int run_as_give(const struct run_as *u, const char *state_dir, struct err *err);
/* To root, where an earlier start has given it away. */
int run_as_return(const char *state_dir, struct err *err);

#endif
