/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VLAN rules of docs/vlans.md once more, written from their text alone and as simply as
 * possible, for tests to hold the switch against. Shares no code with switch/.
 *
 * Threads  any; pure functions.
 */
#ifndef TESTS_UNIT_VLAN_ORACLE_H
#define TESTS_UNIT_VLAN_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "switch/vlan.h"

/* The VLAN that a frame enters by a port; 0: the frame is dropped. */
unsigned oracle_vlan(const struct vlan_policy *in, const uint8_t *frame, size_t len);

/* Writes the frame as it leaves by `out`, having entered by `in`, to left[len + 4]. Returns its
 * length; 0: it does not leave there. */
size_t oracle_leave(const struct vlan_policy *in, const struct vlan_policy *out,
		    const uint8_t *frame, size_t len, uint8_t *left);

#endif
