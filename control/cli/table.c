/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32

/* A value as people read it; allocated. */
static char *value_text(const json_t *value)
{
	char *text = NULL;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return strdup(json_string_value(value));
	case JSON_INTEGER:
		if (asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0)
			return NULL;
		return text;
	case JSON_REAL:
		if (asprintf(&text, "%.6g", json_real_value(value)) < 0)
			return NULL;
		return text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_NULL:
		return strdup("-");
	default:
		return json_dumps(value, JSON_COMPACT);
	}
}

static void row_add(struct libscols_table *table, const struct table_column *columns,
		    const json_t *row, bool *is_used)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	for (size_t i = 0; line && columns[i].title; i++) {
		char *text = columns[i].text ? columns[i].text(row) : NULL;

		if (!text && columns[i].key)
			text = value_text(json_object_get(row, columns[i].key));
		is_used[i] |= text && *text;
		scols_line_refer_data(line, i, text ? text : strdup(""));
	}
}

/* What is empty in every row costs a narrow terminal room that others need. */
static void unused_hide(struct libscols_table *table, const bool *is_used)
{
	for (size_t i = 0; i < scols_table_get_ncols(table); i++)
		if (!is_used[i])
			scols_column_set_flags(scols_table_get_column(table, i), SCOLS_FL_HIDDEN);
}

void table_print(const struct table_column *columns, const json_t *rows)
{
	struct libscols_table *table = scols_new_table();
	bool is_used[COLUMNS_MAX] = {false};
	const json_t *row;
	size_t i;

	if (!table)
		return;
	/* The last one, sentences mostly, goes on in the next line where the terminal is narrow. */
	for (const struct table_column *c = columns; c->title; c++)
		scols_table_new_column(table, c->title, 0,
				       c->right	      ? SCOLS_FL_RIGHT
				       : !c[1].title ? SCOLS_FL_WRAP
						     : 0);
	scols_table_set_column_separator(table, "  ");
	json_array_foreach (rows, i, row)
		row_add(table, columns, row, is_used);
	unused_hide(table, is_used);
	/* smartcols prints nothing at all for an empty table; people want to see what is empty. */
	if (!json_array_size(rows))
		for (const struct table_column *c = columns; c->title; c++)
			printf("%s%s", c->title, c[1].title ? "  " : "\n");
	else
		scols_print_table(table);
	scols_unref_table(table);
}
