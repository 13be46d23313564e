/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/filter_words.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *at;
	size_t len;
};

/* Tokens of libpcap's scanner, less those of link layers that are not Ethernet. */
static const char *const tokens[] = {"dst",
				     "src",
				     "link",
				     "ether",
				     "ppp",
				     "slip",
				     "arp",
				     "rarp",
				     "ip",
				     "sctp",
				     "tcp",
				     "udp",
				     "icmp",
				     "igmp",
				     "igrp",
				     "pim",
				     "vrrp",
				     "carp",
				     "ip6",
				     "icmp6",
				     "ah",
				     "esp",
				     "atalk",
				     "aarp",
				     "decnet",
				     "lat",
				     "sca",
				     "moprc",
				     "mopdl",
				     "iso",
				     "esis",
				     "es-is",
				     "isis",
				     "is-is",
				     "l1",
				     "l2",
				     "iih",
				     "lsp",
				     "snp",
				     "csnp",
				     "psnp",
				     "clnp",
				     "stp",
				     "ipx",
				     "netbeui",
				     "host",
				     "net",
				     "mask",
				     "port",
				     "portrange",
				     "proto",
				     "protochain",
				     "less",
				     "greater",
				     "byte",
				     "broadcast",
				     "multicast",
				     "and",
				     "or",
				     "not",
				     "len",
				     "length",
				     "inbound",
				     "outbound",
				     "ifindex",
				     "vlan",
				     "mpls",
				     "pppoed",
				     "pppoes",
				     "geneve",
				     "llc",
				     "tcpflags",
				     "tcp-fin",
				     "tcp-syn",
				     "tcp-rst",
				     "tcp-push",
				     "tcp-ack",
				     "tcp-urg",
				     "tcp-ece",
				     "tcp-cwr",
				     "icmptype",
				     "icmpcode",
				     "icmp-echoreply",
				     "icmp-unreach",
				     "icmp-sourcequench",
				     "icmp-redirect",
				     "icmp-echo",
				     "icmp-routeradvert",
				     "icmp-routersolicit",
				     "icmp-timxceed",
				     "icmp-paramprob",
				     "icmp-tstamp",
				     "icmp-tstampreply",
				     "icmp-ireq",
				     "icmp-ireqreply",
				     "icmp-maskreq",
				     "icmp-maskreply",
				     "icmp6type",
				     "icmp6code",
				     "icmp6-destinationunreach",
				     "icmp6-packettoobig",
				     "icmp6-timeexceeded",
				     "icmp6-parameterproblem",
				     "icmp6-echo",
				     "icmp6-echoreply",
				     "icmp6-multicastlistenerquery",
				     "icmp6-multicastlistenerreportv1",
				     "icmp6-multicastlistenerdone",
				     "icmp6-routersolicit",
				     "icmp6-routeradvert",
				     "icmp6-neighborsolicit",
				     "icmp6-neighboradvert",
				     "icmp6-redirect",
				     "icmp6-routerrenum",
				     "icmp6-nodeinformationquery",
				     "icmp6-nodeinformationresponse",
				     "icmp6-ineighbordiscoverysolicit",
				     "icmp6-ineighbordiscoveryadvert",
				     "icmp6-multicastlistenerreportv2",
				     "icmp6-homeagentdiscoveryrequest",
				     "icmp6-homeagentdiscoveryreply",
				     "icmp6-mobileprefixsolicit",
				     "icmp6-mobileprefixadvert",
				     "icmp6-certpathsolicit",
				     "icmp6-certpathadvert",
				     "icmp6-multicastrouteradvert",
				     "icmp6-multicastroutersolicit",
				     "icmp6-multicastrouterterm",
				     NULL};

/* Names to libpcap, but of kinds of LLC frames right after `llc`. */
static const char *const llc_kinds[] = {"i",	"s",	 "u",	 "rr",	"rnr", "rej",  "ui", "ua",
					"disc", "sabme", "test", "xid", "dm",  "frmr", NULL};

/* Of `ether proto \NAME`: in a table of libpcap's own. */
static const char *const ether_protos[] = {"ip",     "ip6", "arp",     "rarp",	"aarp", "atalk",
					   "decnet", "lat", "moprc",   "mopdl", "sca",	"iso",
					   "stp",    "ipx", "netbeui", NULL};

/* Of `ip proto \NAME`: libpcap would look them up in the system's list. */
static const struct {
	const char *name;
	unsigned number;
} ip_protos[] = {{"icmp", 1}, {"igmp", 2},   {"tcp", 6},   {"igrp", 9},	  {"udp", 17},	{"esp", 50},
		 {"ah", 51},  {"icmp6", 58}, {"pim", 103}, {"vrrp", 112}, {"sctp", 132}};

static bool is(struct word w, const char *text)
{
	return strlen(text) == w.len && !memcmp(text, w.at, w.len);
}

static bool in(const char *const *list, struct word w)
{
	while (*list && !is(w, *list))
		list++;
	return *list;
}

/* How many of s, at most n, are digits in that base. */
static size_t digits(const char *s, size_t n, bool hex)
{
	size_t i = 0;

	while (i < n && (hex ? isxdigit((unsigned char)s[i]) : isdigit((unsigned char)s[i])))
		i++;
	return i;
}

/* 12, 0x12, and one to four decimal parts with dots. */
static bool is_number_or_ipv4(struct word w)
{
	size_t at = 0;

	if (w.len > 2 && w.at[0] == '0' && tolower((unsigned char)w.at[1]) == 'x')
		return digits(w.at + 2, w.len - 2, true) == w.len - 2;
	for (unsigned parts = 1; parts <= 4; parts++) {
		size_t n = digits(w.at + at, w.len - at, false);

		at += n;
		if (!n || at == w.len)
			return n;
		if (w.at[at++] != '.')
			return false;
	}
	return false;
}

/* n groups of min to max hexadecimal digits, with sep between them. */
static bool is_groups(struct word w, unsigned n, size_t min, size_t max, char sep)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t have = digits(w.at + at, w.len - at, true);

		at += have;
		if (have < min || have > max || (i + 1 < n && (at == w.len || w.at[at++] != sep)))
			return false;
	}
	return at == w.len;
}

static bool is_mac(struct word w)
{
	return is_groups(w, 6, 1, 2, ':') || is_groups(w, 6, 1, 2, '-') ||
	       is_groups(w, 6, 1, 2, '.') || is_groups(w, 3, 4, 4, '.') ||
	       is_groups(w, 1, 12, 12, 0);
}

static bool is_ipv6(struct word w)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (w.len >= sizeof(text) || memchr(w.at, '.', w.len))
		return false;
	memcpy(text, w.at, w.len);
	text[w.len] = 0;
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* A-B of decimal digits, of ports. */
static bool is_range(struct word w)
{
	size_t a = digits(w.at, w.len < 5 ? w.len : 5, false), b;

	if (!a || a + 1 >= w.len || w.at[a] != '-')
		return false;
	b = digits(w.at + a + 1, w.len - a - 1, false);
	return b <= 5 && a + 1 + b == w.len;
}

static bool is_value(struct word w, struct word before)
{
	return is_number_or_ipv4(w) || is_mac(w) || is_ipv6(w) ||
	       (is(before, "portrange") && is_range(w));
}

/* What libpcap takes for the end of a name after a backslash. */
static bool ends_name(char c)
{
	return !c || strchr(" !()\n\t", c);
}

/* w is behind a backslash at w.at - 1; before it was `proto`, and before that of. False: refused. */
static bool proto_replace(char *text, struct word w, struct word before, struct word of)
{
	char number[8];

	if ((!is(before, "proto") && !is(before, "protochain")) || !ends_name(w.at[w.len]))
		return false;
	/* Nothing but blanks between them. */
	for (const char *c = before.at + before.len; c < w.at - 1; c++)
		if (!strchr(" \t\r\n", *c))
			return false;
	if (is(of, "ether") || is(of, "link"))
		return in(ether_protos, w);
	for (size_t i = 0; i < sizeof(ip_protos) / sizeof(ip_protos[0]); i++) {
		if (!is(w, ip_protos[i].name))
			continue;
		/* The name and its backslash are never shorter. */
		memset(text, ' ', w.len + 1);
		memcpy(text, number,
		       (size_t)snprintf(number, sizeof(number), "%u", ip_protos[i].number));
		return true;
	}
	return false;
}

static int refuse(struct err *err, struct word w, struct word before)
{
	int len = w.len < 64 ? (int)w.len : 64;

	if (is(before, "port") || is(before, "portrange")) {
		err_set(err, -EINVAL, "\"%.*s\" is not a port's number", len, w.at);
		err_hint(err,
			 "names of services are not looked up: write port 80, portrange 1-1023");
	} else if (is(before, "proto") || is(before, "protochain")) {
		err_set(err, -EINVAL, "\"%.*s\" is not a protocol's number", len, w.at);
		err_hint(err,
			 "write a number, or \\tcp, \\udp, \\icmp; after ether proto \\ip, \\ip6, "
			 "\\arp");
	} else {
		err_set(err, -EINVAL, "\"%.*s\" is neither a word of filters nor an address", len,
			w.at);
		err_hint(err, "names of hosts are not looked up; see pcap-filter(7)");
	}
	return -EINVAL;
}

/* The word at text: as long as libpcap's could be. Inside of brackets a colon is an operator. */
static size_t word_len(const char *text, unsigned depth)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) ||
	       (text[len] && strchr(depth ? "-_." : "-_.:", text[len])))
		len++;
	return len;
}

int filter_words_check(char *text, struct err *err)
{
	struct word before = {"", 0}, of = {"", 0};
	unsigned depth = 0, n_ports = 0, each = 0;

	for (char *at = text; *at;) {
		struct word w = {at, word_len(at, depth)};
		bool named = *at == '\\';

		if (named)
			w = (struct word){at + 1, word_len(at + 1, 1)};
		if (*at == '-' || (!w.len && !named)) {
			depth += *at == '[';
			depth -= *at == ']' && depth;
			at++;
			continue;
		}
		if (named ? !proto_replace(at, w, before, of)
			  : !(in(tokens, w) || is_value(w, before) ||
			      (is(before, "llc") && in(llc_kinds, w))))
			return refuse(err, w, before);
		if (is(w, "portrange"))
			each = 2;
		else if (is(w, "port") && !each)
			each = 1;
		n_ports += isxdigit((unsigned char)*w.at) && !in(tokens, w) ? each : 0;
		if (n_ports > FILTER_PORTS_MAX) {
			err_set(err, -EINVAL, "has more than %d numbers of ports",
				FILTER_PORTS_MAX);
			err_hint(err, "a range counts as two, and so does each number after one");
			return -EINVAL;
		}
		of = before;
		before = w;
		at += w.len + named;
	}
	return 0;
}
