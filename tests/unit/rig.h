/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch whose control loop runs in a thread of its own, for tests that are the front end
 * of its vhost-user ports and would otherwise wait for themselves.
 */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/switch.h"
#include "tests/front_end.h"

#define RIG_PORTS 8

struct rig;

int rig_group_setup(void **state); /* EAL */
int rig_setup(void **state);	   /* bridge "br", one worker */
int rig_setup_2_workers(void **state);
int rig_teardown(void **state);	   /* asserts that the ports' sums close */

/* Runs fn(arg) in the control thread and waits for it. */
void rig_call(struct rig *rig, void (*fn)(struct rig *rig, void *arg), void *arg);

struct switch_ *rig_switch(struct rig *rig);
struct bridge *rig_bridge(struct rig *rig);

/* Adds port "v<i>" and connects a front end to it; opts->path is filled in. */
struct fe *rig_port(struct rig *rig, unsigned i, struct fe_opts opts);
/* The port alone; its socket's path. listen: the switch owns the socket. */
const char *rig_port_add(struct rig *rig, unsigned i, bool listen);
/* Ports added from now on leave their sockets open while they are down. */
void rig_keep_open(struct rig *rig);
void rig_port_del(struct rig *rig, unsigned i);
void rig_port_admin(struct rig *rig, unsigned i, bool up);

/* Waits up to 5 s for the state, then asserts it; the reason is rig_reason()'s. */
void rig_await(struct rig *rig, unsigned i, enum port_state s);
enum port_state rig_state(struct rig *rig, unsigned i);
const char *rig_reason(struct rig *rig, unsigned i);
struct port_counters rig_counters(struct rig *rig, unsigned i);

/* Waits up to 2 s for a frame on pair p. */
int fe_recv_wait(struct fe *fe, unsigned p, void *out, uint32_t size);

#endif
