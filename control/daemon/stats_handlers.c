/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"

#define PAGE_PORTS 150

json_t *counters_json(const struct port *p)
{
	json_t *rx = json_object(), *tx = json_object();
	struct port_counters c;

	port_counters_read(p, &c);
	/* All reasons, zero ones too: a script may ask for any. */
	for (unsigned i = 0; i < N_RX_DROPS; i++)
		json_object_set_new(rx, rx_drop_names[i], json_integer((json_int_t)c.rx_drops[i]));
	for (unsigned i = 0; i < N_TX_DROPS; i++)
		json_object_set_new(tx, tx_drop_names[i], json_integer((json_int_t)c.tx_drops[i]));
	return json_pack("{sIsIsIsIsIsoso}", "rx_frames", (json_int_t)c.rx_frames, "rx_bytes",
			 (json_int_t)c.rx_bytes, "rx_forwarded", (json_int_t)c.rx_forwarded,
			 "tx_frames", (json_int_t)c.tx_frames, "tx_bytes", (json_int_t)c.tx_bytes,
			 "rx_drops", rx, "tx_drops", tx);
}

static json_t *port_stats_json(const struct port *p)
{
	const struct owner *owner = port_owner(p);
	struct port_info info;

	port_info(p, &info);
	return json_pack("{sssossssso}", "name", info.name, "lab",
			 owner && owner->lab ? json_string(owner->lab) : json_null(), "bridge",
			 bridge_name(info.bridge), "state", port_state_name(info.state), "counters",
			 counters_json(p));
}

static int named_ports(struct daemon *d, const json_t *names, const json_t *params, json_t **result,
		       struct err *err)
{
	size_t i, n = json_array_size(names);
	struct page page;
	char cursor[24];

	page_begin(&page, params, PAGE_PORTS);
	for (i = page_position(params); i < n && page_has_room(&page); i++) {
		struct port *p;
		int rc =
			port_resolve(d, json_string_value(json_array_get(names, i)), NULL, &p, err);

		if (rc < 0) {
			json_decref(page.items);
			return rc;
		}
		page_add(&page, port_stats_json(p));
	}
	snprintf(cursor, sizeof(cursor), "%zu", i);
	*result = page_end(&page, i < n ? cursor : NULL);
	return 0;
}

int do_stats_ports(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const json_t *names = json_object_get(params, "ports");
	struct daemon *d = rpc_ctx(call);

	if (json_array_size(names))
		return named_ports(d, names, params, result, err);
	*result = ports_page(d, params, PAGE_PORTS, port_stats_json);
	return 0;
}

int do_stats_workers(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *list = json_array();

	for (unsigned i = 0; i < switch_n_workers(d->sw); i++) {
		struct worker_stats w;
		double per_frame;

		switch_worker_stats(d->sw, i, &w);
		per_frame = w.frames ? (double)w.busy_cycles / (double)w.frames : 0;
		json_array_append_new(
			list,
			json_pack("{sisosIsfsIsosIsI}", "id", (int)w.id, "cpu",
				  w.cpu < 0 ? json_null() : json_integer(w.cpu), "busy_cycles",
				  (json_int_t)w.busy_cycles, "busy_share",
				  (double)w.busy_permille / 1000, "frames", (json_int_t)w.frames,
				  "cycles_per_frame",
				  w.frames ? json_real((double)(json_int_t)(per_frame * 10) / 10)
					   : json_null(),
				  "polls", (json_int_t)w.polls, "sleeps", (json_int_t)w.sleeps));
	}
	*result = json_pack("{so}", "workers", list);
	return 0;
}
