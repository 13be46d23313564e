/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: chooses the versions of what is compiled in several; see base/hot.h.
 */
#include "switch/csum.h"
#include "switch/forward.h"

void forward_burst(struct forward *fw, const struct view_port *in, unsigned q)
{
	HOT_CALL(forward_burst, fw, in, q);
}

void forward_burst_watched(struct forward *fw, const struct view_port *in, unsigned q)
{
	HOT_CALL(forward_burst_watched, fw, in, q);
}

void csum_add(struct csum *c, const void *from, size_t n)
{
	HOT_CALL(csum_add, c, from, n);
}

void csum_copy(struct csum *c, void *to, const void *from, size_t n)
{
	HOT_CALL(csum_copy, c, to, from, n);
}
