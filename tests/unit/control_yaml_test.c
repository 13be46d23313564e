/* SPDX-License-Identifier: BSD-3-Clause */
/* YAML files: places in sentences, hostile files, and the round trip of a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/yaml/document.h"
#include "control/yaml/load.h"

/* The document in text as JSON, or the sentence and hint about it. */
static const char *read_text(const char *text)
{
	static char buf[1024];
	struct err err = ERR_NONE;
	struct yaml_doc *doc = NULL;
	json_t *json = NULL;
	int rc = yaml_load(text, strlen(text), "f", &doc, &err);

	if (rc == 0)
		rc = document_read(doc, &json, &err);
	if (rc < 0) {
		snprintf(buf, sizeof(buf), "%s; %s", err.text, err.hint);
	} else {
		char *dump = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

		snprintf(buf, sizeof(buf), "%s", dump);
		free(dump);
	}
	json_decref(json);
	yaml_doc_free(doc);
	return buf;
}

static void settings_get_the_types_of_their_rows(void **state)
{
	assert_string_equal(read_text("bridges: {b: {ageing: 10m, max-macs: 32}, c: }\n"
				      "ports: {p: {bridge: b, type: vhost-user, path: /x, "
				      "trunk: [10, 20-29], listen: true}}\n"),
			    "{\"bridges\":{\"b\":{\"ageing\":600,\"max_macs\":32},\"c\":{}},"
			    "\"ports\":{\"p\":{\"bridge\":\"b\",\"type\":\"vhost-user\","
			    "\"path\":\"/x\",\"trunk\":[[10,10],[20,29]],\"listen\":true}}}");
}

static void unknown_key_has_a_place_and_a_suggestion(void **state)
{
	assert_string_equal(read_text("bridges:\n  b: {aging: 5}\n"),
			    "f:2:7: a bridge has no key \"aging\"; did you mean \"ageing\"?");
	assert_string_equal(
		read_text("bridge: {}\n"),
		"f:1:1: a configuration has no key \"bridge\"; did you mean \"bridges\"?");
}

static void wrong_value_has_a_place(void **state)
{
	assert_string_equal(
		read_text("bridges: {b: }\nports:\n  p: {bridge: b, type: link, access: 5000}"),
		"f:3:38: access: 5000 is outside 1-4094; ");
	assert_string_equal(read_text("bridges: {b: {ageing: [1]}}"),
			    "f:1:23: ageing wants a single value, not a list; ");
}

static void missing_keys_and_bridges_are_named(void **state)
{
	assert_string_equal(read_text("ports: {p: {type: link}}"),
			    "f:1:9: port \"p\" has no bridge:; ");
	assert_string_equal(read_text("ports: {p: {type: link, bridge: nix}}"),
			    "f:1:33: bridges: has no \"nix\"; ");
}

static void broken_files_are_refused(void **state)
{
	assert_non_null(strstr(read_text("bridges: {"), "f:"));
	assert_string_equal(read_text(""), "f: the file is empty; ");
	assert_string_equal(read_text("bridges: # ü\n\tb: {}\n"),
			    "f:2:1: a tab cannot indent YAML; use spaces; ");
	assert_non_null(strstr(read_text("bridges: {}\n---\nports: {}\n"), "a second document"));
	assert_non_null(strstr(read_text("bridges: {a: , a: }\n"), "\"a\" is given twice"));
	assert_non_null(strstr(read_text("bridges: {[a]: }\n"), "a key must be a text"));
	assert_non_null(strstr(read_text("bridges: &x {a: *x}\n"), "names what it is in"));
	assert_non_null(strstr(read_text("bridges: {\"a\\0b\": }\n"), "a zero byte"));
	assert_non_null(strstr(read_text("\xff\xff"), "f: "));
}

static void aliases_that_explode_are_refused(void **state)
{
	static const char text[] = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
				   "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
				   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
				   "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
				   "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
				   "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";

	assert_non_null(strstr(read_text(text), "aliases make more than"));
}

static void a_byte_order_mark_is_skipped(void **state)
{
	assert_string_equal(read_text("\xef\xbb\xbf" "bridges: {b: }\n"), "{\"bridges\":{\"b\":{}},\"ports\":{}}");
	assert_non_null(strstr(read_text("\xef\xbb\xbf" "bridge: {}\n"), "f:1:1: "));
}

static void deep_nesting_is_refused(void **state)
{
	char text[300];

	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_non_null(strstr(read_text(text), "nested more than 64 deep"));
}

static void what_is_written_reads_back_the_same(void **state)
{
	static const char json[] =
		"{\"bridges\":{\"b\":{\"ageing\":0.5,\"forward_reserved\":\"stp,lldp\"},\"no\":{}},"
		"\"ports\":{\"p\":{\"bridge\":\"b\",\"type\":\"vhost-user\",\"path\":\"/a \\\"b\\\"#\","
		"\"listen\":true,\"trunk\":[[1,4],[9,9]],\"native\":3,\"mtu\":9000,"
		"\"mirror\":[\"p 1\",\"p2\"]},"
		"\"q\":{\"bridge\":\"b\",\"type\":\"vhost-user\",\"ip\":[],\"mirror\":[]}}}";
	json_t *document = json_loads(json, 0, NULL);
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	document_write(f, document);
	fclose(f);
	/* The half second is below the row's range, which shows that reading checks it. */
	assert_non_null(strstr(read_text(text), "ageing: 0.5 s is outside 1-30000"));
	free(text);
	json_object_set_new(json_object_get(json_object_get(document, "bridges"), "b"), "ageing",
			    json_real(1.5));
	f = open_memstream(&text, &size);
	document_write(f, document);
	fclose(f);
	{
		char *want = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15));

		assert_string_equal(read_text(text), want);
		free(want);
	}
	free(text);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_get_the_types_of_their_rows),
		cmocka_unit_test(unknown_key_has_a_place_and_a_suggestion),
		cmocka_unit_test(wrong_value_has_a_place),
		cmocka_unit_test(missing_keys_and_bridges_are_named),
		cmocka_unit_test(broken_files_are_refused),
		cmocka_unit_test(aliases_that_explode_are_refused),
		cmocka_unit_test(a_byte_order_mark_is_skipped),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(what_is_written_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
