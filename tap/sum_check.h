/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames whose TCP or UDP checksum nobody filled in, or of which the end is missing.
 *
 * What     A sender leaves checksums to hardware: the field then holds the folded sum of the pseudo
 *          header alone. Over a veth pair there is no such hardware, and sockets of the packet and
 *          XDP families do not say which frames are meant. Their receivers would drop them in
 *          silence; here they are found, so that they can be counted with the reason.
 * How      The field is compared with the pseudo header's sum, which one correct frame in 65,536
 *          has too: only then the whole frame is summed, and what is correct is let pass. A frame
 *          with any other wrong checksum passes as well: that is its receiver's to find.
 * Threads  any; nothing is kept.
 * Trust    lengths and offsets of the frame are hostile.
 * Limits   behind at most two tags, IPv4 with options, IPv6 without extension headers,
 *          no fragments.
 */
#ifndef TAP_SUM_CHECK_H
#define TAP_SUM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"

/* The whole frame in n pieces, headers in the first (where they are not, it is not looked at).
 * cut: the device cuts off what it has no room for. RX_BAD_CSUM, RX_TOO_LONG or FRAME_NO_DROP. */
uint8_t sum_check(const struct seg *pieces, unsigned n, uint32_t len, bool cut);

#endif
