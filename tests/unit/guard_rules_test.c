/* SPDX-License-Identifier: BSD-3-Clause */
/* What each guard lets pass, one rule a test: ip, arp, dhcp and ra. */
#include "tests/unit/guard_frame.h"

/* ---- ip ---- */

static uint8_t ipv4_from(const uint8_t source[4])
{
	START(p, IPV4);
	bytes_ipv4(&p, 6, 0, source, 0);
	return frame_verdict(GUARD_IP, &p);
}

static uint8_t ipv6_from(const uint8_t source[16])
{
	START(p, IPV6);
	bytes_ipv6(&p, 6, source);
	return frame_verdict(GUARD_IP, &p);
}

static void ip_lets_own_addresses_pass(void **state)
{
	assert_int_equal(ipv4_from(A4(V4)), FRAME_NO_DROP);
	assert_int_equal(ipv4_from(A4(ZERO4)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(V6)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(LOCAL)), FRAME_NO_DROP);
	assert_int_equal(ipv6_from(A6(ZERO6)), FRAME_NO_DROP);
}

static void ip_drops_others(void **state)
{
	assert_int_equal(ipv4_from(A4(V4_OTHER)), RX_GUARD_IP);
	assert_int_equal(ipv6_from(A6(V6_OTHER)), RX_GUARD_IP);
	assert_int_equal(ipv6_from(A6(0xfe, 0x80, ZERO4, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 2)),
			 RX_GUARD_IP);
}

static void ip_looks_at_each_fragment(void **state)
{
	START(p, IPV4);
	bytes_ipv4(&p, 17, 0x2005, A4(V4_OTHER), 0);
	assert_int_equal(frame_verdict(GUARD_IP, &p), RX_GUARD_IP);
}

static void other_types_pass(void **state)
{
	START(p, 0x88, 0xb5);
	bytes_zeros(&p, 46);
	assert_int_equal(frame_verdict(GUARD_ALL, &p), FRAME_NO_DROP);
}

/* ---- arp ---- */

static uint8_t arp_of(const uint8_t *sender, const uint8_t address[4])
{
	START(p, TAG(7), ARP, 0, 1, 8, 0, 6, 4, 0, 2);
	bytes_add(&p, sender, 6);
	bytes_add(&p, address, 4);
	bytes_zeros(&p, 28);
	return frame_verdict(GUARD_ARP, &p);
}

static void arp_names_the_nic(void **state)
{
	static const uint8_t mac[6] = {MAC}, other[6] = {OTHER};

	assert_int_equal(arp_of(mac, A4(V4)), FRAME_NO_DROP);
	assert_int_equal(arp_of(mac, A4(ZERO4)), FRAME_NO_DROP);
	assert_int_equal(arp_of(mac, A4(V4_OTHER)), RX_GUARD_ARP);
	assert_int_equal(arp_of(other, A4(V4)), RX_GUARD_ARP);
}

/* Neighbour discovery; target: of an advertisement, 24 bytes into ICMPv6, behind the snapshot. */
static uint8_t nd_of(uint8_t type, const uint8_t source[16], const uint8_t target[16],
		     uint8_t checks)
{
	START(p, IPV6);
	bytes_ipv6(&p, 58, source);
	ADD(&p, type, 0, 0, 0, 0x20, 0, 0, 0);
	bytes_add(&p, target, 16);
	ADD(&p, 2, 1, MAC);
	return frame_verdict(checks, &p);
}

static void neighbour_discovery_names_the_nic(void **state)
{
	assert_int_equal(nd_of(136, A6(V6), A6(V6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(136, A6(V6), A6(LOCAL), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(136, A6(V6), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(135, A6(V6), A6(V6_OTHER), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(135, A6(ZERO6), A6(V6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(135, A6(V6_OTHER), A6(V6), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(136, A6(V6_OTHER), A6(V6_OTHER), GUARD_RA), FRAME_NO_DROP);
}

/* Who is asked by nobody whether an address is taken believes that it is. */
static void probes_are_for_own_addresses(void **state)
{
	for (unsigned own = 0; own < 2; own++) {
		START(p, ARP, 0, 1, 8, 0, 6, 4, 0, 1, MAC, ZERO4, 0, 0, 0, 0, 0, 0);
		bytes_add(&p, own ? A4(V4) : A4(V4_OTHER), 4);
		assert_int_equal(frame_verdict(GUARD_ARP, &p), own ? FRAME_NO_DROP : RX_GUARD_ARP);
	}
	assert_int_equal(nd_of(135, A6(ZERO6), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
}

static void routers_claim_no_others_address(void **state)
{
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_ARP), FRAME_NO_DROP);
	assert_int_equal(nd_of(134, A6(V6_OTHER), A6(ZERO6), GUARD_ARP), RX_GUARD_ARP);
	assert_int_equal(nd_of(137, A6(LOCAL), A6(V6_OTHER), GUARD_ARP), RX_GUARD_ARP);
}

/* ---- dhcp ---- */

static uint8_t udp4_from(uint8_t port, unsigned fragment, unsigned n_options)
{
	START(p, IPV4);
	bytes_ipv4(&p, 17, fragment, A4(V4), n_options);
	ADD(&p, 0, port, 0, 67, 0, 8, 0, 0);
	return frame_verdict(GUARD_DHCP, &p);
}

static void dhcp_servers_are_dropped(void **state)
{
	assert_int_equal(udp4_from(68, 0, 0), FRAME_NO_DROP);
	assert_int_equal(udp4_from(67, 0, 0), RX_GUARD_DHCP);
	assert_int_equal(udp4_from(67, 0, 10), RX_GUARD_DHCP); /* behind 40 bytes of options */
	assert_int_equal(udp4_from(68, 0, 10), FRAME_NO_DROP);
	assert_int_equal(udp4_from(67, 0x2000, 0), RX_GUARD_DHCP);
	assert_int_equal(udp4_from(67, 185, 0), FRAME_NO_DROP); /* no port there */
}

static uint8_t udp6_from(unsigned port, unsigned n_options)
{
	START(p, IPV6);
	bytes_ipv6(&p, n_options ? 60 : 17, A6(LOCAL));
	for (unsigned i = 0; i < n_options; i++)
		ADD(&p, i + 1 < n_options ? 60 : 17, 0, 1, 4, 0, 0, 0, 0);
	ADD(&p, (uint8_t)(port >> 8), (uint8_t)port, 2, 35, 0, 8, 0, 0);
	return frame_verdict(GUARD_DHCP, &p);
}

static void dhcpv6_servers_are_dropped(void **state)
{
	assert_int_equal(udp6_from(546, 0), FRAME_NO_DROP);
	assert_int_equal(udp6_from(547, 0), RX_GUARD_DHCP);
	assert_int_equal(udp6_from(547, 5), RX_GUARD_DHCP);
	assert_int_equal(udp6_from(546, 5), FRAME_NO_DROP);
}

/* Clients listen on a port and do not ask where it came from. */
static void dhcp_answers_are_dropped_wherever_they_are_from(void **state)
{
	START(p, IPV4);
	bytes_ipv4(&p, 17, 0, A4(V4), 0);
	ADD(&p, 4, 43, 0, 68, 0, 8, 0, 0);
	assert_int_equal(frame_verdict(GUARD_DHCP, &p), RX_GUARD_DHCP);
	START(q, IPV6);
	bytes_ipv6(&q, 17, A6(LOCAL));
	ADD(&q, 2, 34, 2, 34, 0, 8, 0, 0);
	assert_int_equal(frame_verdict(GUARD_DHCP, &q), RX_GUARD_DHCP);
}

/* ---- ra ---- */

static void advertisements_and_redirects_are_dropped(void **state)
{
	assert_int_equal(nd_of(133, A6(LOCAL), A6(ZERO6), GUARD_RA), FRAME_NO_DROP);
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_RA), RX_GUARD_RA);
	assert_int_equal(nd_of(137, A6(LOCAL), A6(ZERO6), GUARD_RA), RX_GUARD_RA);
	assert_int_equal(nd_of(134, A6(LOCAL), A6(ZERO6), GUARD_DHCP), FRAME_NO_DROP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_lets_own_addresses_pass),
		cmocka_unit_test(ip_drops_others),
		cmocka_unit_test(ip_looks_at_each_fragment),
		cmocka_unit_test(other_types_pass),
		cmocka_unit_test(arp_names_the_nic),
		cmocka_unit_test(neighbour_discovery_names_the_nic),
		cmocka_unit_test(probes_are_for_own_addresses),
		cmocka_unit_test(routers_claim_no_others_address),
		cmocka_unit_test(dhcp_servers_are_dropped),
		cmocka_unit_test(dhcpv6_servers_are_dropped),
		cmocka_unit_test(dhcp_answers_are_dropped_wherever_they_are_from),
		cmocka_unit_test(advertisements_and_redirects_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
