/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * User numbers that belong to nobody, for processes that shall be able to touch nothing but their own.
 *
 * What     Numbers of systemd's range for DynamicUser=, of which no package takes one. The switch, the VMs and
 *          the host helper have parts of it that do not overlap, so neither finds the other's while it is not running.
 * Threads  control only: passwd and group are asked, which may take their time.
 */
#ifndef BASE_USERS_H
#define BASE_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#define USERS_MIN	 61184u
#define USERS_SWITCH_MAX 61439u
#define USERS_VM_MIN	 61440u
#define USERS_VM_MAX	 65263u
#define USERS_HOST_MIN	 65264u
#define USERS_HOST_MAX	 65519u

/* A user's or group's number from its decimal text. */
bool users_number(const char *text, unsigned *id);

/* Whether neither passwd nor group knows the number, and no process runs under it. */
bool users_is_free(unsigned id);
bool users_is_known(unsigned id); /* to passwd or group */

/* Why this process, which is root, cannot become that user; NULL when it can. */
const char *users_why_not(uid_t uid, gid_t gid);

/* Becomes user and group, for good: of other groups that one alone (0: none), without capabilities, those of
 * later programs too. For a process with one thread; neither allocates nor locks. 0 or -errno, and then the process
 * is to end. */
int users_become(uid_t uid, gid_t gid, gid_t other_group);

#endif
