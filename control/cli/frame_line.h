/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame in one line, for people.
 *
 * Threads  any.
 * Trust    the bytes are a guest's.
 */
#ifndef CONTROL_CLI_FRAME_LINE_H
#define CONTROL_CLI_FRAME_LINE_H

#include <stddef.h>
#include <stdint.h>

/* "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 10 IPv4 10.0.0.1 > 10.0.0.2 ICMP echo request, id 5, seq 1, 98 bytes"
 * of the kept bytes of a frame of len, into text, which is returned. */
char *frame_line(const uint8_t *bytes, uint32_t kept, uint32_t len, char *text, size_t size);

#endif
