/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML files with a place: each node knows its line and column, so that a sentence
 * about it can say where.
 *
 * What     Reads one document into a tree of scalars, lists and maps, and turns maps
 *          into checked JSON parameters by the rows of a method (control/rpc/method.h).
 * How      libyaml's events; keys are plain texts, equal keys in one map are refused.
 *          An alias is the node it names. Types are decided by who asks, not by
 *          YAML's guesses: `name: no` is a text where a text is wanted.
 * Threads  any; a document belongs to its caller.
 * Trust    Files are hostile: at most 1 MiB, 64 levels and 200,000 nodes; an alias
 *          cannot name a node that it is in, and what aliases make of a file when they
 *          are followed is bounded like nodes.
 */
#ifndef CONTROL_YAML_LOAD_H
#define CONTROL_YAML_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "control/rpc/method.h"

#define YAML_MAX_BYTES (1024 * 1024)

enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_LIST, YAML_KIND_MAP };

struct yaml_node;

struct yaml_entry {
	const struct yaml_node *key; /* NULL in a list */
	const struct yaml_node *value;
};

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1 */
	bool quoted;	       /* scalar: written in quotes, so a text whatever it looks like */
	const char *text;      /* scalar; "" for an empty one */
	unsigned n;	       /* list, map: entries, in the order of the file */
	const struct yaml_entry *entries;
};

struct yaml_doc;

/* Reads text; file is what sentences call it. -EINVAL with "FILE:LINE:COLUMN: what is wrong". */
int yaml_load(const char *text, size_t len, const char *file, struct yaml_doc **out,
	      struct err *err);
void yaml_doc_free(struct yaml_doc *doc); /* accepts NULL; libyaml has a yaml_free() of its own */

/* Reads the whole of the open file fd, at most YAML_MAX_BYTES; then as yaml_load(). */
int yaml_load_fd(int fd, const char *file, struct yaml_doc **out, struct err *err);

/* Never NULL: an empty file is refused. */
const struct yaml_node *yaml_root(const struct yaml_doc *doc);

/* The value of key in map, or NULL; NULL too when map is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* True for a value left empty, `~` or `null`: `sw1:` means the same as `sw1: {}`. */
bool yaml_is_null(const struct yaml_node *node);

/* Fills err with "FILE:LINE:COLUMN: …" for the place of node; returns -EINVAL. */
int yaml_fail(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Refuses a node that is no map, or a key that is none of known (ends with NULL), naming the
 * nearest known word. what is what sentences call it: "a bridge". A null node passes. */
int yaml_keys(const struct yaml_doc *doc, const struct yaml_node *map, const char *what,
	      const char *const *known, struct err *err);

/*
 * Turns a map into parameters by rows: each value is read as the row's type and range
 * checked, '-' and '_' in keys are the same, unknown keys are refused with the nearest known word.
 * Rows that are positional or JSON-only are no keys; a PARAM_JSON row is a known key that is left
 * to the caller. A null map gives {}. *out is a new reference.
 */
int yaml_params(const struct yaml_doc *doc, const struct yaml_node *map, const char *what,
		const struct param *rows, json_t **out, struct err *err);

/* One value by one row, as yaml_params() does it. key is what sentences call it. */
int yaml_param(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
	       const struct param *row, json_t **out, struct err *err);

#endif
