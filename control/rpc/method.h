/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Methods: one static table row describes a JSON-RPC method and, with the same
 * words, the CLI command that calls it.
 *
 * What     From the rows come: decoding and range checks (in the CLI before a call and
 *          again in the server, which trusts no client), `--help`, bash completion,
 *          the man page of commands, and `rpc.list`.
 * How      Rows hold policy, handlers hold work. Adding a command is one row and one
 *          handler.
 * Threads  rows are constant; everything here is for control threads.
 * Trust    method_check() sees hostile JSON: unknown keys, wrong types, ranges and
 *          over-long texts are refused by name of the parameter.
 */
#ifndef CONTROL_RPC_METHOD_H
#define CONTROL_RPC_METHOD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* How a parameter is written on the command line and in JSON. */
enum param_type {
	PARAM_STRING,	/* any text up to 4096 bytes; min/max bound its length when set */
	PARAM_NAME,	/* a name of cli.md, with LAB/ or LAB@COPY/ prefix allowed */
	PARAM_INT,	/* integer in min..max */
	PARAM_BOOL,	/* flag without a value */
	PARAM_ENUM,	/* one of the words in `arg`, "a|b|c" */
	PARAM_DURATION, /* "300s" "10m" "500ms" or a plain number of seconds; JSON: seconds (real)
			 */
	PARAM_SIZE,	/* "512M" "1G" or bytes; JSON: bytes (integer) */
	PARAM_VIDS,	/* "10,20-29"; JSON: the same text or [[lo, hi], …] */
	PARAM_MAC,	/* "02:00:00:00:00:01" */
	PARAM_LIST,	/* repeatable text; JSON: array of texts */
	PARAM_PAIRS,	/* repeatable positional k=v; JSON: object of texts */
	PARAM_REST,	/* everything after `--`; JSON: array of texts */
	PARAM_JSON,	/* JSON only (a parsed document); the CLI's handler fills it in */
};

enum param_flags {
	PARAM_REQUIRED = 1 << 0,
	PARAM_POSITIONAL = 1 << 1, /* no `--name` before it; may be combined with PARAM_LIST */
	PARAM_JSON_ONLY = 1 << 2,  /* never on the command line (cursor, lab …) */
	PARAM_CLI_ONLY = 1 << 3,   /* for the command's own use, not sent */
};

struct param {
	const char *name; /* JSON key; the option is --name with '-' for '_' */
	enum param_type type;
	unsigned flags;
	int64_t min, max; /* PARAM_INT, PARAM_DURATION (s), PARAM_SIZE: inclusive; 0,0: no bound */
	const char *arg;  /* "SOCK" in `--path SOCK`; the words of a PARAM_ENUM */
	const char *help; /* one line, no full stop */
};

enum method_flags {
	METHOD_MUTATES = 1 << 0, /* the hand-made configuration is saved after success */
	METHOD_PAGED = 1 << 1,	 /* takes cursor and limit, answers {items, next} */
	METHOD_LOCAL = 1 << 2,	 /* carried out by the CLI; no server has it */
	METHOD_HIDDEN = 1 << 3,	 /* no CLI command of its own */
	METHOD_SLOW = 1 << 4,	 /* may take minutes; the CLI waits for it */
	/* Whose it is, see control/rpc/role.h; neither: an admin's. */
	METHOD_VIEW = 1 << 5,
	METHOD_OPERATE = 1 << 6,
};

struct method {
	const char *rpc;	    /* "port.add" */
	const char *words;	    /* "port add": the CLI command; NULL with METHOD_HIDDEN */
	const char *summary;	    /* one line, imperative, no full stop */
	const struct param *params; /* ends with .name == NULL; NULL: none */
	unsigned flags;
	const char *details; /* paragraphs for the man page, or NULL */
};

/*
 * Checks hostile params against the row and fills in nothing: after 0 every present
 * key is known, of its type and in range, and every required key is present. -EINVAL
 * with the parameter's name in err otherwise (the server answers -32602).
 */
int method_check(const struct method *m, const json_t *params, struct err *err);

/*
 * Turns the words of one parameter into JSON, range checked. 0, or -EINVAL with a sentence that
 * names the parameter as it is written on the command line. Of a PARAM_LIST or PARAM_REST this is
 * one element (a text), of PARAM_PAIRS one pair (an object).
 */
int param_parse(const struct param *p, const char *text, json_t **out, struct err *err);

/* The same with a sentence that names no parameter, for readers with a place of their own to
 * name (file, line, column). */
int param_value(const struct param *p, const char *text, json_t **out, struct err *err);

/* One parameter's hostile JSON value. The sentence names no parameter. */
int param_check(const struct param *p, const json_t *value, struct err *err);

/* "--max-macs", "-w", or "BR" where it is positional; into buf, which is returned. */
char *param_label(const struct param *p, char *buf, size_t size);

/* The row's parameter of that JSON name, or NULL. */
const struct param *method_param(const struct method *m, const char *name);

/* Refuses an unknown parameter by name and adds the nearest known one as hint. -EINVAL. */
int param_unknown(const struct param *known, const char *name, struct err *err);

/* True for a name of cli.md: [a-zA-Z0-9][a-zA-Z0-9_-]{0,31}. */
int name_is_plain(const char *s);

/* True for a plain name or LAB/NAME, LAB@COPY/NAME, [LAB/]VM.NIC. */
int name_is_full(const char *s);

/* True for a full name, or one with the `~peer` that the other end of a link carries. */
int name_is_object(const char *s);

/* True for LAB or LAB@COPY. */
int name_is_lab(const char *s);

#endif
