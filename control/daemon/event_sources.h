/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where events come from: the switch's changes and the log; see control/daemon/events.h. VMs
 * (control/daemon/vms.h) and the configuration publish their own.
 *
 * What     port.add, port.del {bridge, type}; port.state {bridge, old, new, reason};
 *          bridge.add, bridge.del {}; mac.move {vlan, mac, from, to}, its object the bridge;
 *          mac.move.more {count}: so many more moved; log.warn, log.err {text}, their object "switch".
 * Threads  control; the log's: any.
 */
#ifndef CONTROL_DAEMON_EVENT_SOURCES_H
#define CONTROL_DAEMON_EVENT_SOURCES_H

#include "control/daemon/daemon.h"

/* Makes d->events and listens to d->sw. */
int event_sources_start(struct daemon *d, struct err *err);
/* Before the switch goes, after the server; accepts one that was not started. */
void event_sources_stop(struct daemon *d);

#endif
