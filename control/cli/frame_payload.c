/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/frame_payload.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define ARP_IPV4   0x0800
#define DHCP_HEAD  236 /* bytes before the cookie and the options */
#define DHCP_MAGIC 0x63825363u

void say(struct line *l, const char *fmt, ...)
{
	size_t len = strlen(l->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->text + len, l->size - len, fmt, ap);
	va_end(ap);
}

bool has(const struct line *l, uint32_t at, uint32_t n)
{
	return n <= l->kept && at <= l->kept - n;
}

unsigned u16(const struct line *l, uint32_t at)
{
	return (unsigned)l->bytes[at] << 8 | l->bytes[at + 1];
}

uint32_t u32(const struct line *l, uint32_t at)
{
	return (uint32_t)u16(l, at) << 16 | u16(l, at + 2);
}

void say_mac(struct line *l, uint32_t at)
{
	const uint8_t *m = l->bytes + at;

	say(l, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static const char *address(const struct line *l, int family, uint32_t at, char *buf)
{
	return inet_ntop(family, l->bytes + at, buf, INET6_ADDRSTRLEN) ? buf : "?";
}

void say_arp(struct line *l, uint32_t at)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	if (!has(l, at, 28) || u16(l, at + 2) != ARP_IPV4 || l->bytes[at + 4] != 6 || l->bytes[at + 5] != 4) {
		say(l, " ARP");
		return;
	}
	address(l, AF_INET, at + 14, from);
	address(l, AF_INET, at + 24, to);
	switch (u16(l, at + 6)) {
	case 1:
		/* Who asks for its own address tells of it, or looks whether somebody has it already (from 0.0.0.0). */
		if (!strcmp(from, to))
			say(l, " ARP announcement of %s", to);
		else if (!strcmp(from, "0.0.0.0"))
			say(l, " ARP probe, who-has %s", to);
		else
			say(l, " ARP who-has %s tell %s", to, from);
		break;
	case 2:
		say(l, " ARP %s is-at ", from);
		say_mac(l, at + 8);
		break;
	default:
		say(l, " ARP operation %u", u16(l, at + 6));
	}
}

/* ---- ICMP ---- */

static void say_echo(struct line *l, const char *what, uint32_t at)
{
	say(l, " echo %s", what);
	if (has(l, at, 8))
		say(l, ", id %u, seq %u", u16(l, at + 4), u16(l, at + 6));
}

static void say_icmp(struct line *l, uint32_t at)
{
	static const char *const codes[] = {"network unreachable",  "host unreachable", "protocol unreachable",
					    "port unreachable", "too large, and not to be fragmented"};
	unsigned type, code;

	say(l, " ICMP");
	if (!has(l, at, 4))
		return;
	type = l->bytes[at];
	code = l->bytes[at + 1];
	if (type == 8 || type == 0)
		say_echo(l, type ? "request" : "reply", at);
	else if (type == 3 && code < N(codes))
		say(l, " %s", codes[code]);
	else if (type == 3)
		say(l, " unreachable, code %u", code);
	else if (type == 5)
		say(l, " redirect");
	else if (type == 11)
		say(l, code ? " time to put fragments together exceeded" : " time exceeded in transit");
	else
		say(l, " type %u", type);
	if (type == 3 && code == 4 && has(l, at, 8))
		say(l, ", mtu %u", u16(l, at + 6));
}

static void say_icmp6(struct line *l, uint32_t at)
{
	static const char *const codes[] = {"no route to destination", "administratively prohibited",
					    "beyond scope of source", "address unreachable", "port unreachable"};
	static const struct {
		unsigned type;
		const char *name;
	} names[] = {{3, "time exceeded"},	     {4, "parameter problem"},	    {130, "multicast listener query"},
		     {131, "multicast listener report"}, {132, "multicast listener done"}, {133, "router solicitation"},
		     {134, "router advertisement"},  {137, "redirect"},		    {143, "multicast listener report v2"}};
	char target[INET6_ADDRSTRLEN];
	unsigned type, code;

	say(l, " ICMPv6");
	if (!has(l, at, 4))
		return;
	type = l->bytes[at];
	code = l->bytes[at + 1];
	if (type == 128 || type == 129) {
		say_echo(l, type == 128 ? "request" : "reply", at);
	} else if (type == 135 || type == 136) {
		say(l, " neighbor %s", type == 135 ? "solicitation" : "advertisement");
		if (has(l, at, 24))
			say(l, ", %s %s", type == 135 ? "who has" : "target is", address(l, AF_INET6, at + 8, target));
	} else if (type == 1) {
		say(l, " %s", code < N(codes) ? codes[code] : "unreachable");
	} else if (type == 2) {
		say(l, " packet too big");
		if (has(l, at, 8))
			say(l, ", mtu %u", u32(l, at + 4));
	} else {
		for (unsigned i = 0; i < N(names); i++)
			if (names[i].type == type) {
				say(l, " %s", names[i].name);
				return;
			}
		say(l, " type %u", type);
	}
}

/* ---- TCP, UDP ---- */

static void say_tcp(struct line *l, uint32_t at, uint32_t end)
{
	static const struct {
		unsigned bit;
		char letter;
	} flags[] = {{0x01, 'F'}, {0x02, 'S'}, {0x04, 'R'}, {0x08, 'P'}, {0x10, '.'}, {0x20, 'U'}, {0x40, 'E'}, {0x80, 'W'}};
	uint32_t header;
	char text[9];
	size_t n = 0;

	say(l, " TCP");
	if (!has(l, at, 20))
		return;
	for (unsigned i = 0; i < N(flags); i++)
		if (l->bytes[at + 13] & flags[i].bit)
			text[n++] = flags[i].letter;
	text[n] = '\0';
	header = (uint32_t)(l->bytes[at + 12] >> 4) * 4;
	say(l, " [%s], seq %u", n ? text : "none", u32(l, at + 4));
	if (l->bytes[at + 13] & 0x10)
		say(l, ", ack %u", u32(l, at + 8));
	say(l, ", win %u", u16(l, at + 14));
	if (end >= at + header)
		say(l, ", length %u", end - at - header);
}

/* The option of that code, or 0; *len its length. */
static uint32_t dhcp_option(const struct line *l, uint32_t at, unsigned code, uint32_t *len)
{
	while (has(l, at, 2) && l->bytes[at] != 255) {
		if (!l->bytes[at]) {
			at++;
			continue;
		}
		*len = l->bytes[at + 1];
		if (!has(l, at + 2, *len))
			return 0;
		if (l->bytes[at] == code)
			return at + 2;
		at += 2 + *len;
	}
	return 0;
}

static bool say_dhcp(struct line *l, uint32_t at)
{
	static const char *const names[] = {"", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"};
	uint32_t options = at + DHCP_HEAD + 4, len = 0, option;
	char text[INET6_ADDRSTRLEN];
	unsigned type;

	if (!has(l, at, DHCP_HEAD + 4) || u32(l, at + DHCP_HEAD) != DHCP_MAGIC)
		return false;
	option = dhcp_option(l, options, 53, &len);
	type = option && len == 1 ? l->bytes[option] : 0;
	say(l, " DHCP %s", type && type < N(names) ? names[type] : l->bytes[at] == 2 ? "reply" : "message");
	/* What it is given; else what it asks for. */
	option = dhcp_option(l, options, 50, &len);
	if (u32(l, at + 16))
		say(l, " of %s", address(l, AF_INET, at + 16, text));
	else if (option && len == 4)
		say(l, " of %s", address(l, AF_INET, option, text));
	say(l, l->bytes[at] == 2 ? " to " : " from ");
	say_mac(l, at + 28);
	return true;
}

static void say_udp(struct line *l, uint32_t at)
{
	unsigned from, to;

	if (has(l, at, 8)) {
		from = u16(l, at);
		to = u16(l, at + 2);
		if (((from == 67 && to == 68) || (from == 68 && to == 67)) && say_dhcp(l, at + 8))
			return;
		if (from == 53 || to == 53) {
			say(l, " DNS %s", to == 53 ? "query" : "answer");
			return;
		}
	}
	say(l, " UDP");
	if (has(l, at, 8) && u16(l, at + 4) >= 8)
		say(l, ", length %u", u16(l, at + 4) - 8);
}

void say_packet(struct line *l, unsigned protocol, uint32_t at, uint32_t end)
{
	switch (protocol) {
	case 1:
		say_icmp(l, at);
		break;
	case 2:
		say(l, " IGMP");
		break;
	case 6:
		say_tcp(l, at, end);
		break;
	case 17:
		say_udp(l, at);
		break;
	case 58:
		say_icmp6(l, at);
		break;
	case 59:
		say(l, " nothing more");
		break;
	case 132:
		say(l, " SCTP");
		break;
	default:
		say(l, " protocol %u", protocol);
	}
}
