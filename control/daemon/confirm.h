/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An apply that waits for its confirmation, and the way back.
 *
 * How      What is saved stays the configuration before, until the confirmation comes. What is tried lies beside it in
 *          the state folder, with the deadline: whoever goes on, after a crash, a succession, an upgrade or a
 *          start, tries on until then, and goes back when it has passed, or at once where the machine itself has
 *          started anew. What was tried beside another saved configuration than this one is over.
 * Threads  control only.
 * Trust    The file is checked as a saved configuration is; the deadline is CONFIRM_MAX_NS away at most.
 */
#ifndef CONTROL_DAEMON_CONFIRM_H
#define CONTROL_DAEMON_CONFIRM_H

#include <jansson.h>

#include "control/daemon/daemon.h"

#define CONFIRM_MAX_NS (3600 * S_NS)

/* What runs is tried from now on. before, whose reference it takes, is what to go back to. -errno with a sentence: nothing
 * is awaited. */
int confirm_begin(struct daemon *d, json_t *before, double confirm_s, struct err *err);

/* It is confirmed, or gone back from, and that is saved. */
void confirm_end(struct daemon *d);

/* Where the saved configuration is damaged: takes what the note of a trial of this start of the machine says of it for
 * what is saved, and puts it in *document's place. False: there is no such note. */
bool confirm_mend(struct daemon *d, json_t **document);
/* What a predecessor tried and may still be: a new reference, for confirm_go_on(). NULL: nothing. */
json_t *confirm_left(struct daemon *d);
/* The configuration in it. */
const json_t *confirm_tried(const json_t *left);
/* That is made now, and waits on. */
void confirm_go_on(struct daemon *d, const json_t *left);

#endif
