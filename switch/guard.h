/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: what a guarded port lets in; the rules are in docs/guards.md.
 *
 * What     guard_burst() marks the frames of a burst that their port may not send, before they are cut
 *          into runs: each frame is looked at by itself, so that no other one speaks for it.
 * How      All that is compared is local memory, and is what is delivered. The snapshot has what most
 *          frames need; where headers go on behind it (options, extension headers, many tags) up to
 *          OFFLOAD_HEAD_MAX bytes become local, and are delivered from there. The type is looked for
 *          behind any number of tags and of LLC/SNAP headers, as some receivers do.
 * Threads  the worker that has the burst.
 * Trust    Frames are hostile. What cannot be read, because the packet or the local bytes end first or a
 *          checksum is still to be written there (switch/offload.h lets it go anywhere behind the
 *          addresses), is dropped by the check that would have read it.
 * Limits   headers that go on behind OFFLOAD_HEAD_MAX bytes are not let in.
 */
#ifndef SWITCH_GUARD_H
#define SWITCH_GUARD_H

#include "switch/frame.h"
#include "switch/policy.h"

/* Frames that the port may not send get a reason in frame.drop. */
void guard_burst(const struct guard *g, struct burst *b);

/* One frame, whose type is at head[off]: FRAME_NO_DROP or an enum rx_drop. */
uint8_t guard_frame(const struct guard *g, struct burst *b, unsigned i, unsigned off);

#endif
