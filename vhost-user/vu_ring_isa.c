/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: chooses the version of the rings' files; see base/hot.h.
 */
#include "vhost-user/vu_ring.h"

unsigned vu_ring_rx(struct vu_ring *r, struct burst *b)
{
	return HOT_CALL(vu_ring_rx, r, b);
}

void vu_ring_rx_done(struct vu_ring *r)
{
	HOT_CALL(vu_ring_rx_done, r);
}

unsigned vu_ring_tx(struct vu_ring *r, const struct frame *frames, const struct delivery *d, unsigned n,
		    struct port_counters *c)
{
	return HOT_CALL(vu_ring_tx, r, frames, d, n, c);
}
