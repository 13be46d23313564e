/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls that neither lanyard-dhcp nor a dnsmasq of its own needs, and that would serve somebody who has taken
 * it over: they fail with EPERM from here on, in what it executes, too.
 *
 * How      A seccomp filter of what is forbidden: what dnsmasq calls is its matter, and changes.
 * Threads  main, before anything else runs; no_new_privs is set.
 * Limits   A kernel without seccomp has none: it is said in the log.
 */
#ifndef CONTROL_HOST_FORBIDDEN_H
#define CONTROL_HOST_FORBIDDEN_H

#include "base/err.h"

/* 0, or -errno with a sentence. */
int forbidden_enter(struct err *err);

#endif
