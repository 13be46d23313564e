/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/filter.h"

#include <ctype.h>
#include <errno.h>
#include <pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "switch/watch.h"

#define SNAPLEN 262144 /* libpcap's own; what a filter returns for a match */

/* The words of pcap-filter(7) that begin with a letter, less those of link layers that are not
 * Ethernet. */
static const char *const words[] = {
	"dst",	     "src",	  "link",	"ether",   "ppp",   "slip",	"arp",
	"rarp",	     "ip",	  "sctp",	"tcp",	   "udp",   "icmp",	"igmp",
	"igrp",	     "pim",	  "vrrp",	"carp",	   "ip6",   "icmp6",	"ah",
	"esp",	     "atalk",	  "aarp",	"decnet",  "lat",   "sca",	"moprc",
	"mopdl",     "iso",	  "esis",	"es-is",   "isis",  "is-is",	"l1",
	"l2",	     "iih",	  "lsp",	"snp",	   "csnp",  "psnp",	"clnp",
	"stp",	     "ipx",	  "netbeui",	"host",	   "net",   "mask",	"port",
	"portrange", "proto",	  "protochain", "gateway", "less",  "greater",	"byte",
	"broadcast", "multicast", "and",	"or",	   "not",   "len",	"length",
	"inbound",   "outbound",  "ifindex",	"vlan",	   "mpls",  "pppoed",	"pppoes",
	"geneve",    "llc",	  "type",	"subtype", "radio", "i",	"s",
	"u",	     "rr",	  "rnr",	"rej",	   "ui",    "ua",	"disc",
	"test",	     "xid",	  "sabme",	"dm",	   "frmr",  "icmptype", "icmpcode",
	"icmp6type", "icmp6code", "tcpflags",	NULL,
};

static bool in(const char *const *list, const char *word, size_t len)
{
	for (; *list; list++)
		if (strlen(*list) == len && !strncmp(*list, word, len))
			return true;
	return false;
}

static bool is_made_of(const char *word, size_t len, const char *characters)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(characters, word[i]))
			return false;
	return true;
}

#define DIGITS "0123456789"
#define HEX    DIGITS "abcdefABCDEF"

/* A number or an address, which no name server would be asked about. */
static bool is_number(const char *word, size_t len)
{
	if (len > 2 && !strncmp(word, "0x", 2))
		return is_made_of(word + 2, len - 2, HEX);
	if (memchr(word, ':', len))
		return is_made_of(word, len, HEX ":.");
	return is_made_of(word, len, DIGITS ".-") || (len == 17 && is_made_of(word, len, HEX "-"));
}

/* A word, after the one before, that libpcap would not have to ask anybody about. */
static bool is_known(const char *word, size_t len, const char *before, size_t before_len)
{
	/* These are looked up in files: /etc/services, /etc/protocols. */
	static const char *const from_files[] = {"port", "portrange", "proto", "protochain", NULL};

	return in(words, word, len) || is_number(word, len) || in(from_files, before, before_len) ||
	       !strncmp(word, "tcp-", 4) || !strncmp(word, "icmp-", 5) ||
	       !strncmp(word, "icmp6-", 6);
}

static int names_check(const char *text, struct err *err)
{
	const char *before = "";
	size_t before_len = 0;

	for (const char *at = text; *at;) {
		size_t len = 0;

		while (isalnum((unsigned char)at[len]) || (at[len] && strchr("-_.:\\", at[len])))
			len++;
		if (!len) {
			at++;
			continue;
		}
		if (*at == '\\')
			at++, len--; /* a protocol's name, as in `ip proto \tcp` */
		if (len && !is_known(at, len, before, before_len)) {
			err_set(err, -EINVAL,
				"\"%.*s\" is neither a word of filters nor an address",
				(int)(len < 64 ? len : 64), at);
			err_hint(err, "names of hosts are not looked up; see pcap-filter(7)");
			return -EINVAL;
		}
		before = at;
		before_len = len;
		at += len;
	}
	return 0;
}

/* libpcap's own check lets loops pass. */
static bool jumps_forward(const struct bpf_insn *insns, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (insns[i].code == (BPF_JMP | BPF_JA) && insns[i].k >= n - i)
			return false;
	return true;
}

int filter_compile(const char *text, struct bpf_insn **insns, unsigned *n, struct err *err)
{
	struct bpf_program program = {0};
	pcap_t *pcap;
	int rc;

	*insns = NULL;
	*n = 0;
	if (!text)
		return 0;
	rc = names_check(text, err);
	pcap = rc < 0 ? NULL : pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (rc == 0 && !pcap)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		rc = err_set(err, -EINVAL, "%s", pcap_geterr(pcap));
	if (rc == 0 && (program.bf_len > WATCH_FILTER_MAX ||
			!jumps_forward(program.bf_insns, program.bf_len) ||
			!bpf_validate(program.bf_insns, (int)program.bf_len)))
		rc = err_set(err, -EINVAL,
			     "makes a program that workers could not run in bounded time");
	if (rc == 0) {
		*insns = malloc(program.bf_len * sizeof(**insns));
		*n = program.bf_len;
		if (*insns)
			memcpy(*insns, program.bf_insns, program.bf_len * sizeof(**insns));
		else
			rc = err_set(err, -ENOMEM, "out of memory");
	}
	if (rc < 0)
		err_prefix(err, "filter \"%.100s\"", text);
	pcap_freecode(&program);
	if (pcap)
		pcap_close(pcap);
	return rc;
}
