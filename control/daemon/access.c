/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_ID ((unsigned)-1)

void access_init(struct access *a)
{
	*a = (struct access){.self = geteuid(), .owner = (uid_t)NO_ID, .group = (gid_t)NO_ID};
}

/* A number stands for itself. */
static bool id_parse(const char *name, unsigned *id)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(name, &end, 10);
	if (errno || *end || end == name || *name == '-' || *name == '+' || n >= NO_ID)
		return false;
	*id = (unsigned)n;
	return true;
}

static int id_find(const char *option, bool is_group, const char *name, unsigned *id, struct err *err)
{
	const struct passwd *user = is_group ? NULL : getpwnam(name);
	const struct group *group = is_group ? getgrnam(name) : NULL;

	if (user)
		*id = user->pw_uid;
	else if (group)
		*id = group->gr_gid;
	else if (!id_parse(name, id))
		return err_set(err, -EINVAL, "%s: there is no %s \"%.64s\"", option, is_group ? "group" : "user",
			       name);
	return 0;
}

int access_add(struct access *a, const char *option, enum role role, const char *list, struct err *err)
{
	char *copy = strdup(list), *rest = copy;
	int rc = copy ? 0 : err_set(err, -ENOMEM, "out of memory");

	for (char *word; rc == 0 && (word = strsep(&rest, ",")) != NULL;) {
		bool is_group = word[0] == '%';
		unsigned id = NO_ID;

		if (a->n_who == ACCESS_MAX) {
			rc = err_set(err, -E2BIG, "%s: there are more than %d users and groups", option,
				     ACCESS_MAX);
			break;
		}
		rc = id_find(option, is_group, word + is_group, &id, err);
		if (rc < 0)
			err_hint(err, "a list is like alice,bob,%%staff: users, and groups with a %% before them");
		a->who[a->n_who].role = role;
		a->who[a->n_who].is_group = is_group;
		a->who[a->n_who].id = id;
		a->n_who += rc == 0;
	}
	free(copy);
	return rc;
}

int access_owner_set(struct access *a, const char *user, struct err *err)
{
	return id_find("--socket-owner", false, user, &a->owner, err);
}

int access_group_set(struct access *a, const char *group, struct err *err)
{
	return id_find("--socket-group", true, group, &a->group, err);
}

int access_ports(struct unix_path_access *a, const char *owner, const char *group, const char *mode,
		 struct err *err)
{
	const struct unix_path_words words[] = {{.owner = owner}, {.group = group}, {.mode = mode}};
	static const char *const options[] = {"--port-owner", "--port-group", "--port-mode"};
	int rc = 0;

	*a = (struct unix_path_access){.owner = (uid_t)NO_ID, .group = (gid_t)NO_ID, .mode = 0660};
	for (unsigned i = 0; rc == 0 && i < 3; i++) {
		rc = unix_path_access_words(a, &words[i], err);
		if (rc < 0)
			err_prefix(err, "%s", options[i]);
	}
	return rc;
}

mode_t access_mode(const struct access *a)
{
	return a->group != (gid_t)NO_ID ? 0660 : a->n_who ? 0666 : 0600;
}

static bool is_in(const struct rpc_peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

enum role access_role(void *ctx, const struct rpc_peer *peer)
{
	const struct access *a = ctx;
	enum role best = ROLE_NONE;

	if (!a->n_who || peer->uid == 0 || peer->uid == a->self || peer->uid == a->owner)
		return ROLE_ADMIN;
	for (unsigned i = 0; i < a->n_who; i++)
		if (a->who[i].role > best &&
		    (a->who[i].is_group ? is_in(peer, a->who[i].id) : peer->uid == a->who[i].id))
			best = a->who[i].role;
	return best;
}
