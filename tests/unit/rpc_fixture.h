/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A JSON-RPC server in a thread of its own, with methods that show what a handler can do, and clients of it.
 *
 * Threads  the test's and the server's: what handlers count is read when the server has answered.
 */
#ifndef TESTS_UNIT_RPC_FIXTURE_H
#define TESTS_UNIT_RPC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "control/rpc/client.h"
#include "control/rpc/server.h"

/* A server in a thread of its own, and what its handlers saw. */
struct fixture {
	char dir[32], path[64];
	struct loop *loop;
	struct rpc_server *server;
	pthread_t thread;
	struct loop_timer *timer;
	struct rpc_call *deferred;
	unsigned n_changes, n_gone;
	int change_result;
};

extern _Atomic enum role fixture_role; /* of who connects; ROLE_ADMIN at first */

/* Handlers: see rows in rpc_fixture.c. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A client of the library; fails the test when the server does not take it. */
struct rpc_client *dial(const struct fixture *f);

/* A socket to the server; reads wait up to 5 s. */
int raw(const struct fixture *f);

/* Sends text and returns what comes back, up to one line's end or the connection's. */
const char *say(int fd, const char *text);

/* Sends a line over a connection of its own, and asserts that the answer has a part. */
void expect(const struct fixture *f, const char *line, const char *part);

#endif
