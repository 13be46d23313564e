/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/frame_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN_LEAST 60 /* bytes: what an Ethernet card would pad to */

/* The words that are left, and the frame so far. */
struct text {
	char words[513];
	char *rest;
	const char *word; /* the one to read next; NULL: no more */
	uint8_t *out;
	uint32_t len;
	struct err *err;
};

static void next(struct text *t)
{
	t->word = strtok_r(t->rest, " \t\n,", &t->rest);
}

/* Takes the word when it is there. */
static bool take(struct text *t, const char *word)
{
	if (!t->word || strcmp(t->word, word))
		return false;
	next(t);
	return true;
}

static int wants(struct text *t, const char *what)
{
	if (!t->word)
		return err_set(t->err, -EINVAL, "the frame ends where %s should be", what);
	return err_set(t->err, -EINVAL, "\"%.40s\" stands where %s should be", t->word, what);
}

/* A number of lo to hi, decimal or 0x…: 010 is ten. */
static int number(struct text *t, const char *name, unsigned long lo, unsigned long hi,
		  unsigned long *out)
{
	char *end;

	if (!t->word)
		return wants(t, name);
	errno = 0;
	*out = strtoul(t->word, &end, strncmp(t->word, "0x", 2) ? 10 : 16);
	if (*end || end == t->word || errno || t->word[0] == '-' || t->word[0] == '+' || *out < lo || *out > hi)
		return err_set(t->err, -EINVAL, "%s \"%.40s\" is no number of %lu to %lu", name,
			       t->word, lo, hi);
	next(t);
	return 0;
}

static int named_number(struct text *t, const char *name, unsigned long hi, unsigned long *out)
{
	if (!take(t, name))
		return wants(t, name);
	return number(t, name, 0, hi, out);
}

static void put16(uint8_t *at, unsigned long v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static int mac(struct text *t, const char *name, uint8_t *at)
{
	int n = 0;

	if (!take(t, name))
		return wants(t, name);
	if (take(t, "broadcast")) {
		memset(at, 0xff, 6);
		return 0;
	}
	/* sscanf() alone takes signs and 0x. */
	if (t->word && strlen(t->word) == 17 && strspn(t->word, "0123456789abcdefABCDEF:") == 17 &&
	    sscanf(t->word, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &at[0], &at[1], &at[2], &at[3],
		   &at[4], &at[5], &n) == 6 &&
	    n == 17) {
		next(t);
		return 0;
	}
	return wants(t, "a MAC address like 02:00:00:00:00:01");
}

static int ethernet(struct text *t)
{
	int rc;

	if (!take(t, "eth"))
		return wants(t, "\"eth\"");
	rc = mac(t, "src", t->out + 6);
	if (rc == 0)
		rc = mac(t, "dst", t->out);
	t->len = 12;
	return rc;
}

static int tags(struct text *t)
{
	unsigned long vid, pcp = 0;
	int rc = 0;

	for (unsigned n = 0; rc == 0 && take(t, "vlan"); n++) {
		if (n == 4)
			return err_set(t->err, -EINVAL,
				       "more than 4 tags are none that this makes");
		rc = number(t, "vlan", 0, 4095, &vid);
		if (rc == 0 && take(t, "pcp"))
			rc = number(t, "pcp", 0, 7, &pcp);
		if (rc < 0)
			break;
		put16(t->out + t->len, 0x8100);
		put16(t->out + t->len + 2, pcp << 13 | vid);
		t->len += 4;
		pcp = 0;
	}
	return rc;
}

/* Addresses of one family into src and dst, 4 or 16 bytes each; *six says which. */
static int addresses(struct text *t, uint8_t *src, uint8_t *dst, bool *six)
{
	uint8_t *to[2] = {src, dst};
	static const char *const names[2] = {"src", "dst"};

	for (unsigned i = 0; i < 2; i++) {
		bool is_six;

		if (!take(t, names[i]))
			return wants(t, names[i]);
		is_six = t->word && strchr(t->word, ':');
		if (!t->word || inet_pton(is_six ? AF_INET6 : AF_INET, t->word, to[i]) != 1)
			return wants(t, "an IP address");
		if (i && is_six != *six)
			return err_set(t->err, -EINVAL, "src and dst are not both of IPv4 or IPv6");
		*six = is_six;
		next(t);
	}
	return 0;
}

/* IPv4 or IPv6, and what is in it. Lengths and checksums are filled in later, where anybody looked. */
static int ip(struct text *t)
{
	uint8_t src[16], dst[16], *at, protocol = 59; /* none */
	unsigned long sport = 0, dport = 0;
	bool six = false, udp, tcp;
	int rc = addresses(t, src, dst, &six);

	if (rc < 0)
		return rc;
	udp = take(t, "udp");
	tcp = !udp && take(t, "tcp");
	if (udp || tcp) {
		rc = named_number(t, "sport", 65535, &sport);
		if (rc == 0)
			rc = named_number(t, "dport", 65535, &dport);
		protocol = udp ? 17 : 6;
	}
	if (rc < 0)
		return rc;
	put16(t->out + t->len, six ? 0x86dd : 0x0800);
	at = t->out + t->len + 2;
	at[0] = six ? 0x60 : 0x45;
	at[six ? 6 : 9] = protocol;
	at[six ? 7 : 8] = 64;
	memcpy(at + (six ? 8 : 12), src, six ? 16 : 4);
	memcpy(at + (six ? 24 : 16), dst, six ? 16 : 4);
	at += six ? 40 : 20;
	put16(at, sport);
	put16(at + 2, dport);
	if (tcp)
		at[12] = 5 << 4;
	t->len = (uint32_t)(at - t->out) + (udp ? 8 : tcp ? 20 : 0);
	return 0;
}

static int payload(struct text *t)
{
	unsigned long type = 0x88b5; /* for local experiments */
	int rc = 0;

	if (take(t, "ip"))
		return ip(t);
	if (take(t, "type"))
		rc = number(t, "type", 0, 0xffff, &type);
	put16(t->out + t->len, type);
	t->len += 2;
	return rc;
}

int frame_from_text(const char *text, uint8_t *out, uint32_t *len, struct err *err)
{
	struct text t = {.out = out, .err = err};
	unsigned long whole;
	int rc;

	if (snprintf(t.words, sizeof(t.words), "%s", text) >= (int)sizeof(t.words))
		return err_set(err, -EINVAL, "the frame's text is longer than %zu characters",
			       sizeof(t.words) - 1);
	memset(out, 0, FRAME_TEXT_MAX);
	t.rest = t.words;
	next(&t);
	rc = ethernet(&t);
	if (rc == 0)
		rc = tags(&t);
	if (rc == 0)
		rc = payload(&t);
	whole = t.len > LEN_LEAST ? t.len : LEN_LEAST;
	if (rc == 0 && take(&t, "len"))
		rc = number(&t, "len", 0, FRAME_TEXT_MAX, &whole);
	if (rc == 0 && t.word)
		rc = wants(&t, "the end");
	*len = (uint32_t)whole;
	return rc;
}
