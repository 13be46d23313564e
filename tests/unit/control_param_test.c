/* SPDX-License-Identifier: BSD-3-Clause */
/* Names, parameters and command lines: what is taken and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/args.h"
#include "control/rpc/event_kinds.h"
#include "control/rpc/help.h"
#include "control/rpc/methods.h"
#include "control/rpc/suggest.h"
#include "control/rpc/vids.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void full_names_have_a_lab_a_copy_and_a_nic(void **state)
{
	static const char *const good[] = {"a", "A-1_x", "lab/a", "lab@2/a", "vm.0", "lab/vm.nic"};
	static const char *const bad[] = {"",
					  "-a",
					  "a/",
					  "/a",
					  "a/b/c",
					  "a..b",
					  "a.b.c",
					  "a b",
					  "lab@/a",
					  "a~peer",
					  "abcdefghijklmnopqrstuvwxyz0123456"};

	for (size_t i = 0; i < N(good); i++)
		assert_true(name_is_full(good[i]));
	for (size_t i = 0; i < N(bad); i++)
		assert_false(name_is_full(bad[i]));
}

static void object_names_may_be_the_other_end_of_a_link(void **state)
{
	assert_true(name_is_object("lab/up~peer"));
	assert_false(name_is_object("up~other"));
}

/* What words of that type become, as JSON text; NULL when they are refused. */
static const char *parsed(enum param_type type, int64_t min, int64_t max, const char *text)
{
	static char buf[256];
	struct param p = {"x", type, 0, min, max, "a|b", "x"};
	json_t *value = NULL;
	char *dump;

	if (param_parse(&p, text, &value, NULL) < 0)
		return NULL;
	dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	snprintf(buf, sizeof(buf), "%s", dump);
	free(dump);
	json_decref(value);
	return buf;
}

static void durations_become_seconds(void **state)
{
	assert_string_equal(parsed(PARAM_DURATION, 0, 0, "300s"), "300");
	assert_string_equal(parsed(PARAM_DURATION, 0, 0, "10m"), "600");
	assert_string_equal(parsed(PARAM_DURATION, 0, 0, "500ms"), "0.5");
	assert_null(parsed(PARAM_DURATION, 0, 0, "-1"));
	assert_null(parsed(PARAM_DURATION, 0, 0, "5x"));
	assert_null(parsed(PARAM_DURATION, 1, 10, "11s"));
}

static void sizes_become_bytes(void **state)
{
	assert_string_equal(parsed(PARAM_SIZE, 0, 0, "512M"), "536870912");
	assert_string_equal(parsed(PARAM_SIZE, 0, 0, "1GiB"), "1073741824");
	assert_null(parsed(PARAM_SIZE, 0, 0, "99999999999T"));
	assert_null(parsed(PARAM_SIZE, 0, 0, "M"));
}

static void vids_become_merged_ranges(void **state)
{
	assert_string_equal(parsed(PARAM_VIDS, 0, 0, "20-29,10,30"), "[[10,10],[20,30]]");
	assert_null(parsed(PARAM_VIDS, 0, 0, "0"));
	assert_null(parsed(PARAM_VIDS, 0, 0, "4095"));
	assert_null(parsed(PARAM_VIDS, 0, 0, "9-5"));
	assert_null(parsed(PARAM_VIDS, 0, 0, "10,"));
	assert_null(parsed(PARAM_VIDS, 0, 0, "99999999999999999999"));
}

static void integers_are_bounded_in_words(void **state)
{
	struct param p = {"access", PARAM_INT, 0, 1, 4094, "VID", "x"};
	struct err err = ERR_NONE;
	json_t *value;

	assert_int_equal(param_parse(&p, "5000", &value, &err), -EINVAL);
	assert_string_equal(err.text, "--access: 5000 is outside 1-4094");
}

static void one_letter_options_have_one_dash(void **state)
{
	static const struct param rows[] = {
		{"w", PARAM_STRING, 0, 1, 4, "FILE", "x"}, {"count", PARAM_INT, 0, 1, INT64_MAX, "N", "x"}, {.name = NULL}};
	struct args a = {.own = rows, .own_values = json_object()};
	static char w[] = "-w", empty[] = "", v[] = "-v", count[] = "--count", zero[] = "0";
	static const struct {
		char *words[2];
		int n;
		const char *text;
	} cases[] = {
		{{w, empty}, 2, "-w: is empty"},
		{{w}, 1, "-w wants a value: -w FILE"},
		{{v}, 1, "there is no option -v"},
		{{count, zero}, 2, "--count: 0 is less than 1"},
	};
	struct method m = {.words = "capture", .summary = "x", .params = rows};
	char *help = NULL;
	size_t size;
	FILE *f = open_memstream(&help, &size);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;

		assert_int_equal(args_parse(&a, cases[i].n, cases[i].words, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].text);
	}
	json_decref(a.own_values);
	help_method(f, NULL, &m, NULL);
	fclose(f);
	assert_non_null(strstr(help, "[-w FILE]"));
	assert_null(strstr(help, "--w"));
	free(help);
}

static void kinds_of_events_are_known_ones_or_their_fronts(void **state)
{
	static const struct {
		const char *kind, *hint; /* NULL: taken */
	} cases[] = {{"port", NULL}, {"port.state", NULL}, {"mac.move", NULL}, {"log", NULL},
		     {"port.sate", "did you mean port.state?"}, {"", "kinds begin with"}, {"por", "did you mean port."}, {"nonsense", "kinds begin with"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *kinds = json_pack("[s]", cases[i].kind);
		struct err err = ERR_NONE;
		int rc = event_kinds_check(kinds, &err);

		assert_int_equal(rc, cases[i].hint ? -EINVAL : 0);
		if (cases[i].hint)
			assert_non_null(strstr(err.hint, cases[i].hint));
		json_decref(kinds);
	}
}

static void sizes_are_bounded_with_their_units(void **state)
{
	struct param p = {"memory", PARAM_SIZE, 0, 64ll << 20, 1ll << 40, "SIZE", "x"};
	struct err err = ERR_NONE;
	json_t *value;

	assert_int_equal(param_parse(&p, "1K", &value, &err), -EINVAL);
	assert_string_equal(err.text, "--memory: 1K is outside 64M-1T");
	assert_int_equal(param_parse(&p, "1000", &value, &err), -EINVAL);
	assert_string_equal(err.text, "--memory: 1000 bytes is outside 64M-1T");
	assert_int_equal(param_parse(&p, "0", &value, &err), -EINVAL);
	assert_string_equal(err.text, "--memory: 0 bytes is outside 64M-1T");
}

static int check(const struct method *m, const char *json, struct err *err)
{
	json_t *params = json_loads(json, 0, NULL);
	int rc = method_check(m, params, err);

	json_decref(params);
	return rc;
}

static void check_names_unknown_and_missing_parameters(void **state)
{
	struct err err = ERR_NONE;

	assert_int_equal(check(&m_bridge_add, "{\"name\":\"a\",\"aging\":3}", &err), -EINVAL);
	assert_string_equal(err.text, "there is no parameter \"aging\"");
	assert_string_equal(err.hint, "did you mean \"ageing\"?");
	assert_int_equal(check(&m_bridge_add, "{}", &err), -EINVAL);
	assert_string_equal(err.text, "name is missing");
}

static void check_refuses_wrong_types(void **state)
{
	static const char *const bad[] = {"{\"name\":5}",
					  "{\"name\":\"a b\"}",
					  "{\"name\":\"a\",\"ageing\":\"5\"}",
					  "{\"name\":\"a\",\"max_macs\":1e9}",
					  "{\"name\":\"a\",\"transient\":1}",
					  "[]"};

	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(check(&m_bridge_add, bad[i], NULL), -EINVAL);
	assert_int_equal(check(&m_bridge_add, "{\"name\":\"a\",\"ageing\":5.5}", NULL), 0);
}

/* The values of a command line as JSON text, or the sentence. */
static const char *args(const struct method *m, int n, const char *const *words)
{
	static char buf[512];
	struct err err = ERR_NONE;
	struct args a = {m->params, NULL, json_object(), json_object()};
	int rc = args_parse(&a, n, (char *const *)words, &err);
	char *dump = json_dumps(a.own_values, JSON_COMPACT);

	if (rc == 0)
		rc = args_missing(&a, &err);
	snprintf(buf, sizeof(buf), "%s", rc < 0 ? err.text : dump);
	free(dump);
	json_decref(a.own_values);
	json_decref(a.common_values);
	return buf;
}
#define ARGS(m, ...)                                                                               \
	args(m, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                       \
	     (const char *const[]){__VA_ARGS__})

static void options_come_before_or_after_positionals(void **state)
{
	static const char want[] = "{\"bridge\":\"b\",\"name\":\"p\",\"type\":\"link\"}";

	assert_string_equal(ARGS(&m_port_add, "--bridge", "b", "p", "--type=link"), want);
}

static void options_may_be_cut_short_while_unambiguous(void **state)
{
	assert_string_equal(ARGS(&m_bridge_add, "b", "--max", "16"),
			    "{\"name\":\"b\",\"max_macs\":16}");
	assert_string_equal(ARGS(&m_port_add, "p", "--t", "link"),
			    "--t may be --trunk or --tunnel");
}

static void settings_gather_in_one_object(void **state)
{
	assert_string_equal(
		ARGS(&m_bridge_set, "b", "ageing=5s", "max-macs=16"),
		"{\"name\":\"b\",\"settings\":{\"ageing\":\"5s\",\"max_macs\":\"16\"}}");
}

static void missing_and_superfluous_words_are_named(void **state)
{
	assert_string_equal(ARGS(&m_port_add, "p", "--type", "link"),
			    "--bridge BR is missing: the bridge that it joins");
	assert_string_equal(ARGS(&m_bridge_del, "b", "c"), "\"c\" is one word too many");
}

static void rest_follows_two_dashes(void **state)
{
	static const struct param rows[] = {{"name", PARAM_NAME, PARAM_POSITIONAL, 0, 0, "VM", "x"},
					    {"cmd", PARAM_REST, PARAM_REQUIRED, 0, 0, "CMD", "x"},
					    {.name = NULL}};
	static const struct method m = {"x", "x", "x", rows, 0, NULL};

	assert_string_equal(ARGS(&m, "h1", "--", "ip", "-4", "--json"),
			    "{\"name\":\"h1\",\"cmd\":[\"ip\",\"-4\",\"--json\"]}");
	assert_string_equal(ARGS(&m, "h1"), "CMD is missing: x");
}

static void suggestions_are_near_or_none(void **state)
{
	static const char *const words[] = {"bridge", "port", "status"};

	assert_string_equal(suggest_word("brigde", words, 3), "bridge");
	assert_string_equal(suggest_word("prot", words, 3), "port");
	assert_null(suggest_word("elephant", words, 3));
}

/* True when JSON of that type is refused with a sentence that has `part` in it. */
static bool json_refused(enum param_type type, json_t *value, const char *part)
{
	const struct param p = {"x", type, 0, 0, 0, "a|b", "x"};
	struct err err = ERR_NONE;
	int rc = param_check(&p, value, &err);

	json_decref(value);
	return rc == -EINVAL && strstr(err.text, part);
}

static void json_of_another_type_is_refused(void **state)
{
	json_t *many = json_array();

	for (unsigned i = 0; i < 4097; i++)
		json_array_append_new(many, json_string("a"));
	assert_true(json_refused(PARAM_LIST, many, "at most 4096 texts"));
	assert_true(json_refused(PARAM_LIST, json_pack("[si]", "a", 1), ""));
	assert_true(json_refused(PARAM_REST, json_integer(1), "must be a list"));
	assert_true(json_refused(PARAM_PAIRS, json_pack("[s]", "a"), "must be an object of texts"));
	assert_true(json_refused(PARAM_PAIRS, json_pack("{si}", "mtu", 1), "mtu"));
	assert_true(json_refused(PARAM_SIZE, json_integer(-1), "must be a number of bytes"));
	assert_true(json_refused(PARAM_INT, json_real(1.5), "must be a whole number"));
	assert_true(json_refused(PARAM_VIDS, json_integer(1), "is no list of vlans"));
	assert_true(json_refused(PARAM_VIDS, json_pack("[[ii]]", 5, 4095), ""));
	assert_true(json_refused((enum param_type)99, json_integer(1), "unknown type"));
}

static void words_of_another_type_are_refused(void **state)
{
	assert_string_equal(parsed(PARAM_BOOL, 0, 0, "off"), "false");
	assert_null(parsed(PARAM_BOOL, 0, 0, "maybe"));
	assert_null(parsed(PARAM_PAIRS, 0, 0, "no-equals"));
	assert_null(parsed(PARAM_PAIRS, 0, 0, "=value"));
	assert_null(parsed(PARAM_JSON, 0, 0, "{}"));
	assert_null(parsed(PARAM_STRING, 0, 0, "\xff"));
}

static void vids_that_do_not_fit_are_cut_off(void **state)
{
	uint64_t set[VLAN_SET_WORDS];
	char buf[12];

	assert_int_equal(vids_from_text("10,20-29,40", set, NULL), 0);
	assert_string_equal(vids_to_text(set, buf, sizeof(buf)), "10,20-29…");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_names_have_a_lab_a_copy_and_a_nic),
		cmocka_unit_test(object_names_may_be_the_other_end_of_a_link),
		cmocka_unit_test(durations_become_seconds),
		cmocka_unit_test(sizes_become_bytes),
		cmocka_unit_test(vids_become_merged_ranges),
		cmocka_unit_test(one_letter_options_have_one_dash),
		cmocka_unit_test(kinds_of_events_are_known_ones_or_their_fronts),
		cmocka_unit_test(sizes_are_bounded_with_their_units),
		cmocka_unit_test(integers_are_bounded_in_words),
		cmocka_unit_test(check_names_unknown_and_missing_parameters),
		cmocka_unit_test(check_refuses_wrong_types),
		cmocka_unit_test(options_come_before_or_after_positionals),
		cmocka_unit_test(options_may_be_cut_short_while_unambiguous),
		cmocka_unit_test(settings_gather_in_one_object),
		cmocka_unit_test(missing_and_superfluous_words_are_named),
		cmocka_unit_test(rest_follows_two_dashes),
		cmocka_unit_test(suggestions_are_near_or_none),
		cmocka_unit_test(json_of_another_type_is_refused),
		cmocka_unit_test(words_of_another_type_are_refused),
		cmocka_unit_test(vids_that_do_not_fit_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
