/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may use the control socket, and for what: the options --socket-owner, --socket-group, --view, --operate
 * and --admin.
 *
 * What     Without a list, whoever the socket's file lets in is an admin: its owner, and its group where one
 *          was given. With lists, the file lets everybody in and the kernel's word about the client's user and
 *          groups decides; --socket-group keeps others from the file then too. Root and the switch's own user
 *          are admins always.
 * Threads  control only. Names are looked up once, at the start: a name service may take its time.
 */
#ifndef CONTROL_DAEMON_ACCESS_H
#define CONTROL_DAEMON_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/unix_path.h"
#include "control/rpc/role.h"

#define ACCESS_MAX 64 /* users and groups, in all lists */

struct access {
	struct {
		enum role role;
		bool is_group;
		unsigned id;
	} who[ACCESS_MAX];
	unsigned n_who;
	uid_t self;  /* who runs the switch, whoever forwards */
	uid_t owner; /* of the socket's file; (uid_t)-1: the switch's user */
	gid_t group; /* (gid_t)-1: the switch's group, which the file is closed to */
};

/* Nobody but the switch's user and root. */
void access_init(struct access *a);

/* Adds "alice,%staff,1000": users, and groups with a % before them. -EINVAL with a sentence that names
 * option. */
int access_add(struct access *a, const char *option, enum role role, const char *list, struct err *err);
int access_owner_set(struct access *a, const char *user, struct err *err);
int access_group_set(struct access *a, const char *group, struct err *err);

/* What the sockets of ports get: --port-owner, --port-group, --port-mode, each NULL where it was not given. */
int access_ports(struct unix_path_access *a, const char *owner, const char *group, const char *mode,
		 struct err *err);

/* The mode that the socket's file has. */
mode_t access_mode(const struct access *a);

/* A role_fn; ctx: the struct access. The highest of what its user and its groups give. */
enum role access_role(void *ctx, const struct rpc_peer *peer);

#endif
