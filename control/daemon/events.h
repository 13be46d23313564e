/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events: what happens in the switch, told to clients that asked for it.
 *
 * What     An event is {time, kind, object, …}: time in seconds since 1970, kind "port.state",
 *          "mac.move" … (control/daemon/event_sources.c makes them), object whom it is about.
 * How      Published events wait in one queue. Each round of the loop sends up to 64 of them to the
 *          subscribers whose kinds they match, as JSON-RPC notifications "event", with one write for
 *          each. Without a subscriber nothing is built or kept.
 * Threads  events_publish(), events_wanted(): any. The rest: control.
 * Trust    A subscriber that does not read costs RPC_NOTIFY_MAX_BYTES: what finds no room is
 *          counted and said with the next event that does ("lost"), within a second of its reading again.
 * Limits   EVENTS_QUEUED wait for the loop; what is beyond counts as lost for everybody.
 */
#ifndef CONTROL_DAEMON_EVENTS_H
#define CONTROL_DAEMON_EVENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "control/rpc/server.h"

struct events;

/* wanted(arg, …) hears when somebody wants moves of addresses ("mac.move"), and when nobody does any
 * more. May be NULL. */
typedef void (*events_wanted_fn)(void *arg, bool wanted);

int events_create(struct loop *loop, events_wanted_fn fn, void *arg, struct events **out,
		  struct err *err);
/* After the server; accepts NULL. */
void events_destroy(struct events *e);

/* False while nobody listens: then an event need not be built. Accepts NULL. */
bool events_wanted(const struct events *e);

/* Adds time, kind and object to more (stolen; NULL: none) and queues it. Accepts NULL. */
void events_publish(struct events *e, const char *kind, const char *object, json_t *more);

/* Makes call's connection a subscriber to the kinds in the array (NULL or empty: all) about the objects
 * in the other one (the same). "port" means all kinds that begin with "port.". Asked again, both are
 * replaced. */
int events_subscribe(struct events *e, struct rpc_call *call, const json_t *kinds,
		     const json_t *objects, struct err *err);

#endif
