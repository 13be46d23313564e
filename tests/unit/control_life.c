/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control_life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/config.h"
#include "control/daemon/confirm.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "switch/internal.h"

bool life_deadly_now; /* for lives that begin from here on */

#define WAS_BYTES (1u << 20)

static int fake_add(struct switch_ *sw, const struct port_opts *opts, const json_t *settings,
		    struct port **out, struct err *err)
{
	const char *path = json_string_value(json_object_get(settings, "path"));
	struct fake_port *fp;
	int rc;

	if (path && !strcmp(path, "/deadly") && opts->adopt && life_deadly_now)
		abort();
	rc = fake_port_add(sw, opts, 1, &fp, err);
	if (rc == 0)
		*out = fake_port(fp);
	/* What a driver has agreed with its other side lies in its slot. */
	if (rc == 0 && !opts->adopt)
		snprintf((char *)(*out)->kept->driver, 64, "of %s", opts->name);
	return rc;
}

static const char *const fake_keys[] = {"path", NULL};
static const struct port_type fake_type = {"fake", fake_keys, NULL, fake_add};
static const struct port_type *const types[] = {&fake_type, &port_type_link, NULL};

void life_must(int rc, const struct err *err)
{
	if (rc < 0) {
		fprintf(stderr, "a life: %s\n", err->text);
		_exit(9);
	}
}

json_t *read_json(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	MUST(value);
	free(copy);
	return value;
}

void life_make(struct life *l, int (*fn)(struct daemon *, const json_t *, struct err *),
		 const char *text)
{
	json_t *params = read_json(text);
	struct err err = ERR_NONE;

	life_must(fn(&l->d, params, &err), &err);
	json_decref(params);
}

void life_save(struct life *l)
{
	struct err err = ERR_NONE;

	life_must(config_save(&l->d, &err), &err);
}

/* All that can be told of the switch, as text. */
static char *dump(struct life *l)
{
	json_t *all = json_object();
	char *text;

	for (struct bridge *br = bridge_next(l->d.sw, NULL); br; br = bridge_next(l->d.sw, br)) {
		const struct owner *o = bridge_owner(br);

		json_object_set_new(all, bridge_name(br),
				    json_pack("{sO ss? sb si si}", "settings", o->settings, "lab",
					      o->lab, "transient", o->transient, "slot", br->slot,
					      "macs", (int)bridge_n_macs(br)));
	}
	for (struct port *p = port_next(l->d.sw, NULL); p; p = port_next(l->d.sw, p)) {
		const struct owner *o = port_owner(p);

		json_object_set_new(all, port_name(p),
				    json_pack("{sO ss? sb si ss ss si si sb ss si}", "settings",
					      o->settings, "lab", o->lab, "transient", o->transient,
					      "id", p->id, "state", port_state_name(p->state),
					      "bridge", bridge_name(p->bridge), "mode",
					      p->kept->vlan.mode, "vid", p->kept->vlan.vid, "down",
					      p->kept->down, "driver", (char *)p->kept->driver,
					      "peer", link_peer(p) ? link_peer(p)->id : -1));
	}
	text = json_dumps(all, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(all);
	return text;
}

static void life_begin(struct life *l)
{
	const struct eal_opts eal = {.n_workers = 1};
	struct switch_opts opts = {
		.n_workers = 1, .keep = &keep_table_ops, .keep_arg = l->w->table};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_ERR);
	life_must(eal_start(&eal, &err), &err);
	life_must(loop_create(&l->d.loop), &err);
	opts.loop = l->d.loop;
	life_must(switch_create(&opts, &l->d.sw, &err), &err);
	l->d.types = types;
	life_must(store_open(&l->d.store, l->w->dir, &err), &err);
	assert_int_equal(daemon_restore(&l->d, NULL), 0);
}

void life_live(void *arg)
{
	struct life *l = arg;

	life_begin(l);
	l->fn(l);
	snprintf(l->w->was, WAS_BYTES, "%s", dump(l));
}

void life_run(struct world *w, void (*fn)(struct life *l))
{
	struct life l = {.w = w, .fn = fn};
	int status = keep_table_life(w->table, life_live, &l);

	if (status)
		fail_msg("a life ended with status %x", status);
}

int life_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->table = keep_table_create();
	snprintf(w->dir, sizeof(w->dir), "/tmp/restore-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->was = mmap(NULL, WAS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*state = w;
	return 0;
}

int life_teardown(void **state)
{
	struct world *w = *state;
	char name[64];

	for (int i = -1; i < STORE_GENERATIONS; i++) {
		snprintf(name, sizeof(name), i <= 0 ? "%s/config.json%s" : "%s/config.%s%d.json",
			 w->dir, i < 0 ? ".new" : "", i);
		unlink(name);
	}
	assert_int_equal(rmdir(w->dir), 0);
	keep_table_destroy(w->table);
	munmap(w->was, WAS_BYTES);
	free(w);
	return 0;
}
