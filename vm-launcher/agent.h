/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Client of the qemu-guest-agent in a guest.
 *
 * What     agent_call() sends one command; agent_exec() runs a program in the guest to its end.
 * How      The protocol has no ids and no order but its own: one command is under way, the others
 *          wait. guest-sync-delimited finds the place again after a restart of the agent or a
 *          command that was given up.
 * Threads  the loop's thread.
 * Trust    The guest is hostile: lines are bounded (4 MiB), every command has its deadline, at most
 *          32 commands wait, and what a program printed is cut at AGENT_OUTPUT_MAX bytes a stream.
 */
#ifndef VM_LAUNCHER_AGENT_H
#define VM_LAUNCHER_AGENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"

/* Two streams in base64 stay below the 256 KiB of a JSON-RPC reply. */
#define AGENT_OUTPUT_MAX (90 * 1024)

struct agent;

struct agent_opts {
	void (*ready)(void *arg); /* it answers */
	void (*lost)(void *arg);  /* it answers no more; another ready may follow */
	void *arg;
};

/* result is borrowed; NULL on failure, when err says why. */
typedef void (*agent_fn)(void *arg, const json_t *result, const struct err *err);

/* fd becomes the agent's, on failure too. */
int agent_create(struct loop *loop, int fd, const struct agent_opts *opts, struct agent **out);
void agent_destroy(struct agent *a); /* accepts NULL; no more calls */

/* The guest opened or closed its end, or was reset: QEMU's events say so. */
void agent_port_opened(struct agent *a);
void agent_port_closed(struct agent *a);

bool agent_is_ready(const struct agent *a); /* between ready() and lost() */
struct loop *agent_loop(struct agent *a);   /* of agent_create() */

/* args is stolen, may be NULL; fn may be NULL. -EAGAIN through fn when the agent is not ready. */
void agent_call(struct agent *a, const char *command, json_t *args, int timeout_ms, agent_fn fn,
		void *arg);

/*
 * Runs argv (an array of texts) and waits for its end, at most timeout_ms. input (base64) may be NULL:
 * none. The result is an object:
 * status (exit status, 128 + signal), out and err (base64), truncated (bool).
 */
void agent_exec(struct agent *a, const json_t *argv, const json_t *input, int timeout_ms,
		agent_fn fn, void *arg);

#endif
