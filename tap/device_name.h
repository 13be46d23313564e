/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's name for a device ("devargs"), and what can be said of it before DPDK is asked.
 *
 * What     device_name_parse() says which bus, driver and interface are meant, and refuses with a
 *          sentence what could not work or must not be tried: what tap/device_allow.h does not
 *          list, a PCI device that a driver of the kernel has, an interface that does not exist.
 * Threads  control only.
 * Trust    the text is a client's.
 */
#ifndef TAP_DEVICE_NAME_H
#define TAP_DEVICE_NAME_H

#include <net/if.h>
#include <stdbool.h>

#include "base/err.h"

#define DEVICE_NAME_MAX 64  /* as in DPDK */
#define DEVICE_TEXT_MAX 512 /* of a whole one */

struct device_name {
	char name[DEVICE_NAME_MAX]; /* of the device: "net_af_packet0", "0000:03:00.0" */
	char args[DEVICE_TEXT_MAX]; /* "iface=eth0,qpairs=2" */
	char iface[IF_NAMESIZE];    /* "" where there is none */
	bool pci, vdev;
};

/* From now on interfaces and PCI addresses only that are among names, which stay the caller's. n 0: any. */
void device_names_only(char *const *names, unsigned n);

/* 0, or -errno with a sentence that says what is wrong with text. */
int device_name_parse(const char *text, struct device_name *d, struct err *err);

/* The same of a text that has been allowed, without a look at the system: for a process without rights. */
void device_name_split(const char *text, struct device_name *d);

/* Whether it is handled by that driver. */
bool device_is(const struct device_name *d, const char *driver);

/* The number that an argument has, which tap/device_allow.h has seen. */
unsigned device_arg_number(const struct device_name *d, const char *key, unsigned otherwise);

#endif
