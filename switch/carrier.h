/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrier: whether whoever is at a port shall see a link.
 *
 * What     None while the port is down by the administrator. On a bridge that stands for a wire
 *          (bridge_opts.wire) none either while nobody is at the other end, as between two machines
 *          that a cable joins. On any other bridge the other ports do not matter, a link that is cut
 *          included: a switch shows its port to a machine, not the way behind it.
 * How      Control asks again after each change of a port, and tells the driver (port_ops.carrier) when
 *          the answer is another one. Only a wire's other ports are looked at.
 * Threads  control only.
 */
#ifndef SWITCH_CARRIER_H
#define SWITCH_CARRIER_H

#include "switch/switch.h"

/* Something about p has changed, or (NULL) a port of that bridge has gone. */
void carrier_update(struct bridge *br, struct port *p);

#endif
