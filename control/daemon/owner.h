/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Owner notes: what the daemon remembers of each bridge and port beside what the switch knows.
 * They hang on bridge_user() and port_user(); both ends of a link share one.
 *
 * What     An object belongs to a lab, or to nobody (made by hand). Transient objects
 *          (all of labs, and the NIC ports that the launcher makes) are neither saved nor shown in
 *          the configuration, and apply does not touch them.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_OWNER_H
#define CONTROL_DAEMON_OWNER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/err.h"
#include "control/daemon/daemon.h"

struct watch;

struct owner {
	char *lab; /* LAB or LAB@COPY; NULL: nobody */
	bool transient;
	json_t *settings; /* the parameters that made it, without name and owner */
	/* control/daemon/mirror.c: of a port that is a mirror's; what it was made of, NULL: none */
	struct watch *mirror; /* NULL: none of its ports is there, or all places are taken */
	json_t *mirror_made;
	struct port *mirror_to;
	LIST_ENTRY(owner) mirror_link;
};

/* Reads lab and transient of params and checks that name suits them: a prefix LAB/ belongs to
 * objects of that lab and to all of them, a dot to NICs. */
int owner_create(const char *name, const json_t *params, struct owner **out, struct err *err);
void owner_free(struct owner *o); /* accepts NULL */

const struct owner *bridge_owner(const struct bridge *br);
const struct owner *port_owner(const struct port *p);

/* True when the object is part of the hand-made configuration. */
bool owner_saved(const struct owner *o);

/*
 * Find by full name, or by a bare one that is unique: "h1.0" is "two-vlans/h1.0" where no other
 * h1.0 is. A name within lab (may be NULL) is preferred. -ENOENT, or -EINVAL with the candidates.
 */
int bridge_resolve(struct daemon *d, const char *name, const char *lab, struct bridge **out,
		   struct err *err);
int port_resolve(struct daemon *d, const char *name, const char *lab, struct port **out,
		 struct err *err);

#endif
