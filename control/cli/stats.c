/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/cli/call.h"
#include "control/cli/table.h"
#include "switch/counters.h"

#define WATCH_NS S_NS

#define PORTS_PARAM                                                                                \
	{                                                                                          \
		"ports", PARAM_LIST, PARAM_POSITIONAL, 0, 0, "P", "only these ports"               \
	}
static const struct param stats_params[] = {
	PORTS_PARAM,
	{"watch", PARAM_BOOL, 0, 0, 0, NULL, "show frames a second, once a second, until stopped"},
	{.name = NULL},
};
const struct method m_stats = {"stats",	     "stats",	   "Show counters of ports and workers",
			       stats_params, METHOD_LOCAL, NULL};

static const struct param drops_params[] = {PORTS_PARAM, {.name = NULL}};
const struct method m_drops = {
	"drops",      "drops",	    "Show why frames were dropped, and what to do",
	drops_params, METHOD_LOCAL, NULL};

static json_t *ports_params(const json_t *params)
{
	const json_t *ports = json_object_get(params, "ports");

	return ports ? json_pack("{sO}", "ports", ports) : NULL;
}

/* One reading, {ports, workers}. */
static int stats_read(struct rpc_client *c, const json_t *params, json_t **out, struct err *err)
{
	json_t *ports = NULL, *workers = NULL;
	int rc = rpc_call_all(c, "stats.ports", ports_params(params), &ports, err);

	if (rc == 0)
		rc = rpc_call(c, "stats.workers", NULL, &workers, err);
	if (rc == 0)
		*out = json_pack("{sOsO}", "ports", ports, "workers",
				 json_object_get(workers, "workers"));
	json_decref(ports);
	json_decref(workers);
	return rc;
}

static json_int_t counter(const json_t *port, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(port, "counters"), key));
}

static json_int_t drops_sum(const json_t *port, const char *way)
{
	json_t *drops = json_object_get(json_object_get(port, "counters"), way), *n;
	json_int_t sum = 0;
	const char *reason;

	json_object_foreach (drops, reason, n)
		sum += json_integer_value(n);
	return sum;
}

/* Rows of the table: totals, or the difference to an earlier reading by the second. */
static json_t *rows_of(const json_t *ports, const json_t *before, double seconds)
{
	static const char *const keys[] = {"rx_frames", "rx_bytes", "tx_frames", "tx_bytes"};
	json_t *rows = json_array(), *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		const json_t *old = json_array_get(before, i);
		json_t *row = json_pack("{sO}", "name", json_object_get(port, "name"));
		json_int_t rx = drops_sum(port, "rx_drops"), tx = drops_sum(port, "tx_drops");

		/* Ports that came or went shift the list; such a second is shown as none. */
		if (old && !json_equal(json_object_get(old, "name"), json_object_get(port, "name")))
			old = port;
		for (unsigned k = 0; k < 4; k++) {
			json_int_t n = counter(port, keys[k]);

			if (old)
				n = (json_int_t)((double)(n - counter(old, keys[k])) / seconds);
			json_object_set_new(row, keys[k], json_integer(n));
		}
		if (old) {
			rx -= drops_sum(old, "rx_drops");
			tx -= drops_sum(old, "tx_drops");
		}
		json_object_set_new(row, "rx_drops", json_integer(rx));
		json_object_set_new(row, "tx_drops", json_integer(tx));
		json_array_append_new(rows, row);
	}
	return rows;
}

static void ports_table(json_t *rows)
{
	static const struct table_column columns[] = {
		{"PORT", "name", false, NULL},		{"RX-FRAMES", "rx_frames", true, NULL},
		{"RX-BYTES", "rx_bytes", true, NULL},	{"RX-DROPS", "rx_drops", true, NULL},
		{"TX-FRAMES", "tx_frames", true, NULL}, {"TX-BYTES", "tx_bytes", true, NULL},
		{"TX-DROPS", "tx_drops", true, NULL},	{NULL, NULL, false, NULL},
	};

	table_print(columns, rows);
	json_decref(rows);
}

static char *busy_text(const json_t *worker)
{
	char *text;

	return asprintf(&text, "%.1f %%",
			100 * json_real_value(json_object_get(worker, "busy_share"))) < 0 ? NULL : text;
}

void stats_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"WORKER", "id", true, NULL},
		{"CPU", "cpu", true, NULL},
		{"BUSY", "busy_share", true, busy_text},
		{"FRAMES", "frames", true, NULL},
		{"CYCLES/FRAME", "cycles_per_frame", true, NULL},
		{"BUSY-CYCLES", "busy_cycles", true, NULL},
		{"SLEEPS", "sleeps", true, NULL},
		{NULL, NULL, false, NULL},
	};

	ports_table(rows_of(json_object_get(result, "ports"), NULL, 1));
	putchar('\n');
	table_print(columns, json_object_get(result, "workers"));
}

/* Prints until the daemon goes away or the person has seen enough. */
static int watch(struct cli *cli, struct rpc_client *c, const json_t *params, struct err *err)
{
	json_t *before = NULL, *now = NULL;
	uint64_t before_ns = 0;
	int rc;

	for (;;) {
		struct timespec pause = {.tv_sec = WATCH_NS / S_NS};
		uint64_t now_ns;

		rc = stats_read(c, params, &now, err);
		now_ns = loop_now_ns();
		if (rc < 0)
			break;
		if (cli->json) {
			json_dumpf(now, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			putchar('\n');
		} else if (before) {
			if (isatty(STDOUT_FILENO))
				fputs("\033[H\033[2J", stdout);
			ports_table(rows_of(json_object_get(now, "ports"),
					    json_object_get(before, "ports"),
					    (double)(now_ns - before_ns) / 1e9));
		}
		/* A reader that has gone ends the watch. */
		if (fflush(stdout) == EOF)
			break;
		json_decref(before);
		before = now;
		before_ns = now_ns;
		now = NULL;
		nanosleep(&pause, NULL);
	}
	json_decref(before);
	return cli_exit_code(rc);
}

int stats_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err);

	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	if (json_is_true(json_object_get(params, "watch")))
		rc = watch(cli, c, params, err);
	else
		rc = cli_exit_code(stats_read(c, params, result, err));
	rpc_close(c);
	return rc;
}

/* ---- drops ---- */

static const struct {
	const char *way, *reason, *text;
} explanations[] = {
#define X(e, name, text) {"rx_drops", name, text},
	RX_DROPS(X)
#undef X
#define X(e, name, text) {"tx_drops", name, text},
		TX_DROPS(X)
#undef X
};

static const char *explain(const char *way, const char *reason)
{
	for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (!strcmp(explanations[i].way, way) && !strcmp(explanations[i].reason, reason))
			return explanations[i].text;
	return "";
}

int drops_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	static const char *const ways[] = {"rx_drops", "tx_drops"};
	json_t *ports = NULL, *port, *n;
	const char *reason;
	size_t i;
	int rc = cli_call_all(cli, "stats.ports", ports_params(params), &ports, err);

	if (rc)
		return rc;
	*result = json_array();
	json_array_foreach (ports, i, port)
		for (unsigned w = 0; w < 2; w++)
			json_object_foreach (
				json_object_get(json_object_get(port, "counters"), ways[w]), reason,
				n) {
				if (!json_integer_value(n))
					continue;
				json_array_append_new(*result,
						      json_pack("{sOsssssOss}", "port",
								json_object_get(port, "name"),
								"direction", w ? "out" : "in",
								"reason", reason, "frames", n,
								"text", explain(ways[w], reason)));
			}
	json_decref(ports);
	return EXIT_DONE;
}

void drops_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"PORT", "port", false, NULL},	   {"DIRECTION", "direction", false, NULL},
		{"REASON", "reason", false, NULL}, {"FRAMES", "frames", true, NULL},
		{"WHY", "text", false, NULL},	   {NULL, NULL, false, NULL},
	};

	if (json_array_size(result))
		table_print(columns, result);
	else
		puts("no frame was dropped");
}
