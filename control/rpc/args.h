/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command lines: words to JSON parameters, by the rows of a method.
 *
 * How      `--name VALUE`, `--name=VALUE`, flags without a value; a name may be cut short
 *          while it stays unambiguous. A parameter whose name is one letter is written
 *          `-f`. Positional words and options mix freely; `--` ends options and begins
 *          a PARAM_REST.
 * Threads  any.
 */
#ifndef CONTROL_RPC_ARGS_H
#define CONTROL_RPC_ARGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "control/rpc/method.h"

/* Rows and where their values go; common rows are those every command of a program knows. */
struct args {
	const struct param *own, *common;
	json_t *own_values, *common_values; /* objects, the caller's */
};

/* Reads the option that words[0] is, with its value. Returns how many words it took, or -EINVAL. */
int args_option(const struct args *a, int n_words, char *const *words, struct err *err);

/* Reads all words. -EINVAL with a sentence. Does not ask for required ones: args_missing(). */
int args_parse(const struct args *a, int n_words, char *const *words, struct err *err);

/* -EINVAL with a sentence when a required parameter is not among the values. */
int args_missing(const struct args *a, struct err *err);

/* True when word is written like an option. */
bool args_is_option(const char *word);

#endif
