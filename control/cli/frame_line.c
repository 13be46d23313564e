/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/frame_line.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ETH_IPV4 0x0800
#define ETH_ARP	 0x0806
#define ETH_VLAN 0x8100
#define ETH_STAG 0x88a8
#define ETH_IPV6 0x86dd

struct line {
	char *text;
	size_t size;
	const uint8_t *bytes;
	uint32_t kept;
};

static void say(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct line *l, const char *fmt, ...)
{
	size_t len = strlen(l->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->text + len, l->size - len, fmt, ap);
	va_end(ap);
}

static unsigned u16(const struct line *l, uint32_t at)
{
	return (unsigned)l->bytes[at] << 8 | l->bytes[at + 1];
}

static void say_mac(struct line *l, uint32_t at)
{
	const uint8_t *m = l->bytes + at;

	say(l, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void say_protocol(struct line *l, unsigned protocol)
{
	static const struct {
		unsigned number;
		const char *name;
	} names[] = {{1, "ICMP"}, {2, "IGMP"},	  {6, "TCP"},
		     {17, "UDP"}, {58, "ICMPv6"}, {132, "SCTP"}};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == protocol) {
			say(l, " %s", names[i].name);
			return;
		}
	say(l, " protocol %u", protocol);
}

/* Two addresses at `at`, with the ports that are at `ports` (0: there are none). */
static void say_addresses(struct line *l, int family, uint32_t at, uint32_t ports)
{
	uint32_t size = family == AF_INET ? 4 : 16;
	char text[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < 2; i++) {
		inet_ntop(family, l->bytes + at + i * size, text, sizeof(text));
		say(l, "%s%s", i ? " > " : " ", text);
		if (ports && ports + 4 <= l->kept)
			say(l, ".%u", u16(l, ports + 2 * i));
	}
}

static bool has_ports(unsigned protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 132;
}

static void say_ipv4(struct line *l, uint32_t at)
{
	uint32_t header = at + 20 <= l->kept ? (l->bytes[at] & 15u) * 4 : 0;
	bool first = header && !(u16(l, at + 6) & 0x1fff);

	if (header < 20) {
		say(l, " IPv4, cut short");
		return;
	}
	say(l, " IPv4");
	say_addresses(l, AF_INET, at + 12, first && has_ports(l->bytes[at + 9]) ? at + header : 0);
	say_protocol(l, l->bytes[at + 9]);
	if (!first)
		say(l, " fragment");
}

static void say_ipv6(struct line *l, uint32_t at)
{
	if (at + 40 > l->kept) {
		say(l, " IPv6, cut short");
		return;
	}
	say(l, " IPv6");
	say_addresses(l, AF_INET6, at + 8, has_ports(l->bytes[at + 6]) ? at + 40 : 0);
	say_protocol(l, l->bytes[at + 6]);
}

static void say_arp(struct line *l, uint32_t at)
{
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];

	if (at + 28 > l->kept || u16(l, at + 2) != ETH_IPV4) {
		say(l, " ARP");
		return;
	}
	inet_ntop(AF_INET, l->bytes + at + 14, from, sizeof(from));
	inet_ntop(AF_INET, l->bytes + at + 24, to, sizeof(to));
	if (u16(l, at + 6) == 1)
		say(l, " ARP who has %s, tell %s", to, from);
	else
		say(l, " ARP %s is here, to %s", from, to);
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
