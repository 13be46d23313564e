/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port under attack, and two bystanders who must not notice.
 *
 * How      While port v0 is attacked, a thread sends numbered frames from v6 to v7, at most half a
 *          ring in flight, and expects every one of them in order. Afterwards the process has
 *          the descriptors that it had before.
 * Threads  the test's.
 */
#ifndef TESTS_UNIT_HOSTILE_SCENE_H
#define TESTS_UNIT_HOSTILE_SCENE_H

#include "tests/unit/rig.h"

#include <pthread.h>
#include <stdatomic.h>

#define ATTACK_VLAN 99 /* v0's, and of whom it may attack */

struct scene {
	struct rig *rig;
	struct fe *from, *to;
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t n_passed;
	char wrong[128]; /* what went wrong; "": nothing */
	unsigned n_fds;
	const char *path; /* of v0 */
};

struct scene *scene_open(struct rig *rig);

/* The attack is over and its front end closed: asserts that nobody else has noticed. */
void scene_close(struct scene *s);

/* A front end at v0; its path is filled in. Waits until the port is up, if it can be. */
struct fe *scene_attack(struct scene *s, struct fe_opts o);

/* Waits for a state of v0, and asserts that its reason says so. */
void scene_await(struct scene *s, enum port_state state, const char *reason);

/* Port v<i> is in this VLAN alone. */
void scene_vlan_set(struct rig *rig, unsigned port, uint16_t vid);

#endif
