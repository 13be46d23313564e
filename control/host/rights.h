/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each process of the host helper may do: what its work needs, and nothing that a program could get.
 *
 * What     lanyard-host   CAP_NET_ADMIN, as a user that is nobody's, where root has started the switch; a filter of
 *                         system calls (calls_table.c), Landlock: the file that switches IPv4 forwarding; /proc and /run to read.
 *          lanyard-opener CAP_SYS_ADMIN and CAP_NET_ADMIN as that user (opener.h).
 *          lanyard-dhcp   CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE, dnsmasq's user (dhcp.h).
 *          Of these what the switch was started with.
 * Threads  main, before anything else runs.
 * Limits   A kernel without seccomp or Landlock, or a container without other users, has none of these: it is said in
 *          the log.
 */
#ifndef CONTROL_HOST_RIGHTS_H
#define CONTROL_HOST_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/calls.h"
#include "base/err.h"
#include "base/landlock.h"

struct rights {
	const char *who; /* begins what is said of it, and lasts */
	uid_t uid;	 /* becomes that user and group; 0: stays who it is */
	gid_t gid;
	int caps[4];  /* ends with -1 */
	bool pass_on; /* what it executes has them, too */
};

/* The user of a run dir's helper: 0 where we are not root. */
uid_t rights_user(const char *run_dir);

int rights_reduce(const struct rights *r, struct err *err);

/* After that: nothing but these files and calls. */
int rights_confine(const struct rights *r, const struct landlock_path *paths,
		   const struct call *table, struct err *err);

#endif
