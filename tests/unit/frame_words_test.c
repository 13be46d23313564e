/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in words: what `capture` prints of those that Linux, busybox' udhcpc and dnsmasq sent, and what `trace` reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/frame_line.h"
#include "control/daemon/frame_text.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* As they were on a veth pair; {n} stands for n bytes of zero. The line is without the MAC addresses. */
static const struct {
	const char *hex, *line;
} seen[] = {
	{"ffffffffffff02000000000a0806000108000604000102000000000a0a0000010000000000000a000002",
	 "ARP who-has 10.0.0.2 tell 10.0.0.1, 42 bytes"},
	{"02000000000a02000000000b0806000108000604000202000000000b0a00000202000000000a0a000001",
	 "ARP 10.0.0.2 is-at 02:00:00:00:00:0b, 42 bytes"},
	{"02000000000b02000000000a080045000054947f4000400192270a0000010a0000020800ac144f850001e5ed016b0000"
	 "000047390f0000000000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435"
	 "3637",
	 "IPv4 10.0.0.1 > 10.0.0.2 ICMP echo request, id 20357, seq 1, 98 bytes"},
	{"02000000000a02000000000b080045000054b41000004001b2960a0000020a0000010000b4144f850001e5ed016b0000"
	 "000047390f0000000000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435"
	 "3637",
	 "IPv4 10.0.0.2 > 10.0.0.1 ICMP echo reply, id 20357, seq 1, 98 bytes"},
	{"02000000000a02000000000b080045c00039b45100004001b1b00a0000020a0000010303111a000000004500001d30c3"
	 "40004011f60a0a0000010a000002c88900090009ab4678",
	 "IPv4 10.0.0.2 > 10.0.0.1 ICMP port unreachable, 71 bytes"},
	{"3333ff00000202000000000a86dd6000000000203afffd{14}01ff02{9}01ff00000287007d8e00000000fd{14}02010"
	 "102000000000a",
	 "IPv6 fd00::1 > ff02::1:ff00:2 ICMPv6 neighbor solicitation, who has fd00::2, 86 bytes"},
	{"02000000000a02000000000b86dd6000000000203afffd{14}02fd{14}0188001c9160000000fd{14}02020102000000"
	 "000b",
	 "IPv6 fd00::2 > fd00::1 ICMPv6 neighbor advertisement, target is fd00::2, 86 bytes"},
	{"02000000000b02000000000a86dd600a81a800403a40fd{14}01fd{14}028000a0b64f860001e6ed016b00000000ee16"
	 "000000000000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
	 "IPv6 fd00::1 > fd00::2 ICMPv6 echo request, id 20358, seq 1, 118 bytes"},
	{"33330000001602000000000b86dd6000000000380001{16}ff02{13}163a000502000001008f006d6300000002040000"
	 "00ff02{9}01ff00000b04000000ff02{9}01ff000002",
	 "IPv6 :: > ff02::16 ICMPv6 multicast listener report v2, 110 bytes"},
	{"33330000000202000000000b86dd6000000000103afffe80{9}fffe00000bff02{13}0285007b1800000000010102000"
	 "000000b",
	 "IPv6 fe80::ff:fe00:b > ff02::2 ICMPv6 router solicitation, 70 bytes"},
	{"02000000000b02000000000a08004500003c0c41400040061a790a0000010a000002952e0051ef07841200000000a002"
	 "faf0d6d80000020405b40402080a69d1efc5000000000103030a",
	 "IPv4 10.0.0.1.38190 > 10.0.0.2.81 TCP [S], seq 4010247186, win 64240, length 0, 74 bytes"},
	{"02000000000a02000000000b08004500002800004000400626ce0a0000020a0000010051952e00000000ef0784135014"
	 "000093330000",
	 "IPv4 10.0.0.2.81 > 10.0.0.1.38190 TCP [R.], seq 0, ack 4010247187, win 0, length 0, 54 bytes"},
	{"ffffffffffff02000000000a08004500014800000000401179a600000000ffffffff004400430134386401010600ef2a"
	 "053c{20}02000000000a{202}638253633501013902024037070103060c0f1c2a3c0c756468637020312e33352e303d0"
	 "70102000000000aff{20}",
	 "IPv4 0.0.0.0.68 > 255.255.255.255.67 DHCP discover from 02:00:00:00:00:0a, 342 bytes"},
	{"02000000000a02000000000b080045c00148955700004011cf570a0000020a0000350043004401345ffc02010600ef2a"
	 "053c00000000000000000a0000350a0000020000000002000000000a{202}6382536335010236040a000002330400000"
	 "e103a04000007083b0400000c4e0104ffffff001c040a0000ff03040a000002ff{14}",
	 "IPv4 10.0.0.2.67 > 10.0.0.53.68 DHCP offer of 10.0.0.53 to 02:00:00:00:00:0a, 342 bytes"},
	{"02000000000b02000000000a08004500001d30c340004011f60a0a0000010a000002c88900090009ab4678",
	 "IPv4 10.0.0.1.51337 > 10.0.0.2.9 UDP, length 1, 43 bytes"},
};

static uint32_t bytes_of(const char *hex, uint8_t *out)
{
	uint32_t n = 0;

	while (*hex) {
		unsigned value;

		if (*hex == '{') {
			char *end;
			unsigned long zeros = strtoul(hex + 1, &end, 10);

			memset(out + n, 0, zeros);
			n += (uint32_t)zeros;
			hex = end + 1;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		out[n++] = (uint8_t)value;
		hex += 2;
	}
	return n;
}

static void lines_say_what_books_show(void **state)
{
	for (size_t i = 0; i < N(seen); i++) {
		uint8_t bytes[512];
		uint32_t n = bytes_of(seen[i].hex, bytes);
		char text[512];

		frame_line(bytes, n, n, text, sizeof(text));
		/* "02:… > 02:… " */
		assert_string_equal(text + 38, seen[i].line);
	}
}

/* Each in memory of its own that ends with it, for the address sanitizer. */
static void frames_that_end_anywhere_are_read_no_further(void **state)
{
	for (size_t i = 0; i < N(seen); i++) {
		uint8_t bytes[512];
		uint32_t n = bytes_of(seen[i].hex, bytes);

		for (uint32_t kept = 0; kept <= n; kept++) {
			uint8_t *copy = malloc(kept ? kept : 1);
			char text[512];

			memcpy(copy, bytes, kept);
			frame_line(copy, kept, n, text, sizeof(text));
			assert_non_null(strstr(text, " bytes"));
			/* Nor where a guest has written anything there. */
			for (uint32_t at = 14; at < kept; at++)
				copy[at] ^= (uint8_t)(0xa5 + at);
			frame_line(copy, kept, n, text, sizeof(text));
			free(copy);
		}
	}
}

static void a_tag_is_said_before_what_it_carries(void **state)
{
	uint8_t bytes[512];
	uint32_t n = bytes_of("ffffffffffff02000000000a8100000a0806000108000604000102000000000a0a000001{6}0a000002", bytes);
	char text[512];

	frame_line(bytes, n, n, text, sizeof(text));
	assert_string_equal(text + 37, " vlan 10 ARP who-has 10.0.0.2 tell 10.0.0.1, 46 bytes");
}

/* ---- trace's FRAME ---- */

static int read_frame(const char *text, uint8_t *out)
{
	struct err err = ERR_NONE;
	uint32_t len;

	return frame_from_text(text, out, &len, &err);
}

static void addresses_of_trace_are_six_pairs_of_digits(void **state)
{
	static const char *const bad[] = {"0x:00:00:00:00:01", "+1:00:00:00:00:01", "-1:00:00:00:00:01", " 1:00:00:00:00:01",
					  "02:00:00:00:00:1", "02-00-00-00-00-01"};
	uint8_t *out = malloc(FRAME_TEXT_MAX);
	char text[128];

	assert_int_equal(read_frame("eth src 02:00:00:00:0A:01 dst broadcast", out), 0);
	assert_int_equal(out[10], 0x0a);
	for (size_t i = 0; i < N(bad); i++) {
		snprintf(text, sizeof(text), "eth src %s dst broadcast", bad[i]);
		assert_int_equal(read_frame(text, out), -EINVAL);
	}
	free(out);
}

static void numbers_of_trace_are_decimal_or_hexadecimal(void **state)
{
	uint8_t *out = malloc(FRAME_TEXT_MAX);

	assert_int_equal(read_frame("eth src 02:00:00:00:00:01 dst broadcast vlan 010", out), 0);
	assert_int_equal(out[15], 10);
	assert_int_equal(read_frame("eth src 02:00:00:00:00:01 dst broadcast vlan 0x10", out), 0);
	assert_int_equal(out[15], 16);
	assert_int_equal(read_frame("eth src 02:00:00:00:00:01 dst broadcast vlan +1", out), -EINVAL);
	assert_int_equal(read_frame("eth src 02:00:00:00:00:01 dst broadcast vlan 0x", out), -EINVAL);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_say_what_books_show),
		cmocka_unit_test(frames_that_end_anywhere_are_read_no_further),
		cmocka_unit_test(a_tag_is_said_before_what_it_carries),
		cmocka_unit_test(addresses_of_trace_are_six_pairs_of_digits),
		cmocka_unit_test(numbers_of_trace_are_decimal_or_hexadecimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
