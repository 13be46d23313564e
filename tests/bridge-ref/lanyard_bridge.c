/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Lanyard's bridge does with the frames of cases.txt: linux_bridge.py's counterpart, with the
 * same JSON on stdout: {"STEP": {"PORT": ["hex", …]}}.
 *
 * How      The switch runs in this process, its ports are fake ones. A step is over when the
 *          workers have nothing left to do.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "switch/eal.h"
#include "switch/switch.h"
#include "tests/bridge-ref/cases.h"
#include "tests/fake_port.h"

struct lab {
	struct loop *loop;
	struct switch_ *sw;
	struct bridge *bridge;
	const struct case_setup *setup;
	struct fake_port *ports[CASES_PORTS_MAX];
};

static void must(int rc, const struct err *err, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(1);
}

static void switch_up(struct lab *lab)
{
	struct eal_opts eal = {.n_workers = 1};
	struct err err = ERR_NONE;

	must(eal_start(&eal, &err), &err, "EAL");
	must(loop_create(&lab->loop), &err, "event loop");

	struct switch_opts opts = {.loop = lab->loop, .mode = SWITCH_ADAPTIVE, .n_workers = 1};

	must(switch_create(&opts, &lab->sw, &err), &err, "switch");
}

static void setup_make(struct lab *lab, const struct case_setup *setup)
{
	struct bridge_opts opts = {.ageing_s = setup->ageing_s,
				   .max_macs = BRIDGE_MAX_MACS,
				   .forward_reserved = setup->forward_reserved};
	struct err err = ERR_NONE;

	lab->setup = setup;
	must(bridge_add(lab->sw, setup->name, &opts, &lab->bridge, &err), &err, setup->name);
	for (unsigned i = 0; i < setup->n_ports; i++) {
		struct port_opts port = {.name = setup->ports[i].name,
					 .bridge = lab->bridge,
					 .vlan = setup->ports[i].vlan};

		must(fake_port_add(lab->sw, &port, 1, &lab->ports[i], &err), &err, port.name);
	}
}

static void setup_end(struct lab *lab)
{
	struct err err = ERR_NONE;

	sums_check(lab->sw);
	for (unsigned i = 0; i < lab->setup->n_ports; i++)
		must(port_del(fake_port(lab->ports[i]), &err), &err, lab->setup->ports[i].name);
	must(bridge_del(lab->bridge, &err), &err, "bridge_del");
}

static void hex_add(json_t *list, const uint8_t *frame, size_t len)
{
	char *text = calloc(2, len + 1);

	for (size_t i = 0; text && i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", frame[i]);
	json_array_append_new(list, json_string(text));
	free(text);
}

static json_t *outputs(struct lab *lab)
{
	json_t *result = json_object();

	for (unsigned i = 0; i < lab->setup->n_ports; i++) {
		json_t *list = json_array();

		for (unsigned n = 0; n < fake_n_out(lab->ports[i]); n++) {
			size_t len;
			const uint8_t *frame = fake_out(lab->ports[i], n, &len);

			hex_add(list, frame, len);
		}
		fake_clear(lab->ports[i]);
		json_object_set_new(result, lab->setup->ports[i].name, list);
	}
	return result;
}

static void step_wait(double s)
{
	struct timespec ts = {.tv_sec = (time_t)s,
			      .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

	nanosleep(&ts, NULL);
}

static void step_run(struct lab *lab, const struct case_ *c, const struct case_step *step,
		     unsigned *n, json_t *results)
{
	if (!*step->port) {
		step_wait(step->wait_s);
		return;
	}
	for (unsigned i = 0; i < lab->setup->n_ports; i++) {
		const char *port = lab->setup->ports[i].name;
		char id[3 * CASES_NAME_MAX + 16];

		if (strcmp(step->port, "*") && strcmp(step->port, port))
			continue;
		snprintf(id, sizeof(id), "%s/%s#%u@%s", lab->setup->name, c->name, ++*n, port);
		fake_inject(lab->ports[i], step->frame, step->len);
		fake_settle(lab->sw);
		json_object_set_new(results, id, outputs(lab));
	}
}

static void setup_run(struct lab *lab, const struct case_table *t, unsigned setup, json_t *results)
{
	setup_make(lab, &t->setups[setup]);
	for (unsigned i = 0; i < t->n_cases; i++) {
		const struct case_ *c = &t->cases[i];
		unsigned n = 0;

		if (!(c->setups >> setup & 1))
			continue;
		bridge_fdb_flush(lab->bridge, NULL);
		for (unsigned s = 0; s < c->n_steps; s++)
			step_run(lab, c, c->steps[s], &n, results);
	}
	setup_end(lab);
}

int main(int argc, char **argv)
{
	struct lab lab = {0};
	json_t *results = json_object();

	if (argc != 2) {
		fprintf(stderr, "usage: %s CASES\n", argv[0]);
		return 2;
	}

	struct case_table *table = cases_read(argv[1]);

	log_level_set(LOG_LEVEL_WARN);
	switch_up(&lab);
	for (unsigned i = 0; i < table->n_setups; i++)
		setup_run(&lab, table, i, results);
	json_dumpf(results, stdout, JSON_INDENT(1));
	json_decref(results);
	switch_destroy(lab.sw);
	loop_destroy(lab.loop);
	cases_free(table);
	eal_stop();
	return 0;
}
