/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface of a tap: made, or attached to where it exists and is persistent.
 *
 * What     One that we make gets a MAC address of the port's own, the same each time, so that guests keep
 *          their gateway; and it tells its neighbours when it comes up with an address. One that was
 *          there keeps what it has but for what was asked for, and gets it back when the port is
 *          not made after all.
 *          Its address is made of this host, the run dir unless that is the usual one, and the port's name.
 * Threads  control only.
 */
#ifndef TAP_TAP_INTERFACE_H
#define TAP_TAP_INTERFACE_H

#include "tap/tap.h"

/* Tells this switch from others of this host, which may have ports of the same names. "" is the usual. */
void tap_interface_salt(const char *salt);

/* The port's name where it fits, else its start and a hash of it. */
void tap_interface_name(char out[IFNAMSIZ], const char *port_name);

/* Makes the interface, or attaches to the one that is there. On failure it is as before. -EAGAIN: another
 * program uses it, or nobody any more in a moment, as we have just left one. */
int tap_interface_open(struct tap *t, const char *port_name, uint32_t mtu, struct err *err);

/* One that we made goes with its descriptors; one that we found loses the address that we gave it. */
void tap_interface_close(struct tap *t);

/* Also gives one that we found its MTU back, and sets it down if it was down. */
void tap_interface_restore(struct tap *t);

/* It has gone already: closes what is left of it. */
void tap_interface_forget(struct tap *t);

/* Whether it is a tap, and else a sentence that says what it is. */
int tap_interface_kind_check(const struct netlink_link *link, struct err *err);

#endif
