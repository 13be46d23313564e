/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of guards as people write them: "mac,ip,arp,dhcp,ra" or "off".
 *
 * Threads  any; plain text.
 */
#ifndef CONTROL_RPC_GUARDS_H
#define CONTROL_RPC_GUARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define GUARDS_N 5

/* By bit: GUARD_MAC … of switch/policy.h. */
extern const char *const guard_names[GUARDS_N];

/* -EINVAL with a sentence about the word that is none. *checks: GUARD_*. */
int guards_from_text(const char *text, uint8_t *checks, struct err *err);

/* True when one of them compares IP addresses. */
bool guards_need_addresses(uint8_t checks);

#endif
