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
#include "control/cli/rates.h"
#include "control/cli/table.h"
#include "control/cli/wrap.h"
#include "switch/counters.h"

#define WATCH_NS S_NS

#define PORTS_PARAM                                                                                \
	{                                                                                          \
		"ports", PARAM_LIST, PARAM_POSITIONAL, 0, 0, "P", "only these ports"               \
	}
static const struct param stats_params[] = {
	PORTS_PARAM,
	{"watch", PARAM_BOOL, 0, 0, 0, NULL, "show what happens by the second, once a second"},
	{"for", PARAM_DURATION, 0, 1, 86400 * 365, "TIME", "--watch: end after this time"},
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

/* Rows of the table: totals. */
static json_t *rows_of(const json_t *ports)
{
	static const char *const keys[] = {"rx_frames", "rx_bytes", "tx_frames", "tx_bytes"};
	json_t *rows = json_array(), *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		json_t *row = json_pack("{sO}", "name", json_object_get(port, "name"));

		for (unsigned k = 0; k < 4; k++)
			json_object_set_new(row, keys[k], json_integer(counter(port, keys[k])));
		json_object_set_new(row, "rx_drops", json_integer(drops_sum(port, "rx_drops")));
		json_object_set_new(row, "tx_drops", json_integer(drops_sum(port, "tx_drops")));
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

static void workers_rates_print(const json_t *workers)
{
	static const struct table_column columns[] = {
		{"WORKER", "id", true, NULL},
		{"CPU", "cpu", true, NULL},
		{"BUSY", "busy_share", true, busy_text},
		{"FRAMES/S", "frames_per_s", true, NULL},
		{"CYCLES/FRAME", "recent_cycles_per_frame", true, NULL},
		{"SLEEPS/S", "sleeps_per_s", true, NULL},
		{NULL, NULL, false, NULL},
	};

	table_print(columns, workers);
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

	ports_table(rows_of(json_object_get(result, "ports")));
	putchar('\n');
	table_print(columns, json_object_get(result, "workers"));
}

static void rates_print(struct cli *cli, const json_t *rates)
{
	static const struct table_column columns[] = {
		{"PORT", "name", false, NULL},
		{"STATE", "state", false, NULL},
		{"RX-FRAMES/S", "rx_frames_per_s", true, NULL},
		{"RX-BIT/S", "rx_bits_per_s", true, NULL},
		{"RX-DROPS/S", "rx_drops_per_s", true, NULL},
		{"TX-FRAMES/S", "tx_frames_per_s", true, NULL},
		{"TX-BIT/S", "tx_bits_per_s", true, NULL},
		{"TX-DROPS/S", "tx_drops_per_s", true, NULL},
		{NULL, NULL, false, NULL},
	};

	if (cli->json) {
		json_dumpf(rates, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
		return;
	}
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	table_print(columns, json_object_get(rates, "ports"));
	putchar('\n');
	workers_rates_print(json_object_get(rates, "workers"));
	putchar('\n');
}

/* Sleeps until due_ns. */
static void sleep_until(uint64_t due_ns)
{
	uint64_t now_ns = loop_now_ns();
	struct timespec pause = {0};

	if (now_ns >= due_ns)
		return;
	pause.tv_sec = (time_t)((due_ns - now_ns) / S_NS);
	pause.tv_nsec = (long)((due_ns - now_ns) % S_NS);
	nanosleep(&pause, NULL);
}

/* Prints until the daemon goes away, the person has seen enough or the time is over. */
static int watch(struct cli *cli, struct rpc_client *c, const json_t *params, struct err *err)
{
	const json_t *names = json_object_get(params, "ports");
	double for_s = json_number_value(json_object_get(params, "for"));
	uint64_t due_ns = loop_now_ns(), end_ns = due_ns + (uint64_t)(for_s * (double)S_NS);
	struct reading before, now;
	int rc = reading_take(c, names, !cli->json, &before, err);

	while (rc == 0) {
		json_t *rates;

		due_ns += WATCH_NS;
		if (for_s > 0 && due_ns > end_ns + WATCH_NS / 10)
			break;
		sleep_until(due_ns);
		rc = reading_take(c, names, !cli->json, &now, err);
		if (rc < 0) {
			reading_free(&now);
			break;
		}
		rates = rates_json(&before, &now);
		rates_print(cli, rates);
		json_decref(rates);
		reading_free(&before);
		before = now;
		/* A reader that has gone ends the watch. */
		if (fflush(stdout) == EOF)
			break;
	}
	reading_free(&before);
	return cli_exit_code(rc);
}

int stats_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err);

	cli->stream = json_is_true(json_object_get(params, "watch"));
	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	if (cli->stream)
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

/* The explanation with this port's commands in it, to paste: "`port set P ip=`" -> "`lanyard port set h1.n0 ip=`". */
static json_t *advice(const char *way, const char *reason, const json_t *port)
{
	const char *text = explain(way, reason), *at = strstr(text, "`port set P ");

	if (!at)
		return json_string(text);
	return json_sprintf("%.*s`lanyard port set %s %s", (int)(at - text), text,
			    json_string_value(json_object_get(port, "name")), at + strlen("`port set P "));
}

/* The reasons of one port that have counted anything. */
static void drops_add(json_t *list, const json_t *port, const char *way, const char *direction)
{
	json_t *n;
	const char *reason;

	json_object_foreach (json_object_get(json_object_get(port, "counters"), way), reason, n)
		if (json_integer_value(n))
			json_array_append_new(list,
					      json_pack("{sOsssssOso}", "port",
							json_object_get(port, "name"), "direction",
							direction, "reason", reason, "count", n,
							"advice", advice(way, reason, port)));
}

static int more_first(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t n = json_integer_value(json_object_get(x, "count"));
	json_int_t m = json_integer_value(json_object_get(y, "count"));

	return n == m ? strcmp(json_string_value(json_object_get(x, "port")),
			       json_string_value(json_object_get(y, "port")))
		      : (n < m ? 1 : -1);
}

/* list (stolen) in the order of cmp; list as it is when memory is out. */
static json_t *sorted(json_t *list, int (*cmp)(const void *, const void *))
{
	size_t n = json_array_size(list);
	json_t **rows = calloc(n + 1, sizeof(*rows)), *out = json_array();

	if (!rows || !out) {
		free(rows);
		json_decref(out);
		return list;
	}
	for (size_t i = 0; i < n; i++)
		rows[i] = json_array_get(list, i);
	qsort(rows, n, sizeof(json_t *), cmp);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, rows[i]);
	free(rows);
	json_decref(list);
	return out;
}

int drops_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *ports = NULL, *port, *list = json_array();
	size_t i;
	int rc = cli_call_all(cli, "stats.ports", ports_params(params), &ports, err);

	json_array_foreach (ports, i, port) {
		drops_add(list, port, "rx_drops", "in");
		drops_add(list, port, "tx_drops", "out");
	}
	json_decref(ports);
	if (rc == EXIT_DONE)
		*result = sorted(list, more_first);
	else
		json_decref(list);
	return rc;
}

void drops_print(struct cli *cli, const json_t *params, const json_t *result)
{
	static const struct table_column columns[] = {
		{"PORT", "port", false, NULL},	   {"DIRECTION", "direction", false, NULL},
		{"REASON", "reason", false, NULL}, {"FRAMES", "count", true, NULL},
		{NULL, NULL, false, NULL},
	};
	unsigned width = wrap_width(stdout);
	const json_t *one;
	size_t i;

	if (!json_array_size(result)) {
		puts("no frame was dropped");
		return;
	}
	table_print(columns, result);
	putchar('\n');
	json_array_foreach (result, i, one) {
		const char *text = json_string_value(json_object_get(one, "advice"));
		bool said = !text || !*text;

		/* Once for all ports of which it says the same. */
		for (size_t j = 0; j < i && !said; j++)
			said = json_equal(json_object_get(json_array_get(result, j), "advice"),
					  json_object_get(one, "advice"));
		if (said)
			continue;
		printf("%s: ", json_string_value(json_object_get(one, "reason")));
		wrap_print(stdout, text, 2, width);
	}
}
