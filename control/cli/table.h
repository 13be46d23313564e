/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables for people: table_print() shows an array of JSON objects, one a line, by libsmartcols.
 */
#ifndef CONTROL_CLI_TABLE_H
#define CONTROL_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>

struct table_column {
	const char *title;
	const char *key; /* JSON key; numbers, booleans and null are printed as people read them */
	bool right;	 /* aligned right: numbers */
	/* Returns an allocated text for this row, or NULL to use key. */
	char *(*text)(const json_t *row);
};

/* columns, 32 at most, end with .title == NULL; one that is empty in every row is left out. Prints nothing but the
 * header for an empty list. */
void table_print(const struct table_column *columns, const json_t *rows);

#endif
