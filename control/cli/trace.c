/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"

/* "h1.n0, h2.n0 (not there)" */
static char *ports_text(const json_t *mirror)
{
	const json_t *missing = json_object_get(mirror, "missing");
	char *text = NULL;
	size_t size = 0, i;
	json_t *name;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	json_array_foreach (json_object_get(mirror, "ports"), i, name) {
		json_t *gone;
		size_t k;

		fprintf(f, "%s%s", i ? ", " : "", json_string_value(name));
		json_array_foreach ((json_t *)missing, k, gone)
			if (json_equal(gone, name))
				fputs(" (not there)", f);
	}
	fclose(f);
	return text;
}

void mirrors_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"TO", "to", false, NULL},
		{"PORTS", "ports", false, ports_text},
		{"DIRECTION", "direction", false, NULL},
		{"FILTER", "filter", false, NULL},
		{NULL, NULL, false, NULL},
	};

	if (json_array_size(result))
		table_print(columns, result);
	else
		puts("nothing is mirrored");
}

void trace_print(struct cli *cli, const json_t *params, const json_t *result)
{
	json_int_t more = json_integer_value(json_object_get(result, "more"));
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(result, "steps"), i, step)
		printf("%2zu. %s\n", i + 1, json_string_value(json_object_get(step, "text")));
	if (more)
		printf("and %lld steps more\n", (long long)more);
}
