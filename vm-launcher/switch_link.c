/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_link.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "control/rpc/client.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/lab_network.h"
#include "vm-launcher/nic_model.h"
#include "vm-launcher/vm_path.h"

#define CALL_TIMEOUT_MS 2000
#define RETRY_FIRST_NS	(250 * MS_NS)
#define RETRY_MAX_NS	(2 * S_NS)
#define RETRY_IDLE_NS	(5 * S_NS) /* of a VM that needs no switch, and would only be seen in it */
#define EVENTS_A_TURN   1024

struct switch_link {
	struct loop *loop;
	const char *run_dir, *id;
	const struct vm_spec *spec;
	unsigned n_ports;
	struct rpc_client *client; /* NULL: gone */
	struct loop_fd *watch;
	struct loop_timer *retry;
	uint64_t retry_ns;
	json_t *report; /* the last one */
	struct switch_link_opts opts;
	struct port_facts {
		bool down;	 /* by the administrator: so it shall be made again */
		int mtu_running; /* what QEMU was started with */
	} facts[VM_NICS_MAX];
};

/* The addresses of a lab file's `ip:` without their lengths. */
static json_t *guarded_ips(const struct vm_nic *n)
{
	json_t *list = json_array();

	for (unsigned k = 0; k < n->n_ips; k++)
		json_array_append_new(list, json_stringn(n->ips[k], strcspn(n->ips[k], "/")));
	return list;
}

static void guard_add(const struct vm_nic *n, json_t *params)
{
	if (!strcmp(n->guard, "off"))
		return;
	json_object_set_new(params, "guard", json_string(n->guard));
	json_object_set_new(params, "mac", json_string(n->mac));
	if (n->n_ips)
		json_object_set_new(params, "ip", guarded_ips(n));
}

static json_t *port_params(const struct switch_link *l, unsigned i)
{
	const struct vm_nic *n = &l->spec->nics[i];
	const struct nic_model *m = nic_model_find(n->model, NULL);
	char path[VM_FILE_BYTES], peer[VM_FILE_BYTES];
	json_t *p;

	vm_nic_path(peer, l->run_dir, l->id, 'n', i);
	p = json_pack("{s:s,s:s,s:b}", "name", n->port, "bridge", n->bridge, "transient", 1);
	if (m && m->driver) {
		json_object_set_new(p, "type", json_string("dgram"));
		json_object_set_new(
			p, "path", json_string(vm_nic_path(path, l->run_dir, l->id, 'd', i)));
		json_object_set_new(p, "peer", json_string(peer));
		/* QEMU sends to it, and nobody else. */
		json_object_set_new(p, "owner", json_sprintf("%u", (unsigned)l->opts.uid));
		json_object_set_new(p, "group", json_sprintf("%u", (unsigned)l->opts.gid));
		json_object_set_new(p, "mode", json_string("0600"));
	} else {
		json_object_set_new(p, "type", json_string("vhost-user"));
		json_object_set_new(p, "path", json_string(peer));
		json_object_set_new(p, "carrier", json_string("set_link"));
	}
	/* QEMU tells the one that it was started with; another one is set afterwards. */
	if (l->facts[i].mtu_running)
		json_object_set_new(p, "mtu", json_integer(l->facts[i].mtu_running));
	if (l->facts[i].down)
		json_object_set_new(p, "down", json_true());
	if (l->spec->lab[0])
		json_object_set_new(p, "lab", json_string(l->spec->lab));
	if (n->access)
		json_object_set_new(p, "access", json_integer(n->access));
	if (n->trunk[0])
		json_object_set_new(p, "trunk", json_string(n->trunk));
	if (n->native)
		json_object_set_new(p, "native", json_integer(n->native));
	guard_add(n, p);
	return p;
}

static int port_del(struct switch_link *l, unsigned i)
{
	struct err err = ERR_NONE;
	int rc = rpc_call(l->client, "port.del", json_pack("{s:s}", "name", l->spec->nics[i].port),
			  NULL, &err);

	if (rc < 0 && rc != -ENOENT)
		LOG_WARN("port \"%s\" was not deleted: %s", l->spec->nics[i].port, err.text);
	return rc;
}

/* A switch that does not answer is not asked for each port: the VM's end would wait for it. */
static void ports_del(struct switch_link *l)
{
	int rc = 0;

	for (unsigned i = 0; rc != -ETIMEDOUT && i < l->spec->n_nics; i++)
		if (!l->spec->nics[i].user)
			rc = port_del(l, i);
}

/* A port of that name at the first start is a leftover; later it is ours, kept by the switch. */
static int port_add(struct switch_link *l, unsigned i, bool first, struct err *err)
{
	int rc = rpc_call(l->client, "port.add", port_params(l, i), NULL, err);

	if (rc != -EEXIST)
		return rc;
	if (!first)
		return 0;
	port_del(l, i);
	return rpc_call(l->client, "port.add", port_params(l, i), NULL, err);
}

static void drop(struct switch_link *l)
{
	loop_fd_del(l->watch);
	l->watch = NULL;
	rpc_close(l->client);
	l->client = NULL;
}

/* The MTU of the next start, where it is not the one of this. */
static int mtu_restore(struct switch_link *l, unsigned i, struct err *err)
{
	const struct vm_nic *n = &l->spec->nics[i];
	char text[16];

	if (n->mtu == l->facts[i].mtu_running)
		return 0;
	snprintf(text, sizeof(text), "%d", n->mtu);
	return rpc_call(l->client, "port.set",
			json_pack("{s:s,s:{s:s}}", "name", n->port, "settings", "mtu",
				  n->mtu ? text : "none"),
			NULL, err);
}

static int ports_add(struct switch_link *l, bool first, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < l->spec->n_nics; i++) {
		if (l->spec->nics[i].user)
			continue;
		rc = port_add(l, i, first, err);
		if (rc == 0)
			rc = mtu_restore(l, i, err);
	}
	return rc;
}

/* ---- what happens to the ports ---- */

static void event_take(struct switch_link *l, unsigned i, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));
	const char *state = json_string_value(json_object_get(event, "new"));

	if (!strcmp(kind, "port.carrier")) {
		l->opts.carrier(l->opts.arg, i, json_is_true(json_object_get(event, "on")));
	} else if (!strcmp(kind, "port.mtu")) {
		l->opts.mtu(l->opts.arg, i,
			    (int)json_integer_value(json_object_get(event, "mtu")));
	} else if (!strcmp(kind, "port.state") && state) {
		l->facts[i].down = !strcmp(state, "down");
	}
}

static void event_dispatch(struct switch_link *l, const json_t *event)
{
	const char *object = json_string_value(json_object_get(event, "object"));

	if (!object || !json_is_string(json_object_get(event, "kind")))
		return;
	for (unsigned i = 0; i < l->spec->n_nics; i++)
		if (!l->spec->nics[i].user && !strcmp(l->spec->nics[i].port, object))
			event_take(l, i, event);
}

/* All that have come. False when the connection has ended, or is better ended: whoever connects again hears how it
 * is. */
static bool events_take(struct switch_link *l)
{
	struct err err = ERR_NONE;
	unsigned n = 0;
	json_t *event;
	int rc;

	while ((rc = rpc_event_next(l->client, 0, &event, &err)) == 0 && n++ < EVENTS_A_TURN) {
		event_dispatch(l, event);
		json_decref(event);
	}
	if (rc == 0)
		json_decref(event);
	return rc == -ETIMEDOUT;
}

static void on_retry(void *arg);

static void on_client(void *arg, int fd, uint32_t events)
{
	struct switch_link *l = arg;

	if (events_take(l) && !(events & (EPOLLRDHUP | EPOLLHUP)))
		return;
	if (l->n_ports)
		LOG_WARN("the switch is gone; trying to find it again");
	drop(l);
	l->retry_ns = RETRY_FIRST_NS;
	loop_timer_add(l->loop, l->retry_ns, on_retry, l, &l->retry);
}

static int events_subscribe(struct switch_link *l, struct err *err)
{
	json_t *objects = json_array();

	for (unsigned i = 0; i < l->spec->n_nics; i++)
		if (!l->spec->nics[i].user)
			json_array_append_new(objects, json_string(l->spec->nics[i].port));
	return rpc_call(l->client, "events.subscribe",
			json_pack("{s:[s,s,s],s:o}", "kinds", "port.state", "port.carrier",
				  "port.mtu", "objects", objects),
			NULL, err);
}

/* How the ports are just now: what happens from here on is told by events. */
static int ports_look(struct switch_link *l, struct err *err)
{
	for (unsigned i = 0; i < l->spec->n_nics; i++) {
		json_t *items = NULL;
		const json_t *port;
		const char *state;
		int rc;

		if (l->spec->nics[i].user)
			continue;
		rc = rpc_call_all(l->client, "port.list",
				  json_pack("{s:s}", "name", l->spec->nics[i].port), &items, err);
		if (rc < 0)
			return rc;
		port = json_array_get(items, 0);
		state = json_string_value(json_object_get(port, "state"));
		l->facts[i].down = state && !strcmp(state, "down");
		l->opts.carrier(l->opts.arg, i, !json_is_false(json_object_get(port, "carrier")));
		json_decref(items);
	}
	return 0;
}

static void report_send(struct switch_link *l)
{
	struct err err = ERR_NONE;

	/* Nobody waits for an answer: a switch that hangs must not hold up the VM. */
	if (l->client && l->report &&
	    rpc_tell(l->client, "vm.report", json_incref(l->report), &err) < 0)
		LOG_DEBUG("the switch was not told of the VM's state: %s", err.text);
}

void switch_link_report(struct switch_link *l, json_t *report)
{
	if (!l) {
		json_decref(report);
		return;
	}
	json_decref(l->report);
	l->report = report;
	report_send(l);
}

/* The lease, the ports and what happens to them. */
static int ports_attach(struct switch_link *l, bool first, struct err *err)
{
	char who[VM_NAME_BYTES + 8];
	int rc;

	snprintf(who, sizeof(who), "vm %s", l->spec->name);
	rc = rpc_call(l->client, "lease.hold", json_pack("{s:s}", "name", who), NULL, err);
	if (rc == 0)
		rc = events_subscribe(l, err);
	if (rc == 0)
		rc = ports_add(l, first, err);
	/* A switch that was started anew does not know the lab's bridges. */
	if (rc == -ENOENT && l->spec->lab[0]) {
		rc = lab_network_restore(l->client, l->run_dir, l->spec->lab, err);
		if (rc == 0)
			rc = ports_add(l, first, err);
	}
	return rc < 0 ? rc : ports_look(l, err);
}

static int attach(struct switch_link *l, bool first, struct err *err)
{
	int rc = switch_connect(l->run_dir, CALL_TIMEOUT_MS, &l->client, err);

	if (rc < 0)
		return rc;
	rpc_timeout_set(l->client, CALL_TIMEOUT_MS);
	/* One without ports keeps no switch alive. */
	if (l->n_ports)
		rc = ports_attach(l, first, err);
	if (rc == 0)
		rc = loop_fd_add(l->loop, rpc_client_fd(l->client), EPOLLIN | EPOLLRDHUP, on_client,
				 l, &l->watch);
	if (rc == 0) {
		report_send(l);
		/* Those that came while calls waited for their answers make nothing readable. */
		events_take(l);
	}
	if (rc < 0 && first)
		/* Half of the ports is as bad as none. */
		ports_del(l);
	if (rc < 0)
		drop(l);
	return rc;
}

static void on_retry(void *arg)
{
	struct switch_link *l = arg;
	uint64_t most_ns = l->n_ports ? RETRY_MAX_NS : RETRY_IDLE_NS;
	struct err err = ERR_NONE;
	int rc = attach(l, false, &err);

	if (rc == 0) {
		if (l->n_ports)
			LOG_INFO("the switch is back");
		return;
	}
	if (l->n_ports && rc != -ENOENT && rc != -ECONNREFUSED)
		LOG_WARN_RL("the ports cannot be made again: %s", err.text);
	l->retry_ns = l->retry_ns * 2 > most_ns ? most_ns : l->retry_ns * 2;
	loop_timer_add(l->loop, l->retry_ns, on_retry, l, &l->retry);
}

int switch_link_open(struct loop *loop, const char *run_dir, const char *id,
		     const struct vm_spec *spec, const struct switch_link_opts *opts,
		     struct switch_link **out, struct err *err)
{
	struct switch_link *l = calloc(1, sizeof(*l));
	int rc;

	*out = NULL;
	if (!l)
		return err_set(err, -ENOMEM, "vm \"%s\": out of memory", spec->name);
	l->loop = loop;
	l->run_dir = run_dir;
	l->id = id;
	l->spec = spec;
	l->opts = *opts;
	for (unsigned i = 0; i < spec->n_nics; i++) {
		l->n_ports += !spec->nics[i].user;
		l->facts[i].mtu_running = spec->nics[i].mtu;
	}
	l->retry_ns = RETRY_FIRST_NS;
	rc = attach(l, !opts->keep_ports, err);
	if (rc < 0 && (opts->keep_ports || !l->n_ports))
		rc = loop_timer_add(loop, l->retry_ns, on_retry, l, &l->retry);
	if (rc < 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void switch_link_close(struct switch_link *l)
{
	if (!l)
		return;
	loop_timer_del(l->retry);
	if (l->client)
		ports_del(l);
	drop(l);
	json_decref(l->report);
	free(l);
}

const char *switch_link_state(const struct switch_link *l)
{
	if (!l || !l->n_ports)
		return "unused";
	return l->client ? "connected" : "gone";
}

/* Says what is wrong with one port, if anything is. */
static void port_complaint(struct switch_link *l, const struct vm_nic *n, char *buf, size_t size)
{
	struct err err = ERR_NONE;
	json_t *items = NULL;
	const char *state;

	if (rpc_call_all(l->client, "port.list", json_pack("{s:s}", "name", n->port), &items,
			 &err) < 0) {
		snprintf(buf, size, "the switch cannot be asked for port \"%s\": %s", n->port,
			 err.text);
		return;
	}
	state = json_string_value(json_object_get(json_array_get(items, 0), "state"));
	/* QEMU's side is there when the port negotiates: then it is not what we wait for. */
	if (!state || (strcmp(state, "up") && strcmp(state, "negotiating")))
		snprintf(buf, size, "the switch did not connect: port \"%s\" is %s", n->port,
			 state ? state : "not there");
	json_decref(items);
}

const char *switch_link_complaint(struct switch_link *l, char *buf, size_t size)
{
	buf[0] = '\0';
	if (l && l->n_ports && !l->client)
		snprintf(buf, size, "the switch is gone");
	for (unsigned i = 0; l && !buf[0] && i < l->spec->n_nics; i++)
		if (!l->spec->nics[i].user)
			port_complaint(l, &l->spec->nics[i], buf, size);
	return buf;
}
