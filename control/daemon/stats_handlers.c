/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"

#define PAGE_PORTS 150
#define PAGE_BRIEF 500

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

static uint64_t sum_of(const uint64_t *counts, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += counts[i];
	return sum;
}

static json_t *port_brief_json(const struct port *p)
{
	struct port_counters c;
	struct port_info info;

	port_info(p, &info);
	port_counters_read(p, &c);
	return json_pack("{sssssssIsIsIsIsIsI}", "name", info.name, "bridge",
			 bridge_name(info.bridge), "state", port_state_name(info.state),
			 "rx_frames", (json_int_t)c.rx_frames, "rx_bytes", (json_int_t)c.rx_bytes,
			 "rx_dropped", (json_int_t)sum_of(c.rx_drops, N_RX_DROPS), "tx_frames",
			 (json_int_t)c.tx_frames, "tx_bytes", (json_int_t)c.tx_bytes, "tx_dropped",
			 (json_int_t)sum_of(c.tx_drops, N_TX_DROPS));
}

typedef json_t *(*port_json_fn)(const struct port *p);

static int named_ports(struct daemon *d, const json_t *names, const json_t *params,
		       size_t n_default, port_json_fn json, json_t **result, struct err *err)
{
	size_t i, n = json_array_size(names);
	struct page page;
	char cursor[24];

	page_begin(&page, params, n_default);
	for (i = page_position(params); i < n && page_has_room(&page); i++) {
		struct port *p;
		int rc =
			port_resolve(d, json_string_value(json_array_get(names, i)), NULL, &p, err);

		if (rc < 0) {
			json_decref(page.items);
			return rc;
		}
		page_add(&page, json(p));
	}
	snprintf(cursor, sizeof(cursor), "%zu", i);
	*result = page_end(&page, i < n ? cursor : NULL);
	return 0;
}

int do_stats_ports(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const json_t *names = json_object_get(params, "ports");
	bool brief = json_is_true(json_object_get(params, "brief"));
	size_t n_default = brief ? PAGE_BRIEF : PAGE_PORTS;
	port_json_fn json = brief ? port_brief_json : port_stats_json;
	struct daemon *d = rpc_ctx(call);

	if (json_array_size(names))
		return named_ports(d, names, params, n_default, json, result, err);
	*result = ports_page(d, params, n_default, json, NULL);
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
