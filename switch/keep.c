/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/keep.h"

#include "switch/internal.h"

int keep_put(struct switch_ *sw, struct keep_key key, int fd)
{
	return sw->opts.keep ? sw->opts.keep->put(sw->opts.keep_arg, key, fd) : 0;
}

void keep_drop(struct switch_ *sw, struct keep_key key)
{
	if (sw->opts.keep)
		sw->opts.keep->drop(sw->opts.keep_arg, key);
}

void keep_drop_slot(struct switch_ *sw, uint16_t slot, uint32_t kinds)
{
	if (sw->opts.keep)
		sw->opts.keep->drop_slot(sw->opts.keep_arg, slot, kinds);
}

int keep_take(struct switch_ *sw, struct keep_key key)
{
	return sw->opts.keep ? sw->opts.keep->take(sw->opts.keep_arg, key) : -1;
}
