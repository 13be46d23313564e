/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts of JSON objects, to be shown or compared where a missing one is as good as an empty one.
 *
 * Threads  any.
 */
#ifndef CONTROL_RPC_TEXT_OF_H
#define CONTROL_RPC_TEXT_OF_H

#include <jansson.h>

/* The text at key, good while o is; "" where there is none. */
static inline const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

#endif
