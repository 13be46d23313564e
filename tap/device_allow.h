/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which devices of DPDK a client may name.
 *
 * What     DPDK's text for a device can run shell commands (net_failsafe's exec), write files (net_pcap),
 *          load programs (net_af_xdp's xdp_prog) and follow a pointer (net_ring's internal). So
 *          only listed drivers with listed arguments, each with its form, reach DPDK.
 * How      A driver's name with digits at its end, or a PCI address without arguments. No value has a
 *          character that DPDK's parsers give a meaning: "=", "(", and "," are refused.
 * Threads  any; nothing is kept, nothing is touched.
 * Trust    the text is a client's.
 */
#ifndef TAP_DEVICE_ALLOW_H
#define TAP_DEVICE_ALLOW_H

#include "base/err.h"

int device_allow(const char *text, struct err *err);

#endif
