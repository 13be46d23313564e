/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bridges and ports with their settings and owners: made, changed and dropped in one step each,
 * for handlers, apply and restore alike. A step that fails leaves nothing behind.
 *
 * How      params are those of bridge.add and port.add, checked by their rows. names in
 *          settings are full names.
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_OBJECTS_H
#define CONTROL_DAEMON_OBJECTS_H

#include <jansson.h>

#include "base/err.h"
#include "control/daemon/daemon.h"

/* Settings that could never work are refused here, before anything is touched. */
int bridge_settings_check(const json_t *settings, struct bridge_opts *opts, struct err *err);
int port_settings_check(struct daemon *d, const json_t *settings, struct err *err);

/* "stp,lldp", "all" or "none" into buf, which is returned. */
char *reserved_text(uint16_t groups, char *buf, size_t size);

/* How settings are written down. */
#define SETTINGS_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15))

int bridge_make(struct daemon *d, const json_t *params, struct err *err);
/* From a predecessor's slot, with its addresses. */
int bridge_take(struct daemon *d, unsigned slot, const json_t *params, struct err *err);
int bridge_drop(struct bridge *br, struct err *err);
/* Makes all settings those given. */
int bridge_change(struct bridge *br, const json_t *settings, struct err *err);

int port_make(struct daemon *d, const json_t *params, struct err *err);
/* Whether that would come to the point where its driver makes it. */
int port_make_check(struct daemon *d, const json_t *params, struct err *err);
/* From a predecessor's slot, with what it had agreed with its other side. */
int port_take(struct daemon *d, unsigned slot, const struct slot_info *info, const json_t *params,
	      struct err *err);
/* Its settings outlive a crash as they are now. */
int port_remember(struct port *p, struct err *err);
/* Either end of a link drops both. */
int port_drop(struct port *p, struct err *err);
/* Makes VLANs, guards and limits, MTU and down those given; the rest of settings must be what it was. */
int port_change(struct port *p, const json_t *settings, struct err *err);

/* A page of all ports from params' cursor on, each as json() has it, and of what more() has after them: the i-th, or
 * NULL. more may be NULL. */
json_t *ports_page(struct daemon *d, const json_t *params, size_t n_default,
		   json_t *(*json)(const struct port *p), json_t *(*more)(const struct daemon *d, size_t i));

/* True when a port can be changed from one to the other in place, without being made anew. */
bool port_settings_alike(const json_t *a, const json_t *b);

/* A copy of settings with texts (key: value) read by the row and put in. keys: the ones that may
 * be set, NULL-ended. "none" takes a key away. */
int settings_merge(const json_t *settings, const json_t *texts, const struct method *row,
		   const char *const *keys, json_t **out, struct err *err);

#endif
