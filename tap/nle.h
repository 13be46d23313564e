/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What files that use libnl share: its errors in words, addresses.
 *
 * Threads  control only.
 */
#ifndef TAP_NLE_H
#define TAP_NLE_H

#include "base/err.h"

struct nl_addr;

/* -errno for one of libnl's. */
int nle_errno(int nle);

/* "WHAT: why", with the way out where a right is missing. */
int nle_refuse(struct err *err, int nle, const char *what);

/* An IP address with its prefix, or NULL. The caller puts it. */
struct nl_addr *nle_address(const char *text);

#endif
