/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nftables' part of a nat port: one table of its own, replaced as a whole.
 *
 * What     What comes from the port's network leaves by other interfaces under the host's address; what
 *          is forwarded from the interface, and the answers to it, are accepted. Other sources than
 *          the network's do not get out, and nobody outside begins a connection to a guest.
 * Limits   An accept here does not overrule another table that drops: nat_rules_blocked() finds forward
 *          chains with such a policy, which only their owner can change.
 *          Who adds rules of his own to the table keeps them until it is made anew.
 * Threads  control only.
 * Rights   CAP_NET_ADMIN.
 * Trust    table and ifname have letters, digits, _ - and . only: the caller checks.
 */
#ifndef TAP_NAT_RULES_H
#define TAP_NAT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* network: "10.77.0.0/24". A table of that name is replaced. It is noted (tap/host_note.h). was_off: it says that
 * IPv4 forwarding is on for its sake, and that of others that say so. */
int nat_rules_set(const char *table, const char *ifname, const char *network, bool was_off, struct err *err);
void nat_rules_clear(const char *table);

/* The table as the kernel has it, to be freed; NULL: there is none. */
char *nat_rules_text(const char *table);

/* Whether all that was there is still there, in that order. */
bool nat_rules_whole(const char *table, const char *text);

/* Deletes the tables that an earlier process has left and no port has made again. */
void nat_rules_end_left(void);

/* Whether a table of a nat port, of any switch, says that forwarding is on for it, and was off before. */
bool nat_rules_need_forwarding(void);

/* Whether some other chain drops what is forwarded: its table and name, as nft prints them. */
bool nat_rules_blocked(char *chain, size_t size);

#endif
