/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port types: how `port add --type T` becomes a port.
 *
 * What     One row a type; port_types[] in control/daemon/port_types.c lists those of this build.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_PORT_TYPE_H
#define CONTROL_DAEMON_PORT_TYPE_H

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/unix_path.h"
#include "switch/switch.h"

#define PORT_AGAIN_NS  (2 * MS_NS) /* between two tries */
#define PORT_AGAIN_MAX (500 * MS_NS)

struct port_type {
	const char *name;	 /* as in cli.md */
	const char *const *keys; /* parameters of its own, beside those of every port; NULL-ended */

	/* Refuses settings that could never work, without touching anything. May be NULL. */
	int (*check)(const json_t *settings, struct err *err);

	/* Makes the port. settings were checked by the row and by check(). -EAGAIN: what it needs is perhaps being
	 * let go of just now, and PORT_AGAIN_MAX is long enough for that. */
	int (*add)(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		   struct port **out, struct err *err);
};

struct device_opener;

extern const struct port_type *const port_types[]; /* ends with NULL */

extern const struct port_type port_type_link, port_type_vhost_user;
extern const struct port_type port_type_tap, port_type_dgram, port_type_uplink;
extern const struct port_type port_type_nat;

/* Before the first port of the host is made. helper_fd: to lanyard-host, becomes its own; -1: what a switch of
 * this run dir has left behind is found and dealt with here. After the saved ones were made: what none of them
 * took over is undone. */
int host_ports_begin(struct loop *loop, const char *run_dir, int helper_fd, struct err *err);
void host_ports_settle(void);
/* Opens the devices that were taken over: the last time that rights are needed for those. */
void host_ports_open(void);
/* From now on others open them. */
void host_ports_confined(const struct device_opener *opener);
/* Before the switch is destroyed. */
void host_ports_leave(struct switch_ *sw);
void host_ports_end(void);

/* Whose the file of its own socket shall be, of settings with these keys; the texts are theirs. */
#define SOCKET_KEYS "owner", "group", "mode"
struct unix_path_words port_socket_words(const json_t *settings);
/* -EINVAL: no mode of a socket; a number at least is checked before anything is made. */
int port_socket_check(const json_t *settings, struct err *err);

/* The type of that name, or NULL with a sentence that says which this build has. */
const struct port_type *port_type_find(const struct port_type *const *types, const char *name,
				       struct err *err);

#endif
