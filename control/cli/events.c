/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/events.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "control/rpc/methods.h"

static const struct param events_params[] = {
	{"kind", PARAM_LIST, 0, 0, 0, "KIND",
	 "only these: port, port.state, bridge, mac, vm, config, log … (all)"},
	{"for", PARAM_DURATION, 0, 0, 86400 * 365, "TIME", "end after this time"},
	{"count", PARAM_INT, 0, 1, INT32_MAX, "N", "end after so many events"},
	{.name = NULL},
};
const struct method m_events = {
	"events",
	"events",
	"Show what happens, as it happens",
	events_params,
	METHOD_LOCAL,
	"Kinds are port.add, port.del, port.state, port.carrier, port.mtu, bridge.add, bridge.del, mac.move, mac.move.more (so many "
	"more than were told one by one), vm.state, vm.ready, config.apply, config.confirm, "
	"config.rollback, log.warn and log.err; port stands for all that begin with port.\n"
	"Events that could not be kept for a reader that is too slow are counted: the next one says "
	"how many were lost.\n"
	"Ends when the switch does.",
};

static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text ? text : "?";
}

static long long number_of(const json_t *event, const char *key)
{
	return (long long)json_integer_value(json_object_get(event, key));
}

/* What is after the name: a sentence for the kinds that are known, the keys for the others. */
static void details_print(const char *kind, const json_t *event)
{
	const char *reason = text_of(event, "reason");

	if (!strcmp(kind, "port.state") || !strcmp(kind, "vm.state")) {
		if (json_is_string(json_object_get(event, "old")))
			printf(" %s ->", text_of(event, "old"));
		printf(" %s%s%s", text_of(event, "new"), *reason ? ": " : "", reason);
	} else if (!strcmp(kind, "mac.move")) {
		printf(" %s in vlan %lld moved from %s to %s", text_of(event, "mac"),
		       number_of(event, "vlan"), text_of(event, "from"), text_of(event, "to"));
	} else if (!strcmp(kind, "mac.move.more")) {
		printf(" %lld more moves of addresses", number_of(event, "count"));
	} else if (!strncmp(kind, "log.", 4)) {
		printf(" %s", text_of(event, "text"));
	} else {
		json_t *value;
		const char *key;

		json_object_foreach ((json_t *)event, key, value) {
			char *text;

			if (!strcmp(key, "time") || !strcmp(key, "kind") ||
			    !strcmp(key, "object") || !strcmp(key, "lost") || json_is_null(value))
				continue;
			text = json_is_string(value)
				       ? NULL
				       : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
			printf(" %s=%s", key, text ? text : json_string_value(value));
			free(text);
		}
	}
}

static void event_print(const json_t *event)
{
	double time_s = json_number_value(json_object_get(event, "time"));
	time_t whole_s = (time_t)time_s;
	const char *kind = text_of(event, "kind");
	struct tm tm;
	char clock[16];

	if (json_object_get(event, "lost"))
		printf("(%lld events were lost here)\n", number_of(event, "lost"));
	if (!strcmp(kind, "lost"))
		return;
	localtime_r(&whole_s, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s.%03d %-11s %s", clock, (int)((time_s - (double)whole_s) * 1000), kind,
	       text_of(event, "object"));
	details_print(kind, event);
	putchar('\n');
}

/* Milliseconds of the next wait; 0 when the time is over. */
static int wait_ms(uint64_t end_ns)
{
	uint64_t now_ns = loop_now_ns();

	if (!end_ns)
		return -1;
	if (now_ns >= end_ns)
		return 0;
	return end_ns - now_ns > INT_MAX * MS_NS ? INT_MAX
						 : (int)((end_ns - now_ns + MS_NS - 1) / MS_NS);
}

static int events_read(struct cli *cli, struct rpc_client *c, const json_t *params, struct err *err)
{
	double for_s = json_number_value(json_object_get(params, "for"));
	json_int_t n = json_integer_value(json_object_get(params, "count"));
	uint64_t end_ns = json_object_get(params, "for")
				  ? loop_now_ns() + (uint64_t)(for_s * (double)S_NS)
				  : 0;
	json_t *event = NULL;
	int rc = 0;

	while (rc == 0) {
		rc = rpc_event_next(c, wait_ms(end_ns), &event, err);
		if (rc < 0)
			break;
		if (cli->json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			putchar('\n');
		} else {
			event_print(event);
		}
		json_decref(event);
		/* A reader that has gone ends the stream. */
		if (fflush(stdout) == EOF || (n && !--n))
			return EXIT_DONE;
	}
	if (rc == -ETIMEDOUT && end_ns) {
		*err = (struct err)ERR_NONE;
		return EXIT_DONE;
	}
	if (rc == -EPIPE)
		err_set(err, rc, "the switch has ended");
	return cli_exit_code(rc);
}

int events_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *kinds = json_object_get(params, "kind");
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err);

	cli->stream = true;
	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	rc = rpc_call(c, m_events_subscribe.rpc, kinds ? json_pack("{sO}", "kinds", kinds) : NULL,
		      NULL, err);
	rc = rc < 0 ? cli_exit_code(rc) : events_read(cli, c, params, err);
	rpc_close(c);
	return rc;
}
