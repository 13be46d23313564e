/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon: what its handlers work on.
 *
 * What     One process with one loop, one switch and one JSON-RPC server.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_DAEMON_H
#define CONTROL_DAEMON_DAEMON_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/loop.h"
#include "control/daemon/port_type.h"
#include "control/daemon/store.h"
#include "control/rpc/server.h"
#include "switch/switch.h"

struct apply;
struct device_want;
struct events;
struct metrics;
struct opener;
struct vm_seen;

/* Deaths of those before, or planned successions: how many, and the last one. */
struct past {
	unsigned n;
	uint64_t at_ns, gap_ns; /* since when nobody forwarded, and how long */
	char reason[96];
};

/* What the keeper tells of those before. */
struct restarts {
	int keeper_pid; /* 0: no keeper */
	struct past deaths, planned;
	struct past *last; /* the one that brought this process; NULL: it is the first */
};

/* What is asked of the keeper; see control/daemon/succession.h. NULL where there is none. */
struct daemon_keeper {
	void (*ask)(void *arg, const char *reason);
	void (*refuse)(void *arg, const char *text);
	void (*open)(void *arg, uint32_t number, const struct device_want *w);
	void (*unopen)(void *arg);
	void *arg;
};

struct daemon {
	struct loop *loop;
	struct switch_ *sw;
	struct rpc_server *server;
	const struct port_type *const *types; /* ends with NULL */
	struct store store;
	const char *run_dir; /* NULL in tests */
	struct rlimit nofile; /* how many files it may open */
	uint64_t start_ns; /* of the keeper, where there is one */
	struct restarts restarts;
	struct daemon_keeper keeper;
	struct loop_timer *yield_timer; /* while it is about to yield */
	struct loop_timer *hold_timer;	/* while new clients wait for the one that it will yield to */
	uint64_t yield_since_ns;
	/* Called when all is made that was saved and left, before a frame is read; or NULL. */
	int (*restored)(void *arg, struct err *err);
	void *restored_arg;
	struct opener *opener; /* of devices; NULL: this process opens them itself */
	const char *confined; /* what is left to the process; NULL: all that whoever started it has */

	/* Hand-made objects of the saved configuration that could not be made at start: they stay
	 * saved, so that a socket folder that is missing once does not cost a port.
	 * {bridges: {name: settings}, ports: {…}} */
	json_t *kept_out;
	json_t *kept_why; /* {bridges: {name: text}, ports: {…}}, of these and of some that were */
	json_t *kept_saved; /* the same as of what is saved: it comes back with that */
	json_t *warnings; /* of the start, for status and doctor: texts */

	struct apply *apply;  /* the one under way, or NULL */
	json_t *before_apply; /* what rollback goes back to while a confirmation is awaited */
	struct loop_timer *confirm_timer;
	uint64_t confirm_due_ns;

	struct events *events;	/* NULL in some tests */
	LIST_HEAD(, vm_seen) vms; /* whose supervisors are connected, see control/daemon/vms.h */

	uint64_t version; /* changes when a port, bridge or VM comes or goes */
	struct metrics *metrics; /* NULL: not served */

	bool until_unused; /* end with the last lease */
	bool had_lease;
	bool last_lease; /* the one whose holder spoke last is followed by no other */
	unsigned n_leases;
	struct loop_timer *lease_timer, *stop_timer;
};

/* The methods that the daemon serves; ends with .method == NULL. */
extern const struct rpc_method daemon_methods[];

/* Ends the loop soon: after the replies of this round have been sent. */
void daemon_stop_soon(struct daemon *d, const char *why);

/* With until_unused: begins to wait for the first lease. */
void daemon_lease_wait(struct daemon *d);

/* Saves the hand-made part when it differs from what is saved; the server's after_change. -errno with a
 * sentence: what runs goes back to what is saved. */
int daemon_save(void *ctx, struct err *err);

/* Makes the objects of the saved configuration. What cannot be made is said and kept out. Fails as restored() does. */
int daemon_restore(struct daemon *d, struct err *err);

/* Frees what handlers attached to bridges and ports; before switch_destroy(). */
void daemon_forget(struct daemon *d);

#endif
