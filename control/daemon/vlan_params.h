/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN policy of a port: from the parameters access, trunk, native, tunnel, and to the JSON of
 * `port show`.
 *
 * Threads  any.
 */
#ifndef CONTROL_DAEMON_VLAN_PARAMS_H
#define CONTROL_DAEMON_VLAN_PARAMS_H

#include <jansson.h>

#include "base/err.h"
#include "switch/vlan.h"

/* settings were checked by the row of port.add. -EINVAL for combinations that contradict. */
int vlan_from_settings(const json_t *settings, struct vlan_policy *out, struct err *err);

/* {mode, vid|null, vids|null, native|null} */
json_t *vlan_to_json(const struct vlan_policy *vlan);

#endif
