/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from words: `eth src MAC dst MAC [vlan VID [pcp N]] [type 0xNNNN | ip src A dst B [tcp|udp
 * sport N dport N]] [len N]`.
 *
 * Threads  any.
 * Trust    the words are a client's: whatever they are, the answer is a frame or a sentence.
 */
#ifndef CONTROL_DAEMON_FRAME_TEXT_H
#define CONTROL_DAEMON_FRAME_TEXT_H

#include <stdint.h>

#include "base/err.h"

#define FRAME_TEXT_MAX 65557 /* bytes of a frame: FRAME_MAX */

/* Writes the frame to out[FRAME_TEXT_MAX] and its bytes to *len. -EINVAL with a sentence. */
int frame_from_text(const char *text, uint8_t *out, uint32_t *len, struct err *err);

#endif
