/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		    const json_t *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	for (size_t i = 0; line && columns[i].title; i++) {
		char *text = columns[i].text ? columns[i].text(row) : NULL;

		if (!text && columns[i].key)
			text = value_text(json_object_get(row, columns[i].key));
		scols_line_refer_data(line, i, text ? text : strdup(""));
	}
}

void table_print(const struct table_column *columns, const json_t *rows)
{
	struct libscols_table *table = scols_new_table();
	const json_t *row;
	size_t i;

	if (!table)
		return;
	for (const struct table_column *c = columns; c->title; c++)
		scols_table_new_column(table, c->title, 0, c->right ? SCOLS_FL_RIGHT : 0);
	scols_table_set_column_separator(table, "  ");
	json_array_foreach (rows, i, row)
		row_add(table, columns, row);
	/* smartcols prints nothing at all for an empty table; people want to see what is empty. */
	if (!json_array_size(rows))
		for (const struct table_column *c = columns; c->title; c++)
			printf("%s%s", c->title, c[1].title ? "  " : "\n");
	else
		scols_print_table(table);
	scols_unref_table(table);
}
