/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/rates.h"

#include <string.h>
#include <time.h>

#include "base/loop.h"

int reading_take(struct rpc_client *c, const json_t *names, bool brief, struct reading *r,
		 struct err *err)
{
	json_t *params = json_pack("{sb}", "brief", brief), *workers = NULL, *port;
	size_t i;
	int rc;

	memset(r, 0, sizeof(*r));
	if (names)
		json_object_set(params, "ports", (json_t *)names);
	rc = rpc_call_all(c, "stats.ports", params, &r->ports, err);
	if (rc == 0)
		rc = rpc_call(c, "stats.workers", NULL, &workers, err);
	r->taken_ns = loop_now_ns();
	if (rc == 0) {
		r->workers = json_incref(json_object_get(workers, "workers"));
		r->by_name = json_object();
		json_array_foreach (r->ports, i, port)
			json_object_set(r->by_name,
					json_string_value(json_object_get(port, "name")), port);
	}
	json_decref(workers);
	return rc;
}

void reading_free(struct reading *r)
{
	json_decref(r->ports);
	json_decref(r->by_name);
	json_decref(r->workers);
	memset(r, 0, sizeof(*r));
}

static json_int_t sum_of(const json_t *drops)
{
	json_int_t sum = 0;
	const char *reason;
	json_t *n;

	json_object_foreach ((json_t *)drops, reason, n)
		sum += json_integer_value(n);
	return sum;
}

/* Of a worker, or of a port in a reading of either kind. */
static json_int_t number(const json_t *o, const char *key)
{
	const json_t *counters = json_object_get(o, "counters");

	if (counters && !strcmp(key, "rx_dropped"))
		return sum_of(json_object_get(counters, "rx_drops"));
	if (counters && !strcmp(key, "tx_dropped"))
		return sum_of(json_object_get(counters, "tx_drops"));
	return json_integer_value(json_object_get(counters ? counters : o, key));
}

/* by the second; a counter that went back belongs to an object that was made anew. */
static double rate(const json_t *before, const json_t *now, const char *key, double seconds)
{
	json_int_t from = number(before, key), to = number(now, key);

	if (to < from)
		from = 0;
	return (double)(to - from) / seconds;
}

/* Whole numbers: people and scripts compare them. */
static json_t *whole(double value)
{
	return json_integer((json_int_t)(value + 0.5));
}

static json_t *port_rates(const json_t *before, const json_t *now, double seconds)
{
	static const struct {
		const char *key, *rate;
		double factor;
	} counters[] = {
		{"rx_frames", "rx_frames_per_s", 1}, {"rx_bytes", "rx_bits_per_s", 8},
		{"rx_dropped", "rx_drops_per_s", 1}, {"tx_frames", "tx_frames_per_s", 1},
		{"tx_bytes", "tx_bits_per_s", 8},    {"tx_dropped", "tx_drops_per_s", 1},
	};
	json_t *row = json_copy((json_t *)now);

	/* One that was not there before shows nothing for a second rather than all it ever did. */
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(
			row, counters[i].rate,
			whole(rate(before ? before : now, now, counters[i].key, seconds) *
			      counters[i].factor));
	return row;
}

static json_t *worker_rates(const json_t *before, const json_t *now, double seconds)
{
	double frames = rate(before, now, "frames", seconds);
	double busy = rate(before, now, "busy_cycles", seconds);

	json_t *row = json_copy((json_t *)now);

	json_object_set_new(row, "frames_per_s", whole(frames));
	json_object_set_new(row, "recent_cycles_per_frame",
			    frames > 0 ? json_real((double)(json_int_t)(busy / frames * 10) / 10)
				       : json_null());
	json_object_set_new(row, "sleeps_per_s", whole(rate(before, now, "sleeps", seconds)));
	return row;
}

json_t *rates_json(const struct reading *before, const struct reading *now)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / (double)S_NS;
	json_t *ports = json_array(), *workers = json_array(), *one;
	struct timespec ts;
	size_t i;

	if (seconds < 0.001)
		seconds = 0.001;
	clock_gettime(CLOCK_REALTIME, &ts);
	json_array_foreach (now->ports, i, one)
		json_array_append_new(
			ports,
			port_rates(json_object_get(before->by_name,
						   json_string_value(json_object_get(one, "name"))),
				   one, seconds));
	json_array_foreach (now->workers, i, one)
		json_array_append_new(
			workers, worker_rates(json_array_get(before->workers, i), one, seconds));
	return json_pack("{sfsfsoso}", "time",
			 (double)ts.tv_sec + (double)(ts.tv_nsec / 1000000) / 1e3, "seconds",
			 (double)(json_int_t)(seconds * 1000) / 1000, "ports", ports, "workers",
			 workers);
}
