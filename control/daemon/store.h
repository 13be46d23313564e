/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The saved configuration: checksummed files in the state dir, the newest and those before it.
 *
 * What     config.json is the newest, config.1.json the one before, up to config.4.json. config.trial.json is what an apply
 *          tries until it is confirmed (control/daemon/confirm.h).
 * How      A new one is written beside, synced, renamed into place, and the folder synced:
 *          a crash at any moment leaves config.json whole, old or new. Only then the older ones move
 *          back, so a save that fails changes none of them.
 *          A trial is only renamed into place: it has to outlive processes, and no start of the machine.
 * Threads  control only.
 * Trust    Files may be damaged: the checksum decides, and the next older one is tried.
 * Limits   STORE_GENERATIONS files.
 */
#ifndef CONTROL_DAEMON_STORE_H
#define CONTROL_DAEMON_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define STORE_GENERATIONS 5

struct store {
	int dir_fd;   /* -1: nothing is saved */
	char *newest; /* text: what was loaded or saved last */
	bool behind;  /* an older generation was loaded: config.json is damaged or missing */
};

/* Opens dir, which must exist. */
int store_open(struct store *s, const char *dir, struct err *err);
void store_close(struct store *s);

/* Saves document as the newest generation, unless it is what the newest holds. -errno with a sentence: every
 * generation is as before. */
int store_save(struct store *s, const json_t *document, struct err *err);

/* What was saved or loaded last, nothing at first; a new reference. -ENOMEM. */
int store_saved(const struct store *s, json_t **document);

/* Takes document for what was saved last, where a better source than damaged files says so; the next save writes it.
 * -ENOMEM. */
int store_believe(struct store *s, const json_t *document);

/* Reads generation n (0: the newest). -ENOENT when there is none, -EBADMSG when it is damaged. */
int store_read(struct store *s, unsigned n, json_t **document, struct err *err);

/* When generation n was saved, in seconds since 1970; 0: it is not there. */
void store_saved_at(const struct store *s, unsigned n, uint64_t *time_s);

/* Reads the newest one that is whole. Damaged ones before it are appended to warnings, as texts.
 * *document is NULL when nothing was ever saved. */
int store_load(struct store *s, json_t **document, json_t *warnings, struct err *err);

/* What is tried: -errno with a sentence, and the one before is as it was. */
int store_trial_save(struct store *s, const json_t *trial, struct err *err);
/* -ENOENT, without a sentence of its own: nothing is. */
int store_trial_load(struct store *s, json_t **trial, struct err *err);
void store_trial_drop(struct store *s);

#endif
