/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: chooses the version of switch/forward.c; see base/hot.h.
 */
#include "switch/forward.h"

void forward_burst(struct forward *fw, const struct view_port *in, unsigned q)
{
	HOT_CALL(forward_burst, fw, in, q);
}
