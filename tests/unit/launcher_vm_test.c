/* SPDX-License-Identifier: BSD-3-Clause */
/* A VM's description: --nic, MACs, the file it is kept in, and QEMU's command line. */
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

#include "vm-launcher/process_id.h"
#include "vm-launcher/qemu_argv.h"
#include "vm-launcher/vm_options.h"
#include "vm-launcher/vm_path.h"

static const struct qemu_files by_path;

static char *joined(const struct qemu_argv *a)
{
	char *text = calloc(1, 8192);

	for (unsigned i = 0; i < a->n; i++) {
		strncat(text, a->v[i], 8191 - strlen(text));
		strncat(text,
			a->v[i][0] == '-' && i + 1 < a->n && a->v[i + 1][0] != '-' ? " " : "\n",
			8191 - strlen(text));
	}
	return text;
}

static void spec_two_nics(struct vm_spec *s)
{
	struct err err = ERR_NONE;

	vm_spec_init(s, "lab/h1");
	assert_int_equal(vm_nic_parse(s, "sw1,access=10,mac=02:00:00:00:00:0A", "lab/", &err), 0);
	assert_int_equal(vm_nic_parse(s, "user,ssh=2222", "lab/", &err), 0);
	s->nics[1].mac[0] = '\0';
	vm_spec_number(s);
	snprintf(s->nics[1].mac, sizeof(s->nics[1].mac), "02:00:00:00:00:0b");
	snprintf(s->accel, sizeof(s->accel), "tcg");
	snprintf(s->boot_kernel, sizeof(s->boot_kernel), "/boot/vmlinuz");
	snprintf(s->boot_initrd, sizeof(s->boot_initrd), "/var/img,1.cpio");
	snprintf(s->boot_append, sizeof(s->boot_append), "console=ttyS0");
}

static void argv_is_as_agreed(void **state)
{
	static const char want[] =
		"qemu-system-x86_64\n"
		"-nodefaults\n"
		"-no-user-config\n"
		"-display none\n"
		"-name guest=lab/h1\n"
		"-machine q35,memory-backend=ram0,dump-guest-core=off\n"
		"-accel tcg\n"
		"-cpu max\n"
		"-smp 1\n"
		"-m 512M\n"
		"-object memory-backend-memfd,id=ram0,size=536870912,share=on\n"
		"-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
		"-chardev socket,id=qmp,fd=3,server=on,wait=off\n"
		"-mon chardev=qmp,mode=control\n"
		"-chardev socket,id=console,fd=4,server=on,wait=off\n"
		"-serial chardev:console\n"
		"-chardev socket,id=agent,fd=5,server=on,wait=off\n"
		"-device virtio-serial-pci,id=serial0,vectors=0\n"
		"-device virtserialport,bus=serial0.0,chardev=agent,id=agent0,"
		"name=org.qemu.guest_agent.0\n"
		"-kernel /boot/vmlinuz\n"
		"-initrd /var/img,1.cpio\n"
		"-append console=ttyS0\n"
		"-chardev socket,id=nic0,path=0123456789ab.q/n0,server=on,wait=off\n"
		"-netdev vhost-user,id=net0,chardev=nic0\n"
		"-device virtio-net-pci,id=eth0,netdev=net0,mac=02:00:00:00:00:0a,rx_queue_size=1024,"
		"tx_queue_size=1024,ctrl_guest_offloads=off,romfile=,vectors=0\n"
		"-netdev user,id=net1,hostfwd=tcp:127.0.0.1:2222-:22\n"
		"-device virtio-net-pci,id=eth1,netdev=net1,mac=02:00:00:00:00:0b,romfile=,vectors=0\n";
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	spec_two_nics(&s);
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_string_equal(text, want);
	assert_null(a.v[a.n]);
	free(text);
	qemu_argv_free(&a);
}

static void own_image_gets_the_smallest_processor_under_tcg(void **state)
{
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	spec_two_nics(&s);
	snprintf(s.image, sizeof(s.image), "busybox");
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, "-accel tcg\n-cpu qemu64\n"));
	free(text);
	qemu_argv_free(&a);
	snprintf(s.accel, sizeof(s.accel), "kvm");
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, "-accel kvm\n-cpu max\n"));
	free(text);
	qemu_argv_free(&a);
}

static void kvm_keeps_msi_x(void **state)
{
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	spec_two_nics(&s);
	snprintf(s.accel, sizeof(s.accel), "kvm");
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_null(strstr(text, "vectors"));
	free(text);
	qemu_argv_free(&a);
}

static void disk_has_a_format_that_is_not_guessed(void **state)
{
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	vm_spec_init(&s, "d1");
	snprintf(s.accel, sizeof(s.accel), "kvm");
	snprintf(s.disk, sizeof(s.disk), "/d,1.img");
	snprintf(s.disk_format, sizeof(s.disk_format), "raw");
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, "-drive if=none,id=disk0,format=raw,file=/d,,1.img\n"));
	free(text);
	qemu_argv_free(&a);
}

static void files_of_another_user_are_passed(void **state)
{
	const struct qemu_files passed = {.passed = true, .backing = "/b,1.qcow2"};
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	spec_two_nics(&s);
	snprintf(s.disk, sizeof(s.disk), "/d,1.qcow2");
	snprintf(s.disk_format, sizeof(s.disk_format), "qcow2");
	assert_int_equal(qemu_argv_build(&a, &s, &passed, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, "-kernel /proc/self/fd/8\n-initrd /proc/self/fd/9\n"));
	assert_non_null(strstr(text, "-add-fd fd=10,set=10\n-drive if=none,id=disk0,format=qcow2,file=/dev/fdset/10,"
				     "auto-read-only=off,backing.file.filename=/b,,1.qcow2\n"));
	free(text);
	qemu_argv_free(&a);
}

static void mac_is_local_and_the_same_for_the_same_name(void **state)
{
	struct vm_spec a, b, c;

	vm_spec_init(&a, "lab/h1");
	vm_spec_init(&b, "lab/h1");
	vm_spec_init(&c, "lab/h2");
	a.n_nics = b.n_nics = c.n_nics = 2;
	vm_spec_number(&a);
	vm_spec_number(&b);
	vm_spec_number(&c);
	assert_string_equal(a.nics[0].mac, b.nics[0].mac);
	assert_string_not_equal(a.nics[0].mac, a.nics[1].mac);
	assert_string_not_equal(a.nics[0].mac, c.nics[0].mac);
	assert_memory_equal(a.nics[0].mac, "02:", 3);
	assert_string_equal(a.nics[1].port, "lab/h1.eth1");
}

static void nic_text_is_read_with_its_own_commas(void **state)
{
	struct vm_spec s;
	struct err err = ERR_NONE;

	vm_spec_init(&s, "h1");
	assert_int_equal(vm_nic_parse(&s, "sw1,trunk=10,20-29,30,native=5", "", &err), 0);
	assert_string_equal(s.nics[0].trunk, "10,20-29,30");
	assert_int_equal(s.nics[0].native, 5);
	assert_string_equal(s.nics[0].bridge, "sw1");
	assert_int_equal(vm_nic_parse(&s, "sw1,guard=mac,dhcp,ra,trunk=10,20,mtu=1400", "", &err), 0);
	assert_string_equal(s.nics[1].guard, "mac,dhcp,ra");
	assert_string_equal(s.nics[1].trunk, "10,20");
	assert_int_equal(vm_nic_parse(&s, "sw1,guard=off", "", &err), 0);
	assert_int_equal(vm_nic_parse(&s, "sw1", "", &err), 0);
	vm_spec_number(&s);
	assert_string_equal(s.nics[2].guard, "off");
	assert_string_equal(s.nics[3].guard, "mac");
	assert_int_equal(vm_nic_parse(&s, "sw1,ip=dhcp,access=10", "", &err), 0);
	assert_true(s.nics[4].dhcp && !s.nics[4].n_ips && s.nics[4].access == 10);
	assert_int_equal(vm_nic_parse(&s, "sw1,ip=10.0.0.9/24,ip=fd00::9/64,gw=10.0.0.1", "", &err), 0);
	assert_string_equal(s.nics[5].ips[1], "fd00::9/64");
	assert_string_equal(s.nics[5].gateway, "10.0.0.1");
	assert_int_equal(vm_nic_parse(&s, "sw1,gateway=fe80::1,ip=fd00::8/64", "", &err), 0);
	assert_int_equal(vm_nic_parse(&s, "sw1,gateway=10.1.255.1,ip=10.0.0.0/15", "", &err), 0);
}

static void wrong_nic_text_is_told_in_a_sentence(void **state)
{
	static const struct {
		const char *nic, *text, *hint;
	} cases[] = {
		{"sw1,acess=10", "nic \"sw1,acess=10\": a NIC has no \"acess\"",
		 "did you mean \"access\"?"},
		{"sw1,access=5000", "nic \"sw1,access=5000\": access \"5000\" is no vlan of 1-4094",
		 ""},
		{"sw1,access=10,trunk=20",
		 "nic \"sw1,access=10,trunk=20\": access excludes trunk and native", ""},
		{"sw1,mac=01:00:00:00:00:01",
		 "nic \"sw1,mac=01:00:00:00:00:01\": mac \"01:00:00:00:00:01\" is no unicast MAC address "
		 "like 02:00:00:00:00:01",
		 ""},
		{"sw1,10", "nic \"sw1,10\": \"10\" is no setting like access=10", ""},
		{"user,access=10", "nic \"user,access=10\": QEMU's user network has no vlans", ""},
		{"sw1,ssh=22", "nic \"sw1,ssh=22\": ssh \"22\" is a port of 1-65535 with `user`",
		 ""},
		{"sw1,model=e100", "nic \"sw1,model=e100\": model \"e100\" is none of virtio, e1000, "
				   "e1000e, rtl8139, pcnet, ne2k_pci or vmxnet3",
		 "did you mean \"e1000\"?"},
		{"sw1,mtu=67", "nic \"sw1,mtu=67\": mtu \"67\" is outside 68-65535", ""},
		{"sw1,mtu=9000,model=pcnet",
		 "nic \"sw1,mtu=9000,model=pcnet\": mtu 9000 is more than the 1500 that pcnet can do",
		 ""},
		{"sw1,guard=mac,dhpc", "nic \"sw1,guard=mac,dhpc\": guard \"dhpc\" is none of mac, ip, arp, dhcp, "
				       "ra and off",
		 "did you mean \"dhcp\"?"},
		{"sw1,guard=mac,off",
		 "nic \"sw1,guard=mac,off\": guard \"off\" is none of mac, ip, arp, dhcp, ra and off", ""},
		{"sw1,guard=mac,ip",
		 "nic \"sw1,guard=mac,ip\": guard \"mac,ip\" has no address to compare with",
		 "`ip` gives the NIC addresses; one by DHCP is not known before"},
		{"sw1,ip=dhcp,guard=mac,ip",
		 "nic \"sw1,ip=dhcp,guard=mac,ip\": guard \"mac,ip\" has no address to compare with",
		 "`ip` gives the NIC addresses; one by DHCP is not known before"},
		{"sw1,ip=10.0.0.1", "nic \"sw1,ip=10.0.0.1\": ip: \"10.0.0.1\" is no address with its length, like "
				    "10.0.10.11/24, nor dhcp", ""},
		{"sw1,ip=10.0.0.1/8,ip=dhcp",
		 "nic \"sw1,ip=10.0.0.1/8,ip=dhcp\": ip: dhcp stands alone, without other addresses", ""},
		{"sw1,ip=dhcp,ip=10.0.0.1/8",
		 "nic \"sw1,ip=dhcp,ip=10.0.0.1/8\": ip: dhcp stands alone, without other addresses", ""},
		{"sw1,ip=10.0.0.1/24,gateway=10.0.1.1",
		 "nic \"sw1,ip=10.0.0.1/24,gateway=10.0.1.1\": gateway: 10.0.1.1 is in no network of this NIC's `ip`", ""},
		{"sw1,gw=10.0.0.1/24", "nic \"sw1,gw=10.0.0.1/24\": gateway: \"10.0.0.1/24\" is no address, like 10.0.10.1",
		 ""},
		{"sw1,gw=10.0.0.1,ip=dhcp", "nic \"sw1,gw=10.0.0.1,ip=dhcp\": gateway: DHCP gives this NIC its own", ""},
		{"sw1,guard=mac,mac,mac,mac,mac,mac,mac",
		 "nic \"sw1,guard=mac,mac,mac,mac,mac,mac,mac\": \"mac\" makes its list too long", ""},
		{"user,guard=mac", "nic \"user,guard=mac\": QEMU's user network has no guard", ""},
		{"user,mtu=9000",
		 "nic \"user,mtu=9000\": QEMU's user network has an mtu of 1500", ""},
		{"s w", "nic \"s w\": \"s w\" is no bridge's name", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		struct vm_spec s;

		vm_spec_init(&s, "h1");
		assert_int_equal(vm_nic_parse(&s, cases[i].nic, "", &err), -EINVAL);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(err.hint, cases[i].hint);
		assert_int_equal(s.n_nics, 0);
	}
}

static void mtu_is_told_by_the_device(void **state)
{
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	vm_spec_init(&s, "h1");
	assert_int_equal(vm_nic_parse(&s, "sw1,mtu=9000,mac=02:00:00:00:00:0a", "", &err), 0);
	vm_spec_number(&s);
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, ",ctrl_guest_offloads=off,host_mtu=9000,romfile="));
	free(text);
	qemu_argv_free(&a);
}

static void emulated_card_sends_datagrams(void **state)
{
	static const char want[] =
		"-netdev dgram,id=net0,local.type=unix,local.path=0123456789ab.q/n0,"
		"remote.type=unix,remote.path=0123456789ab.d0\n"
		"-device e1000,id=eth0,netdev=net0,mac=02:00:00:00:00:0a,romfile=\n"
		"-netdev user,id=net1\n"
		"-device rtl8139,id=eth1,netdev=net1,mac=02:00:00:00:00:0b,romfile=\n";
	struct vm_spec s;
	struct qemu_argv a;
	struct err err = ERR_NONE;
	char *text;

	vm_spec_init(&s, "h1");
	assert_int_equal(
		vm_nic_parse(&s, "sw1,model=e1000,mtu=9000,mac=02:00:00:00:00:0a", "", &err), 0);
	assert_int_equal(vm_nic_parse(&s, "user,model=rtl8139,mac=02:00:00:00:00:0b", "", &err), 0);
	vm_spec_number(&s);
	assert_int_equal(qemu_argv_build(&a, &s, &by_path, "0123456789ab", &err), 0);
	text = joined(&a);
	assert_non_null(strstr(text, want));
	free(text);
	qemu_argv_free(&a);
}

/* A definition that an older release kept has neither model nor mtu. */
static void older_spec_is_read(void **state)
{
	struct vm_spec s, back;
	struct err err = ERR_NONE;
	json_t *doc, *nic;

	spec_two_nics(&s);
	doc = vm_spec_to_json(&s);
	nic = json_array_get(json_object_get(doc, "nics"), 0);
	json_object_del(nic, "model");
	json_object_del(nic, "mtu");
	json_object_del(nic, "dhcp");
	json_object_del(nic, "gateway");
	assert_int_equal(vm_spec_from_json(&back, doc, &err), 0);
	assert_memory_equal(&s, &back, sizeof(s));
	json_object_set_new(nic, "model", json_string("e1001"));
	assert_int_equal(vm_spec_from_json(&back, doc, &err), -EINVAL);
	json_object_set_new(nic, "model", json_string("pcnet"));
	json_object_set_new(nic, "mtu", json_integer(9000));
	assert_int_equal(vm_spec_from_json(&back, doc, &err), -EINVAL);
	json_decref(doc);
}

static void spec_comes_back_from_its_file(void **state)
{
	struct vm_spec s, back;
	struct err err = ERR_NONE;
	json_t *doc;

	spec_two_nics(&s);
	snprintf(s.nics[0].ips[0], sizeof(s.nics[0].ips[0]), "10.0.0.1/24");
	s.nics[0].n_ips = 1;
	snprintf(s.nics[0].gateway, sizeof(s.nics[0].gateway), "10.0.0.254");
	s.nics[1].dhcp = true;
	doc = vm_spec_to_json(&s);
	assert_int_equal(vm_spec_from_json(&back, doc, &err), 0);
	assert_memory_equal(&s, &back, sizeof(s));
	json_decref(doc);
}

/* Each key taken away or bent: refused, never half taken. */
static void damaged_spec_is_refused(void **state)
{
	struct vm_spec s, back;
	struct err err = ERR_NONE;
	json_t *doc, *bent, *value;
	const char *key;

	spec_two_nics(&s);
	doc = vm_spec_to_json(&s);
	json_object_foreach (doc, key, value) {
		bent = json_deep_copy(doc);
		json_object_del(bent, key);
		/* Files of before there was a user are read, too. */
		assert_int_equal(vm_spec_from_json(&back, bent, &err), strcmp(key, "user") ? -EINVAL : 0);
		json_object_set_new(bent, key, json_pack("{s:i}", "x", 1));
		assert_int_equal(vm_spec_from_json(&back, bent, &err), -EINVAL);
		json_decref(bent);
	}
	json_decref(doc);
}

static void id_is_short_and_differs(void **state)
{
	char a[VM_ID_BYTES], b[VM_ID_BYTES];

	vm_id("lab/h1", a);
	vm_id("lab/h2", b);
	assert_int_equal(strlen(a), VM_ID_BYTES - 1);
	assert_string_not_equal(a, b);
}

static void process_of_another_boot_is_nobody(void **state)
{
	json_t *own = process_json(getpid(), process_start_time(getpid()));
	int fd = process_open_json(own);

	assert_true(fd >= 0);
	close(fd);
	json_object_set_new(own, "start", json_integer(json_integer_value(json_object_get(own, "start")) + 1));
	assert_int_equal(process_open_json(own), -ESRCH);
	json_decref(own);
	/* The same number and, of a machine that starts alike each time, the same moment. */
	own = process_json(getpid(), process_start_time(getpid()));
	json_object_set_new(own, "boot", json_string("00000000-0000-0000-0000-000000000000"));
	assert_int_equal(process_open_json(own), -ESRCH);
	json_decref(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(argv_is_as_agreed),
		cmocka_unit_test(process_of_another_boot_is_nobody),
		cmocka_unit_test(own_image_gets_the_smallest_processor_under_tcg),
		cmocka_unit_test(kvm_keeps_msi_x),
		cmocka_unit_test(disk_has_a_format_that_is_not_guessed),
		cmocka_unit_test(files_of_another_user_are_passed),
		cmocka_unit_test(mac_is_local_and_the_same_for_the_same_name),
		cmocka_unit_test(nic_text_is_read_with_its_own_commas),
		cmocka_unit_test(wrong_nic_text_is_told_in_a_sentence),
		cmocka_unit_test(mtu_is_told_by_the_device),
		cmocka_unit_test(emulated_card_sends_datagrams),
		cmocka_unit_test(older_spec_is_read),
		cmocka_unit_test(spec_comes_back_from_its_file),
		cmocka_unit_test(damaged_spec_is_refused),
		cmocka_unit_test(id_is_short_and_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
