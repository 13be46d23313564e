/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/handlers.h"
#include "control/daemon/kept_out.h"
#include "control/daemon/metrics.h"
#include "control/daemon/page.h"

#define GRACE_NS                                                                                   \
	S_NS /* a lab that restarts its VMs lets go of one lease before it takes the next */
#define FIRST_LEASE_NS (30 * S_NS) /* whoever started us for itself has come by then */

static void stop_now(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop, 0);
}

void daemon_stop_soon(struct daemon *d, const char *why)
{
	if (d->stop_timer)
		return;
	LOG_INFO("switch: stopping: %s", why);
	if (loop_timer_add(d->loop, 0, stop_now, d, &d->stop_timer) < 0)
		loop_stop(d->loop, 0);
}

static json_t *confirm_json(const struct daemon *d)
{
	uint64_t now_ns = loop_now_ns();

	if (!d->confirm_timer)
		return json_null();
	return json_integer(
		d->confirm_due_ns > now_ns ? (json_int_t)((d->confirm_due_ns - now_ns) / S_NS) : 0);
}

static json_t *keeper_json(const struct daemon *d)
{
	return d->restarts.keeper_pid ? json_integer(d->restarts.keeper_pid) : json_null();
}

static json_t *past_json(const struct past *p)
{
	if (!p->n)
		return json_pack("{si}", "n", 0);
	return json_pack("{si so sI sf}", "n", (int)p->n, "reason", json_text(p->reason), "ago_s",
			 (json_int_t)((loop_now_ns() - p->at_ns) / S_NS), "gap_ms",
			 (double)p->gap_ns / 1e6);
}

int do_daemon_status(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *daemon;

	daemon = json_pack(
		"{si so ss sI ss si so sb si so ss? so so so}", "pid", (int)getpid(), "keeper_pid",
		keeper_json(d), "version", LANYARD_VERSION, "uptime_s", (json_int_t)((loop_now_ns() - d->start_ns) / S_NS),
		"mode", switch_mode(d->sw) == SWITCH_POLL ? "poll" : "adaptive", "workers",
		(int)switch_n_workers(d->sw), "run_dir",
		d->run_dir ? json_text(d->run_dir) : json_null(), "until_unused", d->until_unused,
		"leases", (int)d->n_leases, "confirm_s", confirm_json(d), "metrics",
		metrics_where(d), "restarts", past_json(&d->restarts.deaths), "successions",
		past_json(&d->restarts.planned), "confined",
		d->confined ? json_text(d->confined) : json_null());
	json_object_set_new(daemon, "kept_out", kept_out_json(d));
	*result = json_pack("{so}", "daemon", daemon);
	return 0;
}

/* ---- findings ---- */

#define FIND_BRIDGES SWITCH_BRIDGES_MAX

/* Bridges joined by links, as sets: each points towards the head of its own. */
struct sets {
	const struct bridge *bridges[FIND_BRIDGES];
	unsigned up[FIND_BRIDGES], n;
};

static unsigned set_of(struct sets *s, const struct bridge *br)
{
	unsigned i;

	for (i = 0; i < s->n && s->bridges[i] != br; i++)
		;
	while (i < s->n && s->up[i] != i)
		i = s->up[i];
	return i;
}

static void finding(json_t *list, const char *name, const char *state, const char *text,
		    const char *advice)
{
	json_array_append_new(list, json_pack("{sssssoss}", "name", name, "state", state, "text",
					      json_text(text), "advice", advice));
}

/* A link whose ends are joined already closes a circle. Frames in it are bounded, but a broadcast
 * goes round until they are. */
static void find_loops(struct daemon *d, json_t *list)
{
	struct sets *s = calloc(1, sizeof(*s));
	char text[SWITCH_NAME_MAX + 64];

	if (!s)
		return;
	for (struct bridge *br = bridge_next(d->sw, NULL); br && s->n < FIND_BRIDGES;
	     br = bridge_next(d->sw, br)) {
		s->up[s->n] = s->n;
		s->bridges[s->n++] = br;
	}
	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		struct port_info a, b;
		unsigned x, y;

		if (!link_is_first(p))
			continue;
		port_info(p, &a);
		port_info(link_peer(p), &b);
		x = set_of(s, a.bridge);
		y = set_of(s, b.bridge);
		if (x >= s->n || y >= s->n)
			continue;
		if (x == y) {
			snprintf(text, sizeof(text), "link \"%s\" closes a loop of bridges",
				 a.name);
			finding(list, "loop", "warn", text,
				"delete one link of the loop, or set it down until it is needed");
		}
		s->up[x] = y;
	}
	free(s);
}

static void find_errored(struct daemon *d, json_t *list)
{
	unsigned n = 0;
	char text[512], advice[SWITCH_NAME_MAX + 64];

	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		struct port_info info;

		port_info(p, &info);
		if (info.state != PORT_ERRORED || n++ >= 10)
			continue;
		snprintf(text, sizeof(text), "port \"%s\" is errored: %s", info.name,
			 info.reason ? info.reason : "");
		snprintf(advice, sizeof(advice), "`lanyard port up %s` heals it once its cause is gone", info.name);
		finding(list, "port", "warn", text, advice);
	}
}

/* What is saved and does not run. */
static void find_kept_out(struct daemon *d, json_t *list)
{
	json_t *kept = kept_out_json(d), *one;
	size_t i;

	json_array_foreach (kept, i, one) {
		const char *kind = json_string_value(json_object_get(one, "kind"));
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *why = json_string_value(json_object_get(one, "reason"));
		char text[512], advice[SWITCH_NAME_MAX * 2 + 160];

		snprintf(text, sizeof(text), "%s; it is saved, but was not made", why);
		if (!strcmp(kind, "port"))
			snprintf(advice, sizeof(advice),
				 "`lanyard port up %s` tries again once the cause is gone, `lanyard port del %s` forgets it",
				 name, name);
		else
			snprintf(advice, sizeof(advice), "`lanyard bridge del %s` forgets it", name);
		finding(list, "kept-out", "warn", text, advice);
	}
	json_decref(kept);
}

/* A switch that dies is a bug, however little of it was seen. */
static void find_restarts(struct daemon *d, json_t *list)
{
	const struct restarts *r = &d->restarts;
	char text[192];

	if (!r->keeper_pid) {
		finding(list, "keeper", "warn", "the switch runs without its keeper",
			"nobody starts it anew when it dies: leave --no-keeper out");
		return;
	}
	if (!r->deaths.n) {
		finding(list, "keeper", "ok", "the switch has not been restarted", "");
		return;
	}
	snprintf(text, sizeof(text), "the switch was restarted %u times, the last time %llu s ago: %s",
		 r->deaths.n, (unsigned long long)((loop_now_ns() - r->deaths.at_ns) / S_NS), r->deaths.reason);
	finding(list, "keeper", "warn", text, "see the switch's log");
}

/* What a guest that got hold of the process that forwards would have. */
static void find_rights(const struct daemon *d, json_t *list)
{
	if (d->confined) {
		finding(list, "confined", "ok", d->confined, "");
		return;
	}
	finding(list, "confined", "warn", "the process that forwards keeps the rights of whoever started the switch",
		"leave --user root, --no-keeper and --no-confine out");
}

int do_daemon_facts(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	json_t *list = json_array(), *warning;
	char text[96];
	size_t i;

	json_array_foreach (d->warnings, i, warning)
		finding(list, "start", "warn", json_string_value(warning),
			"see the switch's log; `lanyard show config` is what runs");
	snprintf(text, sizeof(text), "the switch may open %llu files",
		 (unsigned long long)d->nofile.rlim_cur);
	finding(list, "switch-nofile", d->nofile.rlim_cur >= 65536 ? "ok" : "warn", text,
		d->nofile.rlim_cur >= 65536 ? ""
					 : "raise the hard limit of open files before its start");
	if (metrics_where(d)) {
		snprintf(text, sizeof(text), "metrics are at http://%.64s/metrics", metrics_where(d));
		finding(list, "metrics", "ok", text, "");
	} else {
		finding(list, "metrics", "ok", "metrics are not served",
			"for Prometheus: lanyard-switch --metrics PORT");
	}
	find_rights(d, list);
	find_restarts(d, list);
	find_loops(d, list);
	find_kept_out(d, list);
	find_errored(d, list);
	*result = json_pack("{so}", "findings", list);
	return 0;
}

/* ---- end of life ---- */

int do_daemon_stop(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	daemon_stop_soon(rpc_ctx(call), "a client asked for it");
	return 0;
}

static void on_unused(void *arg)
{
	struct daemon *d = arg;

	if (!d->n_leases)
		daemon_stop_soon(d, d->had_lease ? "the last VM or lab that needed it is gone"
						 : "nobody needed it");
}

static void on_lease_end(void *arg)
{
	struct daemon *d = arg;

	d->n_leases--;
	if (d->until_unused && !d->n_leases && !d->lease_timer)
		loop_timer_add(d->loop, d->last_lease ? 0 : GRACE_NS, on_unused, d, &d->lease_timer);
	if (!d->n_leases)
		d->last_lease = false;
}

void daemon_lease_wait(struct daemon *d)
{
	if (d->until_unused)
		loop_timer_add(d->loop, FIRST_LEASE_NS, on_unused, d, &d->lease_timer);
}

int do_lease_hold(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);

	if (d->stop_timer)
		return err_set(err, -ESHUTDOWN, "the switch is about to end");
	/* One connection is one lease, however often it asks. */
	if (!rpc_has_disconnect(call, on_lease_end) &&
	    rpc_on_disconnect(call, on_lease_end, d) == 0) {
		d->n_leases++;
		d->had_lease = true;
		loop_timer_del(d->lease_timer);
	}
	d->last_lease = json_is_true(json_object_get(params, "last"));
	*result = json_pack("{sisb}", "leases", (int)d->n_leases, "until_unused", d->until_unused);
	return 0;
}
