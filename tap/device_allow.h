/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which devices of DPDK a client may name.
 *
 * What     DPDK's text for a device can run shell commands (net_failsafe's exec), write files (net_pcap),
 *          load programs (net_af_xdp's xdp_prog) and follow a pointer (net_ring's internal). So
 *          only listed drivers with listed arguments, each with its form, reach DPDK.
 * How      A driver's name with digits at its end, or a PCI address without arguments. No value has a
 *          character that DPDK's parsers give a meaning: "=", "(", and "," are refused.
 * Strict   A process that opens devices with root's rights for one that has none, and may be a guest's: what would
 *          be a way to those rights is refused as well.
 * Threads  any; device_allow_strict(): before there are others.
 * Trust    the text is a client's.
 */
#ifndef TAP_DEVICE_ALLOW_H
#define TAP_DEVICE_ALLOW_H

#include <stdbool.h>

#include "base/err.h"

/* From now on, as above. */
void device_allow_strict(bool strict);
bool device_allow_is_strict(void);

/* 0, or -EINVAL with a sentence. */
int device_allow(const char *text, struct err *err);

#endif
