/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors that people read: one sentence with object, value and rule, and
 * apart from it the way out.
 *
 * How      Functions that can fail return 0 or -errno and, when they are control
 *          operations, also fill a struct err that the caller owns. The sentence
 *          goes to the person as it is; the code goes to scripts. Whatever it quotes, cut or not, it is
 *          UTF-8 without control characters (text.h).
 * Threads  any; a struct err belongs to its caller.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	int code;	/* -errno, or a JSON-RPC code below -32000; 0: no error */
	char text[384]; /* `port "vm3": vlan 5000 is outside 1-4094`, no full stop */
	char hint[256]; /* what to do about it; empty when there is nothing to add */
};

/* An empty error, for declarations: struct err err = ERR_NONE; */
#define ERR_NONE \
	{ \
		0, "", "" \
	}

/* Fills *e (which may be NULL) and returns code, so that `return err_set(…)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Adds the way out to *e (which may be NULL); returns e->code. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts `prefix: ` before the sentence, for a caller that knows the object. Returns e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
