/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hand-made part as a document, {bridges: {name: settings}, ports: {name: settings}}.
 *
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_CONFIG_H
#define CONTROL_DAEMON_CONFIG_H

#include <jansson.h>

#include "control/daemon/daemon.h"

/* What runs now; a new reference with copies of the settings. */
json_t *config_document(struct daemon *d);

/* The same and what was kept out at start; a new reference. */
json_t *config_to_save(struct daemon *d);
/* What is saved, without what was kept out of that; a new reference, or NULL. */
json_t *config_saved(struct daemon *d);

/* Saves it, and what was kept out at start. -errno with a sentence, and what was saved before still is; what runs is not touched. */
int config_save(struct daemon *d, struct err *err);

/* What is kept out belongs to what is saved from here on; it is again what belongs to that. */
void config_kept_note(struct daemon *d);
void config_kept_back(struct daemon *d);

/* Settings plus name, as parameters for bridge_make() or port_make(). */
json_t *config_params(const char *name, const json_t *settings);

/* A copy of settings in the one form they are kept and compared in: no flags that are false, VLANs
 * as pairs, durations of 15 digits, whole seconds as integers. */
json_t *settings_normal(const json_t *settings);

/* True where they differ at most in defaults that one of them writes out. */
bool settings_mean_the_same(const json_t *a, const json_t *b);

/* The same for all settings of a document that apply was given. */
json_t *config_normal(const json_t *document);

#endif
