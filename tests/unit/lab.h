/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch with bridges and fake ports for unit tests: EAL once a process, one switch a test.
 */
#ifndef TESTS_UNIT_LAB_H
#define TESTS_UNIT_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop.h"
#include "switch/eal.h"
#include "switch/switch.h"
#include "tests/fake_port.h"

#define LAB_PORTS 16

struct lab {
	struct loop *loop;
	struct switch_ *sw;
	struct bridge *br;
	struct fake_port *port[LAB_PORTS];
};

/* cmocka fixtures: group set-up starts EAL (4 workers wide), test set-up makes an empty lab with bridge
 * "br" and one worker. */
int lab_group_setup(void **state);
int lab_setup(void **state);
int lab_setup_2_workers(void **state);
int lab_setup_poll(void **state); /* poll mode */
int lab_teardown(void **state);

/* Adds port[i] named "p<i>" to br. */
void lab_port(struct lab *lab, unsigned i, struct bridge *br, const struct vlan_policy *vlan);
/* n ports of the default policy on the lab's bridge. */
void lab_ports(struct lab *lab, unsigned n);
/* Bridge 0 is the lab's; another one is made when it is asked for first. */
struct bridge *lab_bridge(struct lab *lab, unsigned i);
/* A link between two of those; its end at bridge a. */
struct port *lab_link(struct lab *lab, const char *name, unsigned a, unsigned b, const struct vlan_policy *vlan);
void lab_policy_set(struct lab *lab, unsigned i, struct port_policy p);

struct vlan_policy vlan_access(uint16_t vid);
struct vlan_policy vlan_tunnel(uint16_t vid);
/* A trunk of the VIDs up to the first 0. */
struct vlan_policy vlan_trunk(uint16_t native, const uint16_t *vids);

/* Builds a frame of len bytes: addresses 02:00:00:00:00:<dst>, … (0xff: broadcast), an optional tag
 * (tci -1: none), type 0x88b5 (local experimental), then a pattern. Returns len. */
size_t frame_make(uint8_t *out, uint8_t dst, uint8_t src, int tci, size_t len);

/* Injects such a frame of 60 bytes. */
void lab_send(struct lab *lab, unsigned port, uint8_t dst, uint8_t src, int tci);
/* Injects n frames of 60 bytes while nobody polls, so that they come in one burst; waits for rest. */
void lab_send_together(struct lab *lab, unsigned port, uint8_t f[][60], unsigned n);
/* Waits for rest, then asserts how many frames came out of port i. */
void assert_n_out(struct lab *lab, unsigned i, unsigned n);
/* TCI of the first tag of frame k that came out of port i, or -1. */
int out_tci(struct lab *lab, unsigned i, unsigned k);
struct port_counters lab_counters(struct lab *lab, unsigned i);
/* Waits for rest first. */
uint64_t lab_drops(struct lab *lab, unsigned i, enum rx_drop reason);
/* Whether 02:00:00:00:00:<mac> is known to be on port i, in any VLAN. */
bool lab_is_learned(struct lab *lab, uint8_t mac, unsigned i);

#endif
