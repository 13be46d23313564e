/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng files, as Wireshark and tcpdump read them; libpcap can read but not write them.
 *
 * How      One section: a header, an interface a port (Ethernet, nanoseconds), packets with direction and
 *          perhaps a comment, statistics at the end. Blocks are in this machine's byte order, which the
 *          header tells. Errors are the stream's: whoever has written asks ferror().
 *          draft-ietf-opsawg-pcapng
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_PCAPNG_H
#define CONTROL_CLI_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_COMMENT_MAX 512

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* since 1970 */
	const uint8_t *bytes;
	uint32_t kept, len;
	bool out;	     /* to the port; else from it */
	const char *comment; /* NULL: none */
};

/* The length of the block at p, of which len bytes are there; len where it does not say one. */
size_t pcapng_block_len(const uint8_t *p, size_t len);

void pcapng_header(FILE *f);
/* Interfaces count from 0 in the order they are written. filter may be NULL; snaplen 0: all. */
void pcapng_interface(FILE *f, const char *name, const char *description, const char *filter,
		      uint32_t snaplen);
void pcapng_packet(FILE *f, const struct pcapng_packet *p);
void pcapng_statistics(FILE *f, uint32_t interface, uint64_t start_ns, uint64_t end_ns,
		       uint64_t n_written, uint64_t n_lost);

#endif
