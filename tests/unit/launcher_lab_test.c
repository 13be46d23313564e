/* SPDX-License-Identifier: BSD-3-Clause */
/* Lab files: what a good one makes, and the sentence for each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/base64.h"
#include "vm-launcher/console_log.h"
#include "vm-launcher/exec_input.h"
#include "vm-launcher/lab.h"

/* A lab that is right but for what a case puts into its parts. */
#define LAB_WITH(bridges, nic, links, checks)                                                      \
	"name: t\n"                                                                                \
	"bridges: {sw1: {}, sw2: {" bridges "}}\n"                                                 \
	"vms:\n"                                                                                   \
	"  h1: {nics: [{to: sw1, ip: 10.0.0.1/24" nic "}]}\n"                                      \
	"  h2: {nics: [{to: sw2, ip: 10.0.0.2/24}]}\n"                                             \
	"links:\n"                                                                                 \
	"  - {between: [sw1, sw2]" links "}\n"                                                     \
	"checks:\n"                                                                                \
	"  - {from: h1, ping: 10.0.0.2" checks "}\n"

static int read_lab(const char *text, struct lab *lab, struct err *err)
{
	struct yaml_doc *doc;
	int rc = yaml_load(text, strlen(text), "t.yaml", &doc, err);

	if (rc < 0)
		return rc;
	rc = lab_read(doc, lab, err);
	yaml_doc_free(doc);
	return rc;
}

static const char *dump(const json_t *j)
{
	static char text[4096];
	char *s = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

	snprintf(text, sizeof(text), "%s", s);
	free(s);
	return text;
}

static void good_lab_becomes_calls_specs_and_checks(void **state)
{
	struct lab lab;
	struct err err = ERR_NONE;

	assert_int_equal(read_lab(LAB_WITH("ageing: 10s", ", trunk: [10, 20-29]", ", trunk: 5", ""),
				  &lab, &err),
			 0);
	assert_string_equal(lab.name, "t");
	assert_int_equal(json_array_size(lab.network), 3);
	assert_string_equal(dump(json_array_get(lab.network, 1)),
			    "{\"method\":\"bridge.add\",\"params\":{\"ageing\":10,\"lab\":\"t\","
			    "\"name\":\"t/sw2\",\"transient\":true}}");
	assert_string_equal(
		dump(json_array_get(lab.network, 2)),
		"{\"method\":\"port.add\",\"params\":{\"bridge\":\"t/sw1\",\"lab\":\"t\","
		"\"name\":\"t/link1\",\"peer_bridge\":\"t/sw2\",\"transient\":true,"
		"\"trunk\":[[5,5]],\"type\":\"link\"}}");
	assert_int_equal(lab.n_vms, 2);
	assert_string_equal(lab.vms[0].name, "t/h1");
	assert_string_equal(lab.vms[0].nics[0].port, "t/h1.eth0");
	assert_string_equal(lab.vms[0].nics[0].trunk, "10,20-29");
	assert_string_equal(
		dump(lab.checks),
		"[{\"address\":\"10.0.0.2\",\"from\":\"t/h1\",\"kind\":\"ping\",\"name\":"
		"\"h1 reaches 10.0.0.2\",\"target\":\"t/h2\",\"within\":10.0}]");
	lab_free(&lab);
}

static void nic_has_a_model_and_an_mtu(void **state)
{
	struct lab lab;
	struct err err = ERR_NONE;

	assert_int_equal(read_lab(LAB_WITH("", ", model: e1000, mtu: 9000}, {to: sw1", "", ""), &lab,
				  &err),
			 0);
	assert_string_equal(lab.vms[0].nics[0].model, "e1000");
	assert_int_equal(lab.vms[0].nics[0].mtu, 9000);
	assert_string_equal(lab.vms[0].nics[1].model, "virtio");
	assert_int_equal(lab.vms[0].nics[1].mtu, 0);
	lab_free(&lab);
}

#define LAB_PORT(port) "name: t\nbridges: {br: {}}\nports: {" port "}\n"

static void ports_of_a_lab_are_its_own(void **state)
{
	struct lab lab;
	struct err err = ERR_NONE;

	assert_int_equal(read_lab(LAB_PORT("gw: {bridge: br, type: nat, address: 10.0.0.1/24, "
					   "access: 10}"),
				  &lab, &err),
			 0);
	assert_int_equal(json_array_size(lab.network), 2);
	assert_string_equal(dump(json_array_get(lab.network, 1)),
			    "{\"method\":\"port.add\",\"params\":{\"access\":10,"
			    "\"address\":\"10.0.0.1/24\",\"bridge\":\"t/br\",\"lab\":\"t\","
			    "\"name\":\"t/gw\",\"transient\":true,\"type\":\"nat\"}}");
	lab_free(&lab);
}

static void wire_between_guests_is_a_bridge_of_its_own(void **state)
{
	struct lab lab;
	struct err err = ERR_NONE;

	assert_int_equal(
		read_lab("name: t\nvms: {a: {}, b: }\nlinks: [{between: [a, b]}]\n", &lab, &err),
		0);
	assert_string_equal(dump(lab.network),
			    "[{\"method\":\"bridge.add\",\"params\":{\"forward_reserved\":\"all\","
			    "\"lab\":\"t\",\"name\":\"t/wire1\",\"transient\":true,\"wire\":true}}]");
	assert_string_equal(lab.vms[1].nics[0].bridge, "t/wire1");
	assert_string_equal(lab.vms[1].nics[0].port, "t/b.eth0");
	lab_free(&lab);
}

static void wrong_lab_is_told_where_and_why(void **state)
{
	static const struct {
		const char *text, *error, *hint;
	} cases[] = {
		{"bridges: {}\nports: {}\n", "t.yaml:1:1: a lab needs a `name:`",
		 "`lanyard apply FILE` takes what `lanyard show config` prints"},
		{LAB_PORT("gw: {type: nat}"), "t.yaml:3:9: port \"gw\" has no `bridge:`", ""},
		{LAB_PORT("gw: {bridge: br}"), "t.yaml:3:9: port \"gw\" has no `type:`", ""},
		{LAB_PORT("gw: {bridge: b, type: nat}"), "t.yaml:3:22: this lab has no bridge \"b\"",
		 "did you mean \"br\"?"},
		{LAB_PORT("gw: {bridge: br, type: tab}"),
		 "t.yaml:3:32: type \"tab\" is none of tap, nat, uplink, vhost-user and dgram",
		 "did you mean \"tap\"?"},
		{LAB_PORT("gw: {bridge: br, type: link}"), "t.yaml:3:32: a link stands under `links:`",
		 ""},
		{LAB_PORT("gw: {bridge: br, type: tap, adress: 10.0.0.1/24}"),
		 "t.yaml:3:37: port \"gw\" has no key \"adress\"", "did you mean \"address\"?"},
		{LAB_PORT("gw: {bridge: br, type: tap, access: 5, native: 6}"),
		 "t.yaml:3:45: access excludes trunk and native", ""},
		{LAB_PORT("gw: {bridge: br, type: tap, lab: x}"),
		 "t.yaml:3:37: port \"gw\" has no key \"lab\"", ""},
		{LAB_PORT("br: {bridge: br, type: tap}"),
		 "t.yaml:3:9: \"br\" is a bridge of this lab already", ""},
		{LAB_PORT("link2: {bridge: br, type: tap}"),
		 "t.yaml:3:9: port \"link2\": link1, link2 … are the lab's links", ""},
		{LAB_PORT("g w: {bridge: br, type: tap}"),
		 "t.yaml:3:9: port \"g w\": a name is up to 32 of a-z A-Z 0-9 _ -", ""},
		{"nmae: t\n", "t.yaml:1:1: a lab has no key \"nmae\"", "did you mean \"name\"?"},
		{"bridges: {}\n", "t.yaml:1:1: a lab needs a `name:`", ""},
		{"name: a b\n", "t.yaml:1:7: name \"a b\": a name is up to 32 of a-z A-Z 0-9 _ -",
		 ""},
		{LAB_WITH("agein: 5s", "", "", ""),
		 "t.yaml:2:26: bridge \"sw2\" has no key \"agein\"", "did you mean \"ageing\"?"},
		{LAB_WITH("", ", acces: 10", "", ""), "t.yaml:4:42: a NIC has no key \"acces\"",
		 "did you mean \"access\"?"},
		{LAB_WITH("", ", access: 5000", "", ""),
		 "t.yaml:4:50: access: 5000 is outside 1-4094", ""},
		{LAB_WITH("", ", access: 5, trunk: 6", "", ""),
		 "t.yaml:4:50: access excludes trunk and native", ""},
		{LAB_WITH("", ", mac: 01:00:00:00:00:01", "", ""),
		 "t.yaml:4:47: mac: \"01:00:00:00:00:01\" is no unicast MAC address", ""},
		{LAB_WITH("", ", model: e100, mtu: 9000", "", ""),
		 "t.yaml:4:49: model \"e100\" is none of virtio, e1000, e1000e, rtl8139, pcnet, "
		 "ne2k_pci or vmxnet3",
		 "did you mean \"e1000\"?"},
		{LAB_WITH("", ", mtu: 9000, model: rtl8139", "", ""),
		 "t.yaml:4:47: mtu 9000 is more than the 4096 that rtl8139 can do", ""},
		{LAB_WITH("", "}, {to: user, mtu: 1501", "", ""),
		 "t.yaml:4:59: QEMU's user network has an mtu of 1500", ""},
		{LAB_WITH("", "}, {to: sw3", "", ""), "t.yaml:4:48: this lab has no bridge \"sw3\"",
		 "did you mean \"sw1\"?"},
		{LAB_WITH("", "}, {to: sw1, ip: 10.0.0.300/24", "", ""),
		 "t.yaml:4:57: ip: \"10.0.0.300/24\" is no address with its length, like "
		 "10.0.10.11/24, nor dhcp",
		 ""},
		{LAB_WITH("", "}, {to: sw1, ip: [dhcp, 10.0.0.3/24]", "", ""),
		 "t.yaml:4:57: ip: dhcp stands alone, without other addresses", ""},
		{LAB_WITH("", ", gateway: 10.0.1.1", "", ""),
		 "t.yaml:4:51: gateway: 10.0.1.1 is in no network of this NIC's `ip`", ""},
		{LAB_WITH("", "}, {to: user, gateway: 10.0.0.1", "", ""),
		 "t.yaml:4:63: gateway: DHCP gives this NIC its own", ""},
		{LAB_WITH("", "}, {to: sw1, ip: 10.0.0.1/8", "", ""),
		 "t.yaml:4:43: ip 10.0.0.1/8 is that of t/h1.eth0 already", ""},
		{LAB_WITH("", ", mac: 02:00:00:00:00:01}, {to: sw1, mac: 02:00:00:00:00:01", "",
			  ""),
		 "t.yaml:4:67: mac 02:00:00:00:00:01 is that of t/h1.eth0 already", ""},
		{LAB_WITH("", "", ", trnk: 5", ""), "t.yaml:7:27: a link has no key \"trnk\"",
		 "did you mean \"trunk\"?"},
		{LAB_WITH("", "", "}\n  - {between: [sw1, sw]", ""),
		 "t.yaml:8:21: this lab has no bridge or vm \"sw\"", "did you mean \"sw1\"?"},
		{LAB_WITH("", "", "}\n  - {between: [sw1, sw1]", ""),
		 "t.yaml:8:21: \"sw1\" cannot be linked to itself", ""},
		{LAB_WITH("", "", "}\n  - {between: [sw1, h1]", ""),
		 "t.yaml:8:15: a link joins two bridges or two guests; a guest joins a bridge with `nics: "
		 "[{to: sw1}]`",
		 ""},
		{LAB_WITH("", "", "}\n  - {between: [h1, h2], trunk: 5", ""),
		 "t.yaml:8:5: a wire between two guests carries everything: it has no settings",
		 ""},
		{LAB_WITH("", "", "", "}\n  - {from: h4, ping: h1"),
		 "t.yaml:10:12: this lab has no vm \"h4\"", "did you mean \"h1\"?"},
		{LAB_WITH("", "", "", ", no-ping: 10.0.0.2"),
		 "t.yaml:9:5: a check needs either `ping:` or `no-ping:`", ""},
		{LAB_WITH("", "", "", "}\n  - {from: h1, no-ping: 10.0.0.9"),
		 "t.yaml:10:25: nobody in this lab has the address 10.0.0.9: its silence would prove "
		 "nothing",
		 ""},
		{LAB_WITH("", "", "", "}\n  - {from: h1, ping: 10.0.0.777"),
		 "t.yaml:10:22: \"10.0.0.777\" is no IP address", ""},
		{LAB_WITH("", "", "", "}\n  - {from: h1, no-ping: h1"),
		 "t.yaml:10:25: vm \"h1\" always reaches itself", ""},
		{LAB_WITH("", "", "", ", within: soon"),
		 "t.yaml:9:40: within: \"soon\" is no duration like 300s, 10m or 500ms", ""},
		{"name: t\nbridges: {x: }\nvms: {x: {}}\n",
		 "t.yaml:3:7: \"x\" is a bridge of this lab already", ""},
		{"name: t\nbridges: {b: }\nvms: {h1: {nics: [{to: b, guard: macs}]}}\n",
		 "t.yaml:3:34: guard \"macs\" is none of mac, ip, arp, dhcp, ra and off", "did you mean \"mac\"?"},
		{"name: t\nbridges: {b: }\nvms: {h1: {nics: [{to: b, guard: \"mac,ip\"}]}}\n",
		 "t.yaml:3:34: guard \"mac,ip\" has no address to compare with",
		 "`ip` gives the NIC addresses; one by DHCP is not known before"},
		{"name: t\nvms: {h1: {memory: 1K}}\n",
		 "t.yaml:2:20: memory: 1K is outside 64M-1T", ""},
		{"name: t\nvms: [h1]\n", "t.yaml:2:6: `vms:` is a map of at most 256 names", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		struct lab lab;

		assert_int_equal(read_lab(cases[i].text, &lab, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].error);
		assert_string_equal(err.hint, cases[i].hint);
	}
}

static void every_prefix_of_a_lab_is_read_without_harm(void **state)
{
	const char *text = LAB_WITH("ageing: 10s", ", trunk: [10]", ", trunk: 5", ", within: 3s");

	for (size_t len = 0; len < strlen(text); len++) {
		struct err err = ERR_NONE;
		struct yaml_doc *doc;
		struct lab lab;

		if (yaml_load(text, len, "t.yaml", &doc, &err) < 0)
			continue;
		if (lab_read(doc, &lab, &err) == 0)
			lab_free(&lab);
		else
			assert_true(err.text[0] != '\0');
		yaml_doc_free(doc);
	}
}

static void files_of_a_lab_lie_beside_it(void **state)
{
	struct lab lab;
	struct err err = ERR_NONE;
	char far[VM_PATH_BYTES + 8];

	assert_int_equal(read_lab("name: t\nvms:\n  h1: {disk: a.qcow2}\n"
				  "  h2: {kernel: ../k, initrd: /i}\n",
				  &lab, &err),
			 0);
	assert_int_equal(lab_paths_from(&lab, "t.yaml", &err), 0);
	assert_string_equal(lab.vms[0].disk, "a.qcow2");
	assert_int_equal(lab_paths_from(&lab, "labs/t.yaml", &err), 0);
	assert_string_equal(lab.vms[0].disk, "labs/a.qcow2");
	assert_string_equal(lab.vms[0].kernel, "");
	assert_string_equal(lab.vms[1].kernel, "labs/../k");
	assert_string_equal(lab.vms[1].initrd, "/i");
	memset(far, 'd', sizeof(far));
	far[sizeof(far) - 3] = '/';
	far[sizeof(far) - 1] = '\0';
	assert_int_equal(lab_paths_from(&lab, far, &err), -ENAMETOOLONG);
	assert_string_equal(err.text, "vm \"t/h1\": file \"labs/a.qcow2\", beside the lab's file, has "
				      "a path longer than 511 bytes");
	lab_free(&lab);
}

static void console_text_is_made_harmless(void **state)
{
	char text[] = "a\x1b[31mred\x1b[0m\x1b]0;title\a b\x1b\r\n\x9b\t\x01z\x1b[6";
	size_t len = console_log_clean(text, sizeof(text) - 1);

	text[len] = '\0';
	/* What follows a lone ESC goes with it. */
	assert_string_equal(text, "ared b\n?\tz");
}

static void base64_is_decoded(void **state)
{
	char *data;
	size_t len;

	assert_int_equal(base64_decode("aGVsbG8=", &data, &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(data, "hello", 5);
	free(data);
	assert_int_equal(base64_decode("", &data, &len), 0);
	assert_int_equal(len, 0);
	free(data);
	assert_int_equal(base64_decode("a*b", &data, &len), -EINVAL);
}

static void base64_is_encoded(void **state)
{
	static const char *const texts[] = {"", "h", "hi", "hel", "hello", "\xff\x01\xfe"};
	static const char *const codes[] = {"", "aA==", "aGk=", "aGVs", "aGVsbG8=", "/wH+"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *code = base64_encode(texts[i], strlen(texts[i]));

		assert_string_equal(code, codes[i]);
		free(code);
	}
}

/* What becomes of that many bytes and an end. */
static int input_of(long n, struct err *err)
{
	static char junk[EXEC_INPUT_MAX + 1];
	char *code = NULL;
	FILE *f = tmpfile();
	int rc;

	fwrite(junk, 1, (size_t)n, f);
	rewind(f);
	rc = exec_input_read(fileno(f), &code, err);
	fclose(f);
	if (rc == 0 && n > 0)
		assert_int_equal(strlen(code), (n + 2) / 3 * 4);
	else
		assert_null(code);
	free(code);
	return rc;
}

static void input_is_whole_or_refused(void **state)
{
	struct err err = ERR_NONE;

	assert_int_equal(input_of(0, &err), 0);
	assert_int_equal(input_of(1000, &err), 0);
	assert_int_equal(input_of(EXEC_INPUT_MAX, &err), 0);
	assert_int_equal(input_of(EXEC_INPUT_MAX + 1, &err), -EFBIG);
	assert_non_null(strstr(err.text, "standard input is longer than 512 KiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lab_becomes_calls_specs_and_checks),
		cmocka_unit_test(nic_has_a_model_and_an_mtu),
		cmocka_unit_test(ports_of_a_lab_are_its_own),
		cmocka_unit_test(wire_between_guests_is_a_bridge_of_its_own),
		cmocka_unit_test(wrong_lab_is_told_where_and_why),
		cmocka_unit_test(every_prefix_of_a_lab_is_read_without_harm),
		cmocka_unit_test(files_of_a_lab_lie_beside_it),
		cmocka_unit_test(console_text_is_made_harmless),
		cmocka_unit_test(base64_is_decoded),
		cmocka_unit_test(base64_is_encoded),
		cmocka_unit_test(input_is_whole_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
