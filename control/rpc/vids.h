/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of VLANs as people write them, "10,20-29", and as JSON, [[10,10],[20,29]].
 *
 * Threads  any.
 * Trust    both forms come from clients: refused unless every VID is in 1-4094.
 */
#ifndef CONTROL_RPC_VIDS_H
#define CONTROL_RPC_VIDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "switch/vlan.h"

/* Fills set (VLAN_SET_WORDS words, cleared first). 0 or -EINVAL with a sentence. */
int vids_from_text(const char *text, uint64_t *set, struct err *err);

/* Accepts the text or the list of pairs. */
int vids_from_json(const json_t *vids, uint64_t *set, struct err *err);

/* [[lo, hi], …] in rising order; a new reference, or NULL without memory. */
json_t *vids_to_json(const uint64_t *set);

/* "10,20-29" into buf; cut off with "…" when it does not fit. Returns buf. */
char *vids_to_text(const uint64_t *set, char *buf, size_t size);

#endif
