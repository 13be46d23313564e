/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/pcapng.h"

#include <string.h>
#include <sys/utsname.h>

#define BLOCK_SHB 0x0a0d0d0au
#define BLOCK_IDB 1u
#define BLOCK_ISB 5u
#define BLOCK_EPB 6u

#define OPT_END		  0
#define OPT_COMMENT	  1
#define OPT_SHB_HARDWARE  2
#define OPT_SHB_OS	  3
#define OPT_SHB_APP	  4
#define OPT_IF_NAME	  2
#define OPT_IF_DESC	  3
#define OPT_IF_TSRESOL	  9
#define OPT_IF_FILTER	  11
#define OPT_EPB_FLAGS	  2
#define OPT_ISB_START	  2
#define OPT_ISB_END	  3
#define OPT_ISB_RECEIVED  4
#define OPT_ISB_LOST	  5
#define OPT_ISB_DELIVERED 8

#define EPB_IN	1u
#define EPB_OUT 2u

/* The body of a block without packet data; all of ours fit. */
struct body {
	uint8_t bytes[2048];
	uint32_t len;
};

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

static void put(struct body *b, const void *from, uint32_t len)
{
	if (b->len + padded(len) > sizeof(b->bytes))
		return;
	memcpy(b->bytes + b->len, from, len);
	memset(b->bytes + b->len + len, 0, padded(len) - len);
	b->len += padded(len);
}

static void put32(struct body *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

/* Times are two words, the high one first. */
static void put_time(struct body *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

static void option(struct body *b, uint16_t code, const void *value, uint32_t len)
{
	uint16_t head[2] = {code, (uint16_t)len};

	if (b->len + sizeof(head) + padded(len) + 4 > sizeof(b->bytes))
		return;
	put(b, head, sizeof(head));
	put(b, value, len);
}

static void option_text(struct body *b, uint16_t code, const char *text)
{
	size_t len = strlen(text);

	option(b, code, text, (uint32_t)(len < PCAPNG_COMMENT_MAX ? len : PCAPNG_COMMENT_MAX));
}

static void option_time(struct body *b, uint16_t code, uint64_t ns)
{
	uint32_t v[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	option(b, code, v, sizeof(v));
}

/* Type, length, fixed part with data, options, length. */
static void block(FILE *f, uint32_t type, const struct body *fixed, const uint8_t *data,
		  uint32_t n_data, const struct body *options)
{
	static const uint8_t zeros[4];
	uint32_t len = 12 + fixed->len + padded(n_data) + options->len;
	uint32_t head[2] = {type, len};

	fwrite(head, sizeof(head), 1, f);
	fwrite(fixed->bytes, 1, fixed->len, f);
	fwrite(data ? data : zeros, 1, n_data, f);
	fwrite(zeros, 1, padded(n_data) - n_data, f);
	fwrite(options->bytes, 1, options->len, f);
	fwrite(&len, sizeof(len), 1, f);
}

size_t pcapng_block_len(const uint8_t *p, size_t len)
{
	uint32_t head[2] = {0, 0};

	if (len >= sizeof(head))
		memcpy(head, p, sizeof(head));
	return head[1] && head[1] <= len ? head[1] : len;
}

void pcapng_header(FILE *f)
{
	struct body fixed = {.len = 0}, options = {.len = 0};
	const uint16_t version[2] = {1, 0};
	const int64_t length = -1; /* of the section: not known */
	struct utsname u;
	char os[256];

	put32(&fixed, 0x1a2b3c4d);
	put(&fixed, version, sizeof(version));
	put(&fixed, &length, sizeof(length));
	if (uname(&u) == 0) {
		snprintf(os, sizeof(os), "%.60s %.100s", u.sysname, u.release);
		option_text(&options, OPT_SHB_HARDWARE, u.machine);
		option_text(&options, OPT_SHB_OS, os);
	}
	option_text(&options, OPT_SHB_APP, "lanyard " LANYARD_VERSION);
	option(&options, OPT_END, NULL, 0);
	block(f, BLOCK_SHB, &fixed, NULL, 0, &options);
}

void pcapng_interface(FILE *f, const char *name, const char *description, const char *filter,
		      uint32_t snaplen)
{
	struct body fixed = {.len = 0}, options = {.len = 0};
	const uint16_t linktype[2] = {1, 0}; /* Ethernet */
	const uint8_t resolution = 9;	     /* 10^-9 s */
	char text[1100];

	put(&fixed, linktype, sizeof(linktype));
	put32(&fixed, snaplen);
	option_text(&options, OPT_IF_NAME, name);
	option_text(&options, OPT_IF_DESC, description);
	option(&options, OPT_IF_TSRESOL, &resolution, 1);
	if (filter) {
		/* The byte in front says that this is libpcap's language. */
		text[0] = '\0';
		snprintf(text + 1, sizeof(text) - 1, "%s", filter);
		option(&options, OPT_IF_FILTER, text, (uint32_t)strlen(text + 1) + 1);
	}
	option(&options, OPT_END, NULL, 0);
	block(f, BLOCK_IDB, &fixed, NULL, 0, &options);
}

void pcapng_packet(FILE *f, const struct pcapng_packet *p)
{
	struct body fixed = {.len = 0}, options = {.len = 0};
	uint32_t flags = p->out ? EPB_OUT : EPB_IN;

	put32(&fixed, p->interface);
	put_time(&fixed, p->time_ns);
	put32(&fixed, p->kept);
	put32(&fixed, p->len);
	option(&options, OPT_EPB_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		option_text(&options, OPT_COMMENT, p->comment);
	option(&options, OPT_END, NULL, 0);
	block(f, BLOCK_EPB, &fixed, p->bytes, p->kept, &options);
}

void pcapng_statistics(FILE *f, uint32_t interface, uint64_t start_ns, uint64_t end_ns,
		       uint64_t n_written, uint64_t n_lost)
{
	const uint64_t n_received = n_written + n_lost;
	struct body fixed = {.len = 0}, options = {.len = 0};

	put32(&fixed, interface);
	put_time(&fixed, end_ns);
	option_time(&options, OPT_ISB_START, start_ns);
	option_time(&options, OPT_ISB_END, end_ns);
	option(&options, OPT_ISB_RECEIVED, &n_received, sizeof(n_received));
	option(&options, OPT_ISB_LOST, &n_lost, sizeof(n_lost));
	option(&options, OPT_ISB_DELIVERED, &n_written, sizeof(n_written));
	option(&options, OPT_END, NULL, 0);
	block(f, BLOCK_ISB, &fixed, NULL, 0, &options);
}
