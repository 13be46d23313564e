/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frame carries, in words: ARP, ICMP, ICMPv6 with neighbour discovery, TCP, DHCP.
 *
 * What     Said as tcpdump says it, where it has words for it: that is what books show.
 * Threads  any.
 * Trust    the bytes are a guest's, and may end anywhere.
 */
#ifndef CONTROL_CLI_FRAME_PAYLOAD_H
#define CONTROL_CLI_FRAME_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line that grows, and the kept bytes that it is about. */
struct line {
	char *text;
	size_t size;
	const uint8_t *bytes;
	uint32_t kept;
};

void say(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_mac(struct line *l, uint32_t at);
unsigned u16(const struct line *l, uint32_t at);
uint32_t u32(const struct line *l, uint32_t at);
/* n bytes at `at` are among those kept. */
bool has(const struct line *l, uint32_t at, uint32_t n);

void say_arp(struct line *l, uint32_t at);

/* The packet of that protocol at `at`, which ends at `end` by its header's length. */
void say_packet(struct line *l, unsigned protocol, uint32_t at, uint32_t end);

#endif
