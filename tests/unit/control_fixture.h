/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon with its methods over a real switch, with fake ports in the place of guests, and a client of it.
 *
 * How      Asking runs the daemon's loop: client and daemon are one thread.
 * Threads  the test's.
 */
#ifndef TESTS_UNIT_CONTROL_FIXTURE_H
#define TESTS_UNIT_CONTROL_FIXTURE_H

#include "control/daemon/apply.h"
#include "control/daemon/daemon.h"
#include "control/rpc/server.h"
#include "tests/unit/lab.h"

struct fixture {
	struct lab *lab;
	struct daemon d;
	char dir[32], path[64];
	int fd;
	char text[RPC_REPLY_MAX_BYTES + 1]; /* of the last answer */
};

/* Port type `fake`: one whose path is /fail cannot be made, nor one of /fickle while fixture_fails; one of /slow takes
 * longer than a slice of an apply. And links. */
extern const struct port_type *const fixture_types[];
extern bool fixture_fails;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Asks the daemon; its whole answer as text, good until the next one. */
const char *ask(struct fixture *f, const char *method, const char *params);
/* Asserts that the answer has a part, or is no error. */
void expect(struct fixture *f, const char *method, const char *params, const char *part);
void ok(struct fixture *f, const char *method, const char *params);

/* Whether the newest saved configuration has it. */
bool is_saved(struct fixture *f, const char *section, const char *name);

#define BRIDGE(name) ok(f, "bridge.add", "{\"name\":\"" name "\"}")
#define PORT(name, bridge)                                                                         \
	ok(f, "port.add", "{\"name\":\"" name "\",\"type\":\"fake\",\"bridge\":\"" bridge "\"}")
#define LAB_BRIDGE(lab, name)                                                                      \
	ok(f, "bridge.add", "{\"name\":\"" lab "/" name "\",\"lab\":\"" lab "\"}")
#define DOCUMENT(bridges, ports) "{\"document\":{\"bridges\":{" bridges "},\"ports\":{" ports "}}"
#define FAKE(bridge, more)	 "{\"type\":\"fake\",\"bridge\":\"" bridge "\"" more "}"

#endif
