/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results of a lab's checks in the XML that CI systems read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/text_of.h"
#include "vm-launcher/file.h"
#include "vm-launcher/lab_run.h"

/* Writes text escaped; characters that XML has no place for become '?'. */
static void put_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc((unsigned char)*text < 0x20 ? '?' : *text, f);
		}
	}
}

static void put_case(FILE *f, const char *lab, const json_t *r)
{
	fputs("  <testcase classname=\"", f);
	put_escaped(f, lab);
	fputs("\" name=\"", f);
	put_escaped(f, text_of(r, "name"));
	fprintf(f, "\" time=\"%.3f\"", json_number_value(json_object_get(r, "seconds")));
	if (json_is_true(json_object_get(r, "passed"))) {
		fputs("/>\n", f);
		return;
	}
	fputs(">\n    <failure message=\"", f);
	put_escaped(f, text_of(r, "detail"));
	fputs("\"/>\n  </testcase>\n", f);
}

int lab_check_junit(const char *path, const char *lab, const json_t *results, struct err *err)
{
	size_t failures = 0, size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "file \"%.200s\" cannot be written: out of memory",
			       path);
	for (size_t i = 0; i < json_array_size(results); i++)
		failures += !json_is_true(json_object_get(json_array_get(results, i), "passed"));
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", f);
	put_escaped(f, lab);
	fprintf(f, "\" tests=\"%zu\" failures=\"%zu\">\n", json_array_size(results), failures);
	for (size_t i = 0; i < json_array_size(results); i++)
		put_case(f, lab, json_array_get(results, i));
	fputs("</testsuite>\n", f);
	fclose(f);
	rc = file_write(path, text, size, err);
	free(text);
	return rc;
}
