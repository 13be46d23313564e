/* SPDX-License-Identifier: BSD-3-Clause */
/* Words of others: UTF-8 without control characters afterwards, and never longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

static const char *cleaned(const char *text)
{
	static char buf[256];

	snprintf(buf, sizeof(buf), "%s", text);
	text_clean(buf);
	return buf;
}

static void good_text_stays(void **state)
{
	static const char good[] = "port \"vm3\": \xc3\xa9 \xe2\x82\xac \xe2\x80\xa6 \xf0\x9f\x90\xb3";

	assert_string_equal(cleaned(good), good);
	assert_string_equal(cleaned(""), "");
}

static void letter_cut_at_the_end_goes(void **state)
{
	assert_string_equal(cleaned("ab\xc3"), "ab");
	assert_string_equal(cleaned("ab\xe2\x82"), "ab");
	assert_string_equal(cleaned("ab\xf0\x9f\x90"), "ab");
}

static void bytes_that_are_no_letter_are_marked(void **state)
{
	assert_string_equal(cleaned("a\xc3\"b"), "a?\"b");
	assert_string_equal(cleaned("a\xff\x80z"), "a??z");
	assert_string_equal(cleaned("\xc0\xaf"), "??");		 /* too long a way to write "/" */
	assert_string_equal(cleaned("\xed\xa0\x80"), "???");	 /* half of a pair */
	assert_string_equal(cleaned("\xf4\x90\x80\x80"), "????"); /* beyond the last letter */
}

static void terminal_gets_nothing_to_obey(void **state)
{
	assert_string_equal(cleaned("\x1b[31mred\x1b]0;title\a"), "?[31mred?]0;title?");
	assert_string_equal(cleaned("a\r\n\tb\x7f"), "a   b?");
	assert_string_equal(cleaned("\xc2\x9b""31m"), "?31m");		     /* CSI in one */
	assert_string_equal(cleaned("\xe2\x80\xae" "exe.\xe2\x81\xa6x"), "?exe.?x"); /* right to left */
}

static void errors_are_clean_wherever_they_are_cut(void **state)
{
	struct err err = ERR_NONE;
	char long_name[512] = "x";
	char again[sizeof(err.text)];

	for (int i = 1; i < 501; i += 2)
		memcpy(long_name + i, "\xc3\xa9", 3);
	for (int n = 0; n < 500; n++) {
		err_set(&err, -1, "\"%.*s\" is\x1b wrong", n, long_name);
		err_hint(&err, "not %.*s", n, long_name);
		err_prefix(&err, "file %.*s", n, long_name);
		snprintf(again, sizeof(again), "%s", err.text);
		text_clean(again);
		assert_string_equal(again, err.text);
		snprintf(again, sizeof(again), "%s", err.hint);
		text_clean(again);
		assert_string_equal(again, err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_text_stays),
		cmocka_unit_test(letter_cut_at_the_end_goes),
		cmocka_unit_test(bytes_that_are_no_letter_are_marked),
		cmocka_unit_test(terminal_gets_nothing_to_obey),
		cmocka_unit_test(errors_are_clean_wherever_they_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
