/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which texts of a client reach DPDK, and with what sentence others do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tap/device_allow.h"
#include "tests/unit/dice.h"

static void assert_refused(const char *text, const char *why)
{
	struct err err = ERR_NONE;

	if (device_allow(text, &err) == 0)
		fail_msg("\"%s\" is allowed", text);
	if (!strstr(err.text, why) && !strstr(err.hint, why))
		fail_msg("\"%s\": \"%s\" (%s) does not say \"%s\"", text, err.text, err.hint, why);
}

static void is_allowed(const char *text)
{
	struct err err = ERR_NONE;

	if (device_allow(text, &err) < 0)
		fail_msg("\"%s\": %s", text, err.text);
}

static void listed_devices_are_allowed(void **state)
{
	static const char *const fine[] = {
		"net_af_packet0,iface=eth0",
		"net_af_packet12,iface=eth0.5,framecnt=1024,qdisc_bypass=0",
		"net_af_xdp1,iface=enp3s0f1,start_queue=2,force_copy=1,busy_budget=64",
		"net_memif0,role=server,socket=/run/lanyard/m.sock,socket-abstract=no,id=3",
		"net_virtio_user0,path=/dev/vhost-net,iface=x0,queues=2",
		"net_tap0",
		"net_tap0,iface=x0,mac=fixed",
		"net_tap0,mac=02:00:00:00:00:01",
		"net_null0,size=64,copy=1,no-rx=1",
		"net_ring0",
		"0000:03:00.0",
		"03:00.1",
		"abcd:ef:1f.7",
	};

	for (unsigned i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		is_allowed(fine[i]);
}

/* By who has rights for who has none. */
static void no_way_to_root_is_allowed(void **state)
{
	device_allow_strict(true);
	assert_refused("net_memif0,role=client,socket-abstract=no,socket=/run/lanyard/keeper.sock", "root's rights");
	assert_refused("net_memif0", "--user root");
	is_allowed("net_af_packet0,iface=eth0");
	is_allowed("0000:03:00.0");
	device_allow_strict(false);
	is_allowed("net_memif0");
}

static void other_drivers_are_refused(void **state)
{
	static const char *const others[] = {
		"",
		",",
		"net_failsafe0,exec(id >/tmp/x; echo net_null0)",
		"net_failsafe0,dev(net_null0)",
		"net_failsafe0,fd(0)",
		"net_pcap0,tx_pcap=/etc/x",
		"net_bonding0,mode=0",
		"net_vhost0,iface=/run/x",
		"net_softnic0,firmware=/etc/passwd",
		"eth_pcap0,tx_pcap=/etc/x",
		"vdev:net_pcap0,tx_pcap=/etc/x",
		"pci:0000:03:00.0",
		"bus=vdev,name=net_pcap0,tx_pcap=/etc/x",
		"net_tap_pcap0",
		"net_tap0/bus=vdev",
		"net_tap0 net_pcap0",
		"crypto_null0",
		"net_null0x",
		"0000",
		"0000:03:00.0/class=eth",
	};

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_refused(others[i], "net_af_packet0,iface=eth0");
}

static void arguments_that_do_more_are_refused(void **state)
{
	assert_refused("net_af_xdp0,iface=e,xdp_prog=/tmp/x.o", "it takes iface");
	assert_refused("net_af_xdp0,iface=e,shared_umem=1", "no argument");
	assert_refused("net_af_xdp0,iface=e,busy_budget=0", "a number from 1");
	assert_refused("net_af_xdp0,iface=e,queue_count=4", "--queues");
	assert_refused("net_af_packet0,iface=e,qpairs=4", "--queues");
	assert_refused("net_af_packet0,iface=e,framesz=512", "no argument");
	assert_refused("net_tap0,remote=eth0", "no argument");
	assert_refused("net_ring0,internal=0xdeadbeef", "takes none");
	assert_refused("net_ring0,nodeaction=x:0:ATTACH", "takes none");
	assert_refused("net_virtio_user0,path=/run/x.sock", "is /dev/vhost-net");
	assert_refused("net_virtio_user0,path=/dev/vhost-net,server=1", "no argument");
	assert_refused("0000:03:00.0,firmware=/etc/x", "no arguments");
}

static void values_have_their_form(void **state)
{
	assert_refused("net_af_packet0,iface=", "a name of an interface");
	assert_refused("net_af_packet0,iface", "a name of an interface");
	assert_refused("net_af_packet0,iface=e/../x", "a name of an interface");
	assert_refused("net_af_packet0,iface=much-too-long-a-name", "a name of an interface");
	assert_refused("net_af_packet0,iface=e,iface=f", "there twice");
	assert_refused("net_af_packet0,iface=e,", "no argument");
	assert_refused("net_af_packet0,iface=e,framecnt=99999", "a number from 8");
	assert_refused("net_af_packet0,iface=e,framecnt=-1", "a number from 8");
	assert_refused("net_memif0,role=|server", "server or client");
	assert_refused("net_memif0,socket=/x/bus=vdev", "a path");
	assert_refused("net_memif0,secret=(x)", "letters");
	assert_refused("net_tap0,mac=random", "MAC address");
}

/* No byte of a text that passes has a meaning to DPDK's parsers or a shell. */
static void what_passes_is_plain(void **state)
{
	static const char *const parts[] = {
		"net_tap0",    "net_memif1", "net_af_packet2", "iface=", "socket=", "/run/x",
		"role=server", ",",	     "exec(",	       "=",	 "x",	    "03:00.0"};

	for (unsigned i = 0; i < 300000; i++) {
		struct err err = ERR_NONE;
		char text[256] = "";
		int at = 0;

		for (unsigned k = dice_in(1, 7); k; k--)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s",
				       parts[dice_in(0, 11)]);
		if (device_allow(text, &err) < 0)
			continue;
		assert_null(strpbrk(text, "()|;&$`'\"\\<> "));
		if (strncmp(text, "net_", 4) && strcmp(text, "03:00.0"))
			fail_msg("\"%s\" is allowed", text);
		assert_null(strstr(text, "=="));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_devices_are_allowed),
		cmocka_unit_test(no_way_to_root_is_allowed),
		cmocka_unit_test(other_drivers_are_refused),
		cmocka_unit_test(arguments_that_do_more_are_refused),
		cmocka_unit_test(values_have_their_form),
		cmocka_unit_test(what_passes_is_plain),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
