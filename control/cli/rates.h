/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rates: two readings of the switch's counters, and what happened between them by the second.
 *
 * What     For `stats --watch` and `top`. Ports are matched by name, so that one that comes or goes
 *          disturbs no other; one that was made anew counts from zero.
 * How      A brief reading asks for the sums of each port alone (stats.ports with brief), which are a
 *          tenth of the counters by reason.
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_RATES_H
#define CONTROL_CLI_RATES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control/rpc/client.h"

struct reading {
	json_t *ports;	 /* array */
	json_t *by_name; /* the same, {name: port} */
	json_t *workers; /* array */
	uint64_t taken_ns;
};

/* names: array of ports, or NULL: all. */
int reading_take(struct rpc_client *c, const json_t *names, bool brief, struct reading *r,
		 struct err *err);
void reading_free(struct reading *r); /* also a zeroed one */

/*
 * {time, seconds, ports, workers}: ports and workers as they are in `now`, and to each port
 * rx_frames_per_s, rx_bits_per_s, rx_drops_per_s, tx_…, to each worker frames_per_s, sleeps_per_s and
 * recent_cycles_per_frame.
 */
json_t *rates_json(const struct reading *before, const struct reading *now);

#endif
