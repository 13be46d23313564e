/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/frame_line.h"

#include <arpa/inet.h>

#include "control/cli/frame_payload.h"

#define ETH_IPV4 0x0800
#define ETH_ARP	 0x0806
#define ETH_VLAN 0x8100
#define ETH_STAG 0x88a8
#define ETH_IPV6 0x86dd

/* Two addresses at `at`, with the ports that are at `ports` (0: there are none). */
static void say_addresses(struct line *l, int family, uint32_t at, uint32_t ports)
{
	uint32_t size = family == AF_INET ? 4 : 16;
	char text[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < 2; i++) {
		inet_ntop(family, l->bytes + at + i * size, text, sizeof(text));
		say(l, "%s%s", i ? " > " : " ", text);
		if (ports && has(l, ports, 4))
			say(l, ".%u", u16(l, ports + 2 * i));
	}
}

static bool has_ports(unsigned protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 132;
}

static void say_ipv4(struct line *l, uint32_t at)
{
	uint32_t header = has(l, at, 20) ? (l->bytes[at] & 15u) * 4 : 0;
	bool first = header && !(u16(l, at + 6) & 0x1fff);

	if (header < 20) {
		say(l, " IPv4, cut short");
		return;
	}
	say(l, " IPv4");
	say_addresses(l, AF_INET, at + 12, first && has_ports(l->bytes[at + 9]) ? at + header : 0);
	if (first)
		say_packet(l, l->bytes[at + 9], at + header, at + u16(l, at + 2));
	else
		say(l, " fragment of protocol %u", l->bytes[at + 9]);
}

#define HOP_BY_HOP 0

static void say_ipv6(struct line *l, uint32_t at)
{
	unsigned protocol;
	uint32_t next;

	if (!has(l, at, 40)) {
		say(l, " IPv6, cut short");
		return;
	}
	protocol = l->bytes[at + 6];
	next = at + 40;
	/* Reports of multicast listeners have one; who counts groups wants to see them. */
	if (protocol == HOP_BY_HOP && has(l, next, 8)) {
		protocol = l->bytes[next];
		next += 8 * (l->bytes[next + 1] + 1u);
	}
	say(l, " IPv6");
	say_addresses(l, AF_INET6, at + 8, has_ports(protocol) ? next : 0);
	say_packet(l, protocol, next, at + 40 + u16(l, at + 4));
}

char *frame_line(const uint8_t *bytes, uint32_t kept, uint32_t len, char *text, size_t size)
{
	struct line l = {text, size, bytes, kept};
	uint32_t at = 12;

	text[0] = '\0';
	if (kept < 14) {
		say(&l, "cut short, %u bytes", len);
		return text;
	}
	say_mac(&l, 6);
	say(&l, " > ");
	say_mac(&l, 0);
	while (at + 6 <= kept && (u16(&l, at) == ETH_VLAN || u16(&l, at) == ETH_STAG)) {
		say(&l, " %s %u", u16(&l, at) == ETH_VLAN ? "vlan" : "s-tag",
		    u16(&l, at + 2) & 0xfff);
		at += 4;
	}
	switch (u16(&l, at)) {
	case ETH_IPV4:
		say_ipv4(&l, at + 2);
		break;
	case ETH_IPV6:
		say_ipv6(&l, at + 2);
		break;
	case ETH_ARP:
		say_arp(&l, at + 2);
		break;
	default:
		say(&l, " type 0x%04x", u16(&l, at));
	}
	say(&l, ", %u bytes", len);
	return text;
}
