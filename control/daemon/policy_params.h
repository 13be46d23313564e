/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guards and limits of a port: from the parameters guard, mac, ip, max_macs, isolated, storm, rate, and
 * to the JSON of `port show`.
 *
 * Threads  any.
 */
#ifndef CONTROL_DAEMON_POLICY_PARAMS_H
#define CONTROL_DAEMON_POLICY_PARAMS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "switch/policy.h"

#define POLICY_KEYS "guard", "mac", "ip", "max_macs", "isolated", "storm", "rate"

/* settings were checked by the row of port.add. -EINVAL with a sentence. */
int policy_from_settings(const json_t *settings, struct port_policy *out, struct err *err);

/* True when one of these keys is not the same. */
bool policy_differs(const json_t *a, const json_t *b);

/* True when `port set key=text` takes the key away: guard=off, ip=none … */
bool policy_key_ends(const char *key, const char *text);

/* Adds guard ([names]), mac, ip ([addresses]), max_macs, isolated, storm, rate (bits a second): null where there is none. */
void policy_to_json(const struct port_policy *p, json_t *to);

#endif
