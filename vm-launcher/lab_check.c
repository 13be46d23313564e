/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of a lab.
 *
 * How      A ping is tried until it is answered or its time is over. That nobody answers proves
 *          something only when the question was asked and somebody was there to answer: so a
 *          no-ping also wants both guests ready, the target's own ping to itself, and at least three frames
 *          counted by the switch on the sender's ports.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "base/text.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/base64.h"
#include "vm-launcher/lab_run.h"
#include "vm-launcher/vm_client.h"

#define EXEC_GRACE_MS	   15000
#define CONNECT_TIMEOUT_MS 2000
#define NO_ROUTE	   "Network is unreachable" /* as ping says it */
#define REQUESTS_MIN	   3
#define MORE_TRIES	   3 /* of a second, when fewer were counted */

struct check {
	struct cli *cli;
	struct rpc_client *client; /* the switch; NULL: none */
	const char *name, *kind, *from, *address, *target;
	double within_s;
	bool no_route; /* the guest's ping said so */
	char detail[320];
};

static int fail(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct check *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->detail, sizeof(k->detail), fmt, ap);
	va_end(ap);
	text_clean(k->detail);
	return 0;
}

static bool says_no_route(const json_t *answer)
{
	const char *encoded = json_string_value(json_object_get(answer, "err"));
	bool found = false;
	size_t len;
	char *text;

	if (!encoded || base64_decode(encoded, &text, &len) < 0)
		return false;
	found = memmem(text, len, NO_ROUTE, strlen(NO_ROUTE)) != NULL;
	free(text);
	return found;
}

/* Why nobody answers, where it is known; detail. */
static int no_route(struct check *k)
{
	return fail(k, "%s has no route to %s; `gateway:` or `ip: dhcp` gives its NIC one", k->from, k->address);
}

/*
 * ping in the guest for seconds, or until the first answer; its exit status, or -errno with the
 * reason in detail. Only with once it is given a count: together with a time, fewer answers than
 * the count are a failure to busybox, and a no-ping must not take that for silence.
 */
static int ping(struct check *k, const char *guest, const char *address, int seconds, bool once)
{
	char seconds_text[16];
	struct err err = ERR_NONE;
	json_t *answer = NULL, *argv;
	int rc;

	snprintf(seconds_text, sizeof(seconds_text), "%d", seconds);
	argv = json_pack("[s,s,s,s,s]", "ping", "-W", "1", "-w", seconds_text);
	if (once) {
		json_array_append_new(argv, json_string("-c"));
		json_array_append_new(argv, json_string("1"));
	}
	json_array_append_new(argv, json_string(address));
	rc = vm_client_call(k->cli->run_dir, guest, "vm.exec",
			    json_pack("{s:o,s:i}", "argv", argv, "within", seconds + 10),
			    seconds * 1000 + EXEC_GRACE_MS, &answer, &err);
	if (rc < 0) {
		fail(k, "%.300s", err.text);
		return rc;
	}
	rc = (int)json_integer_value(json_object_get(answer, "status"));
	k->no_route = rc && says_no_route(answer);
	json_decref(answer);
	return rc;
}

static int check_ping(struct check *k)
{
	uint64_t end_ns = loop_now_ns() + (uint64_t)(k->within_s * (double)S_NS);
	const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
	int rc;

	do {
		rc = ping(k, k->from, k->address, 1, true);
		if (rc == 0) {
			k->detail[0] = '\0';
			return 1;
		}
		if (rc == -ESRCH) /* the sender has ended: no time brings it back */
			return 0;
		if (rc < 0) /* not even asked: no reason to ask in a tight circle */
			nanosleep(&pause, NULL);
	} while (loop_now_ns() < end_ns);
	if (rc > 0 && k->no_route)
		return no_route(k);
	return rc < 0 ? 0
		      : fail(k, "%s did not answer within %g s%s", k->address, k->within_s,
			     k->client ? "" : "; the switch is not running");
}

static int is_ready(struct check *k, const char *vm)
{
	struct err err = ERR_NONE;
	json_t *status;
	int ready;

	if (vm_client_status(k->cli->run_dir, vm, &status, &err) < 0)
		return fail(k, "%.300s", err.text);
	ready = json_is_true(json_object_get(status, "ready"));
	json_decref(status);
	return ready ? 1 : fail(k, "%s is not ready", vm);
}

/* What the switch received from all ports of a VM, or -1. */
static json_int_t frames_from(struct check *k, const char *vm)
{
	char prefix[VM_NAME_BYTES + 2];
	json_t *ports = NULL;
	struct err err = ERR_NONE;
	json_int_t sum = 0;

	if (!k->client || rpc_call_all(k->client, "port.list", NULL, &ports, &err) < 0) {
		fail(k, "the switch cannot be asked: %.250s", k->client ? err.text : "it is gone");
		return -1;
	}
	snprintf(prefix, sizeof(prefix), "%s.", vm);
	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *port = json_array_get(ports, i);
		const char *name = json_string_value(json_object_get(port, "name"));

		if (name && !strncmp(name, prefix, strlen(prefix)))
			sum += json_integer_value(
				json_object_get(json_object_get(port, "counters"), "rx_frames"));
	}
	json_decref(ports);
	return sum;
}

static int check_no_ping(struct check *k)
{
	json_int_t before, after;
	int seconds = (int)(k->within_s + 0.999), rc;

	if (!is_ready(k, k->from) || !is_ready(k, k->target))
		return 0;
	rc = ping(k, k->target, k->address, 2, true);
	if (rc < 0)
		return 0;
	if (rc > 0)
		return fail(k, "%s does not even reach itself at %s: its silence proves nothing",
			    k->target, k->address);
	before = frames_from(k, k->from);
	if (before < 0)
		return 0;
	for (int i = 0; i <= MORE_TRIES; i++) {
		rc = ping(k, k->from, k->address, i ? 1 : seconds, false);
		after = rc < 0 ? -1 : frames_from(k, k->from);
		if (after < 0)
			return 0;
		if (rc == 0)
			return fail(k, "%s answered", k->address);
		if (after - before >= REQUESTS_MIN)
			return 1;
	}
	if (k->no_route)
		return no_route(k);
	return fail(k, "only %lld frames left %s: that nothing came back proves nothing",
		    (long long)(after - before), k->from);
}

static json_t *run_one(struct cli *cli, struct rpc_client *client, const json_t *check)
{
	struct check k = {.cli = cli, .client = client, .target = NULL};
	uint64_t start_ns = loop_now_ns();
	int passed;

	if (json_unpack((json_t *)check, "{s:s,s:s,s:s,s:s,s?s,s:F}", "name", &k.name, "kind",
			&k.kind, "from", &k.from, "address", &k.address, "target", &k.target,
			"within", &k.within_s) < 0 &&
	    json_unpack((json_t *)check, "{s:s,s:s,s:s,s:s,s:F}", "name", &k.name, "kind", &k.kind,
			"from", &k.from, "address", &k.address, "within", &k.within_s) < 0)
		return NULL;
	if (!strcmp(k.kind, "ping"))
		passed = check_ping(&k);
	else
		passed = k.target ? check_no_ping(&k) : fail(&k, "it has no target");
	return json_pack("{s:s,s:s,s:b,s:s,s:f}", "name", k.name, "kind", k.kind, "passed", passed,
			 "detail", k.detail, "seconds",
			 (double)(loop_now_ns() - start_ns) / (double)S_NS);
}

static void print_one(const json_t *r)
{
	const char *detail = json_string_value(json_object_get(r, "detail"));

	printf("%-5s %s (%.1f s)%s%s\n", json_is_true(json_object_get(r, "passed")) ? "ok" : "FAIL",
	       json_string_value(json_object_get(r, "name")),
	       json_number_value(json_object_get(r, "seconds")), detail[0] ? ": " : "", detail);
	fflush(stdout);
}

int lab_check(struct cli *cli, const json_t *doc, json_t **results, struct err *err)
{
	const json_t *checks = json_object_get(doc, "checks");
	struct rpc_client *client = NULL;
	int failures = 0;

	*results = json_array();
	if (switch_connect(cli->run_dir, CONNECT_TIMEOUT_MS, &client, NULL) < 0)
		client = NULL;
	for (size_t i = 0; i < json_array_size(checks); i++) {
		json_t *r = run_one(cli, client, json_array_get(checks, i));

		if (!r) {
			rpc_close(client);
			return err_set(err, -EINVAL, "the lab's file is damaged: check %zu", i + 1);
		}
		failures += !json_is_true(json_object_get(r, "passed"));
		if (!cli->json)
			print_one(r);
		json_array_append_new(*results, r);
	}
	rpc_close(client);
	return failures;
}
