/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 forwarding of the host: on while a nat port needs it.
 *
 * What     Where it was off, it is switched off again with the last that needed it, of whatever switch of this host;
 *          after a crash, by the next switch of that run dir (tap/host_note.h) unless somebody needs it.
 * How      That it was off is written into the nftables table of each nat port (tap/nat_rules.h): who comes later finds
 *          it there, and whoever goes sees whether others are left. Tables are made and cleared, and all of this
 *          is called, between ip_forward_lock() and ip_forward_unlock().
 * Threads  control only.
 * Limits   A switch that was killed and never starts again in its run dir leaves a table, and forwarding with it.
 */
#ifndef TAP_IP_FORWARD_H
#define TAP_IP_FORWARD_H

#include <stdbool.h>

#include "base/err.h"

/* For a process that Landlock will let open that file alone: it knows it only for as long as the kernel does not forget
 * it, which is prevented from now on. -errno: there is none. */
int ip_forward_hold(void);

/* Keeps other switches of this host out, for at most LOCK_MAX_MS: who holds it longer has hung. */
int ip_forward_lock(void);
void ip_forward_unlock(int lock);

/* Whether forwarding was off before the first that needs it. */
bool ip_forward_was_off(void);

/* Switches it on, if it is off. -errno with a sentence: it is as it was. */
int ip_forward_take(struct err *err);
void ip_forward_give(void); /* once for each take that succeeded; the table has gone before */

/* Whoever took the tables of nat ports away may have been the last to go for another switch: on again. */
void ip_forward_keep(void);

/* Switches off what an earlier process has left on, where nobody needs it. */
void ip_forward_end_left(void);

#endif
