/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/role.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

const char *role_name(enum role r)
{
	static const char *const names[] = {"none", "view", "operate", "admin"};

	return names[r];
}

enum role role_needed(const struct method *m)
{
	return m->flags & METHOD_VIEW ? ROLE_VIEW : m->flags & METHOD_OPERATE ? ROLE_OPERATE : ROLE_ADMIN;
}

enum role role_of_peer(int fd, role_fn fn, void *ctx, uid_t *uid)
{
	gid_t groups[PEER_GROUPS_MAX];
	socklen_t len = sizeof(groups);
	struct rpc_peer peer = {.groups = groups};
	struct ucred cred;
	socklen_t cred_len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) < 0)
		return ROLE_NONE;
	/* Who is in more groups than are looked at has what its user and first group give. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		peer.n_groups = (unsigned)(len / sizeof(groups[0]));
	peer.pid = cred.pid;
	peer.uid = *uid = cred.uid;
	peer.gid = cred.gid;
	return fn(ctx, &peer);
}
