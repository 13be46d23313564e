/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words of others, made fit to be shown: to a terminal, as JSON, in a log.
 *
 * Threads  any.
 * Trust    The text is anybody's: a guest's agent, a user's file, cut anywhere.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * In place, never longer: afterwards it is valid UTF-8 without control characters. A letter that was
 * cut at the end goes, a byte that is no UTF-8 becomes "?", white space one blank each, other
 * control characters (escapes, C1, those that turn the direction of writing) "?".
 */
void text_clean(char *text);

#endif
