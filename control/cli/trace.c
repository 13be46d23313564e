/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/trace.h"

#include <stdio.h>

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
