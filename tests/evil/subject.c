/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/evil/subject.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/client.h"

#define WAIT_NS (10 * S_NS)

void evil_fail(struct scene *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->report->failure, sizeof(s->report->failure), fmt, ap);
	va_end(ap);
	if (!s->c) /* nobody else will say it */
		fprintf(stderr, "evil: %s\n", s->report->failure);
	_exit(1);
}

static unsigned n_entries(pid_t pid, const char *what)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 2 ? n - 2 : 0;
}

struct holdings holdings_of(pid_t pid)
{
	struct holdings h = {.n_fds = n_entries(pid, "fd"), .n_threads = n_entries(pid, "task")};
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "RssAnon:", 8))
			h.rss_kib = strtol(line + 8, NULL, 10);
	if (f)
		fclose(f);
	return h;
}

int subject_connect(struct scene *s)
{
	struct err err = ERR_NONE;
	json_t *status;
	int rc;

	snprintf(s->socket, sizeof(s->socket), "%s/switch.sock", s->run_dir);
	snprintf(s->path, sizeof(s->path), "%s/evil.sock", s->run_dir);
	rc = rpc_connect(s->socket, 10000, &s->rpc, &err);
	if (rc < 0) {
		fprintf(stderr, "evil: %s\n", err.text);
		return rc;
	}
	status = evil_call(s, "daemon.status", NULL);
	s->daemon = (pid_t)json_integer_value(
		json_object_get(json_object_get(status, "daemon"), "pid"));
	json_decref(status);
	return 0;
}

json_t *evil_call(struct scene *s, const char *method, json_t *params)
{
	struct err err = ERR_NONE;
	json_t *result;

	if (rpc_call(s->rpc, method, params, &result, &err) != 0)
		evil_fail(s, "%s: %s", method, err.text);
	return result;
}

json_t *evil_port(struct scene *s, const char *name)
{
	json_t *list = evil_call(s, "port.list", json_pack("{ss}", "name", name)), *port;

	port = json_incref(json_array_get(json_object_get(list, "items"), 0));
	json_decref(list);
	if (!port)
		evil_fail(s, "there is no port \"%s\"", name);
	return port;
}

static const char *text_of(const json_t *port, const char *key)
{
	const char *text = json_string_value(json_object_get(port, key));

	return text ? text : "";
}

static void note(struct scene *s, const json_t *p)
{
	snprintf(s->report->said, sizeof(s->report->said), "%s%s%s", text_of(p, "state"),
		 *text_of(p, "reason") ? ": " : "", text_of(p, "reason"));
}

void evil_note(struct scene *s)
{
	json_t *p = evil_port(s, EVIL_PORT);

	note(s, p);
	json_decref(p);
}

void evil_await(struct scene *s, const char *state, const char *reason)
{
	uint64_t end_ns = loop_now_ns() + WAIT_NS;
	char fault[160] = ""; /* the last that was seen: it does not stay for long */

	for (;;) {
		json_t *p = evil_port(s, EVIL_PORT);
		bool is = !strcmp(text_of(p, "state"), state) &&
			  (!reason || strstr(text_of(p, "reason"), reason));

		if (!strcmp(text_of(p, "state"), "errored"))
			snprintf(fault, sizeof(fault), ", and was \"%s\"", text_of(p, "reason"));
		if (!is && loop_now_ns() > end_ns)
			evil_fail(s, "the port is not %s (\"%s\") but %s (\"%s\")%s", state,
				  reason ? reason : "", text_of(p, "state"), text_of(p, "reason"),
				  fault);
		note(s, p);
		json_decref(p);
		if (is)
			return;
		usleep(2000);
	}
}

void evil_heal(struct scene *s, const char *state)
{
	json_decref(evil_call(s, "port.up", json_pack("{ss}", "name", EVIL_PORT)));
	evil_await(s, state, NULL);
}

uint64_t evil_counter(struct scene *s, const char *port, const char *name)
{
	json_t *p = evil_port(s, port);
	const json_t *at = json_object_get(p, "counters");
	char part[64];
	uint64_t n;

	for (; at && *name; name += *name == '.') {
		size_t len = strcspn(name, ".");

		snprintf(part, sizeof(part), "%.*s", (int)len, name);
		at = json_object_get(at, part);
		name += len;
	}
	n = (uint64_t)json_integer_value(at);
	json_decref(p);
	return n;
}

void evil_await_counter(struct scene *s, const char *port, const char *name, uint64_t n)
{
	uint64_t end_ns = loop_now_ns() + WAIT_NS, is;

	while ((is = evil_counter(s, port, name)) < n) {
		if (loop_now_ns() > end_ns)
			evil_fail(s, "%s of port %s is %lu, not %lu", name, port, (unsigned long)is,
				  (unsigned long)n);
		usleep(2000);
	}
}

static void port_add(struct scene *s, const char *name, const char *path, bool listen,
		     unsigned vlan, const char *more)
{
	json_t *params =
		json_pack("{ss ss ss ss sb si}", "name", name, "bridge", EVIL_BRIDGE, "type",
			  "vhost-user", "path", path, "listen", listen, "access", (int)vlan);
	char text[256];

	if (more) {
		json_t *m;

		snprintf(text, sizeof(text), "{%s}", more);
		m = json_loads(text, 0, NULL);
		json_object_update(params, m);
		json_decref(m);
		if (json_is_null(json_object_get(params, "access")))
			json_object_del(params, "access");
	}
	json_decref(evil_call(s, "port.add", params));
}

void subject_port_add(struct scene *s)
{
	port_add(s, EVIL_PORT, s->path, !s->c->server, EVIL_VLAN, s->c->port);
}

struct fe *evil_attacker(struct scene *s, struct fe_opts o)
{
	struct err err = ERR_NONE;
	struct fe *fe;

	o.path = s->path;
	o.server = s->c->server;
	if (fe_open(&o, &fe, &err) < 0)
		evil_fail(s, "%s", err.text);
	if (!o.no_rings && !o.no_handshake)
		evil_await(s, "up", NULL);
	return fe;
}

struct fe *evil_neighbour(struct scene *s, const char *name, unsigned vlan, struct fe_opts o)
{
	return evil_neighbour_with(s, name, vlan, NULL, o);
}

struct fe *evil_neighbour_with(struct scene *s, const char *name, unsigned vlan, const char *more,
			       struct fe_opts o)
{
	struct err err = ERR_NONE;
	char path[128];
	struct fe *fe;

	snprintf(path, sizeof(path), "%s/%s.sock", s->run_dir, name);
	port_add(s, name, path, true, vlan, more);
	o.path = path;
	if (fe_open(&o, &fe, &err) < 0)
		evil_fail(s, "%s: %s", name, err.text);
	for (uint64_t end_ns = loop_now_ns() + WAIT_NS;;) {
		json_t *p = evil_port(s, name);
		bool up = !strcmp(text_of(p, "state"), "up");

		if (!up && loop_now_ns() > end_ns)
			evil_fail(s, "port %s is %s: %s", name, text_of(p, "state"),
				  text_of(p, "reason"));
		json_decref(p);
		if (up)
			return fe;
	}
}

static uint64_t sum_of(const json_t *drops)
{
	const char *key;
	uint64_t sum = 0;
	json_t *n;

	json_object_foreach ((json_t *)drops, key, n)
		sum += (uint64_t)json_integer_value(n);
	return sum;
}

/* received = forwarded + dropped, once nothing moves any more. */
static void sums_check(struct scene *s, const char *name)
{
	uint64_t end_ns = loop_now_ns() + WAIT_NS;

	for (;;) {
		json_t *p = evil_port(s, name), *c = json_object_get(p, "counters");
		uint64_t in = (uint64_t)json_integer_value(json_object_get(c, "rx_frames"));
		uint64_t on = (uint64_t)json_integer_value(json_object_get(c, "rx_forwarded"));
		uint64_t dropped = sum_of(json_object_get(c, "rx_drops"));

		json_decref(p);
		if (in == on + dropped)
			return;
		if (loop_now_ns() > end_ns)
			evil_fail(s, "port %s received %lu frames, forwarded %lu and dropped %lu",
				  name, (unsigned long)in, (unsigned long)on,
				  (unsigned long)dropped);
		usleep(2000);
	}
}

void subject_ports_del(struct scene *s)
{
	json_t *list = evil_call(s, "port.list", NULL), *p;
	size_t i;

	json_array_foreach (json_object_get(list, "items"), i, p) {
		const char *name = text_of(p, "name");

		if (strncmp(name, EVIL_PORT, strlen(EVIL_PORT)))
			continue;
		sums_check(s, name);
		if (!strcmp(name, EVIL_PORT) && !s->report->said[0])
			snprintf(s->report->said, sizeof(s->report->said), "%s%s%s",
				 text_of(p, "state"), *text_of(p, "reason") ? ": " : "",
				 text_of(p, "reason"));
		json_decref(evil_call(s, "port.del", json_pack("{ss}", "name", name)));
	}
	json_decref(list);
}
