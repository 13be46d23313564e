/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type `uplink`: any network device that DPDK has a driver for.
 *
 * What     A PCI device, or an interface of the host through AF_XDP or AF_PACKET, as a port: frames pass
 *          with their tags; checksums and segmentation are left to the device where it does them.
 * How      The port is up while the device has a link. Without one, or when the device is gone, it is
 *          errored with a sentence that says why, and up again by itself once the link or the
 *          interface is back; `port up` tries at once.
 * Threads  control only; rings: tap/uplink_rings.h.
 * Limits   32 uplinks. Opening a device holds the control thread up for as long as its driver takes:
 *          docs/host.md says how long that was.
 */
#ifndef TAP_UPLINK_H
#define TAP_UPLINK_H

#include "base/err.h"
#include "switch/switch.h"
#include "tap/device_opener.h"

struct uplink_opts {
	struct port_opts port;
	const char *device; /* as DPDK takes it: "0000:03:00.0", "net_af_packet0,iface=eth0" */
	unsigned n_queues;  /* 0: 1 */
};

/* Before the first one, with rights: what tells of interfaces. -errno: nothing does. */
int uplinks_begin(struct loop *loop, struct err *err);
void uplinks_end(void);

/* From now on the process has no rights: opener opens devices, or has them opened. A port whose device was opened so
 * is connecting until another process goes on with both. */
void uplinks_confined(const struct device_opener *opener);

/* What opener said may not hold any more: whoever waits for another process asks anew. */
void uplinks_again(void);

/* The next uplink after p (NULL: the first one). */
struct port *uplink_next(struct port *p);

/* Whether another process has to open p's device for it to be up, and what that is. Of one that is open the same,
 * and false. */
bool uplink_wants(struct port *p, struct device_want *w);

/* Makes the port and opens its device: errored when that has no link yet. */
int uplink_add(struct switch_ *sw, const struct uplink_opts *opts, struct port **out,
	       struct err *err);

/*
 * Opens the devices of those that were taken over (port_opts.adopt), which takes tens of milliseconds each but for
 * those that tap/device_early.h has, and closes what of those nobody wants. One that does not open is errored, and
 * tried again like any other.
 */
void uplinks_open(void);

/* Of the text as it was given, without touching anything. */
int uplink_check(const char *device, struct err *err);

#endif
