/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A JSON-RPC server that says what it likes, in a process of its own.
 *
 * Threads  any, one at a time.
 */
#ifndef TESTS_UNIT_RPC_LIAR_H
#define TESTS_UNIT_RPC_LIAR_H

#include <stddef.h>
#include <sys/types.h>

struct rpc_liar {
	char dir[32], path[64]; /* of its socket, switch.sock in dir */
	pid_t pid;
};

/* talk has each connection, one after the other; its end closes it. */
void rpc_liar_begin(struct rpc_liar *l, void (*talk)(int fd));
void rpc_liar_end(struct rpc_liar *l);

/* For talk: the next line of the client without its end; false: it has gone. */
int liar_hears(int fd, char *line, size_t size);
/* All of it; the client may have gone. */
void liar_says(int fd, const void *text, size_t len);
void liar_says_text(int fd, const char *text);
/* That as the answer to the line. */
void liar_answers(int fd, const char *line, const char *result);

#endif
