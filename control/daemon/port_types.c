/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/port_type.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vhost-user/vu_port.h"

const struct port_type *const port_types[] = {
	&port_type_vhost_user,
	&port_type_tap,
	&port_type_dgram,
	&port_type_nat,
	&port_type_uplink,
	&port_type_link,
	NULL,
};

const struct port_type *port_type_find(const struct port_type *const *types, const char *name,
				       struct err *err)
{
	char have[128] = "";
	size_t len = 0;

	for (const struct port_type *const *t = types; *t; t++) {
		if (!strcmp((*t)->name, name))
			return *t;
		len += (size_t)snprintf(have + len, sizeof(have) - len, "%s%s", len ? ", " : "",
					(*t)->name);
		if (len >= sizeof(have))
			break;
	}
	err_set(err, -EINVAL, "this build has no port type \"%.32s\"; it has %s", name, have);
	return NULL;
}

/* ---- a socket's file ---- */

struct unix_path_words port_socket_words(const json_t *settings)
{
	return (struct unix_path_words){
		.owner = json_string_value(json_object_get(settings, "owner")),
		.group = json_string_value(json_object_get(settings, "group")),
		.mode = json_string_value(json_object_get(settings, "mode")),
	};
}

int port_socket_check(const json_t *settings, struct err *err)
{
	const char *mode = json_string_value(json_object_get(settings, "mode"));

	return mode ? unix_path_mode_check(mode, err) : 0;
}

/* ---- vhost-user: a virtio-net device whose front end is at a socket ---- */

static int vhost_user_check(const json_t *settings, struct err *err)
{
	const char *path = json_string_value(json_object_get(settings, "path"));

	if (!path)
		return err_set(err, -EINVAL, "a vhost-user port needs a path, its socket");
	if (path[0] != '/')
		return err_set(err, -EINVAL, "path \"%.100s\" does not begin with /", path);
	if (!json_is_true(json_object_get(settings, "listen")) &&
	    (json_object_get(settings, "owner") || json_object_get(settings, "group") ||
	     json_object_get(settings, "mode"))) {
		err_set(err, -EINVAL, "a port that connects has no socket of its own: owner, group and mode belong "
				      "to one that listens");
		return err_hint(err, "add --listen");
	}
	return port_socket_check(settings, err);
}

static int vhost_user_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
			  struct port **out, struct err *err)
{
	struct vu_port_opts vu = {
		.port = *opts,
		.path = json_string_value(json_object_get(settings, "path")),
		.listen = json_is_true(json_object_get(settings, "listen")),
		.n_queues = (unsigned)json_integer_value(json_object_get(settings, "queues")),
		.whose = port_socket_words(settings),
		.keep_open = json_object_get(settings, "carrier") != NULL,
	};

	return vu_port_add(sw, &vu, out, err);
}

static const char *const vhost_user_keys[] = {"path", "listen", "queues", "carrier", SOCKET_KEYS, NULL};
const struct port_type port_type_vhost_user = {"vhost-user", vhost_user_keys, vhost_user_check,
					       vhost_user_add};

/* ---- link: a wire between two bridges ---- */

static int link_check(const json_t *settings, struct err *err)
{
	const json_t *bridge = json_object_get(settings, "bridge");
	const json_t *peer = json_object_get(settings, "peer_bridge");

	if (!peer)
		return err_set(err, -EINVAL,
			       "a link needs a peer-bridge, the one at its other end");
	if (json_equal(bridge, peer))
		return err_set(err, -EINVAL, "both ends would be on bridge \"%s\"",
			       json_string_value(bridge));
	return 0;
}

static int link_make(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		     struct port **out, struct err *err)
{
	const char *peer = json_string_value(json_object_get(settings, "peer_bridge"));
	struct bridge *br = bridge_find(sw, peer);

	if (!br)
		return err_set(err, -ENOENT, "there is no bridge \"%s\"", peer);
	return link_add(sw, opts, br, out, err);
}

static const char *const link_keys[] = {"peer_bridge", NULL};
const struct port_type port_type_link = {"link", link_keys, link_check, link_make};
