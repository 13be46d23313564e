/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Roles: what a client of a server may do. A method's row says which role it needs.
 *
 * Threads  pure.
 */
#ifndef CONTROL_RPC_ROLE_H
#define CONTROL_RPC_ROLE_H

#include <sys/types.h>

#include "control/rpc/method.h"

/* Each may do what those before it may. */
enum role {
	ROLE_NONE,    /* not even ask */
	ROLE_VIEW,    /* METHOD_VIEW: look, and change nothing */
	ROLE_OPERATE, /* METHOD_OPERATE: keep what is there running */
	ROLE_ADMIN,   /* every other method: make, change, delete, end */
};

const char *role_name(enum role r); /* "none", "view", "operate", "admin" */

/* What the row asks for. */
enum role role_needed(const struct method *m);

/* The other end of a connection, as the kernel saw it connect: SO_PEERCRED, SO_PEERGROUPS. */
struct rpc_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary ones */
	unsigned n_groups;
};

typedef enum role (*role_fn)(void *ctx, const struct rpc_peer *peer);

#define PEER_GROUPS_MAX 256 /* of these are looked at */

/* Asks fn about who is at the other end of fd; ROLE_NONE too where the kernel does not say. *uid is set where
 * it does. */
enum role role_of_peer(int fd, role_fn fn, void *ctx, uid_t *uid);

#endif
