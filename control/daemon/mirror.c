/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/daemon/filter.h"
#include "control/daemon/objects.h"
#include "switch/watch.h"

/* Owners that have settings of a mirror, in any state: mostly none, and then thousands of ports come and go
 * without a look at each other. */
static LIST_HEAD(, owner) mirrors = LIST_HEAD_INITIALIZER(mirrors);

static const json_t *names_of(const json_t *settings)
{
	return json_object_get(settings, "mirror");
}

bool mirror_names(const json_t *settings, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)names_of(settings), i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

int mirror_check(const char *name, const json_t *settings, struct err *err)
{
	const char *type = json_string_value(json_object_get(settings, "type"));
	const char *filter = json_string_value(json_object_get(settings, "mirror_filter"));
	const json_t *names = names_of(settings);
	struct bpf_insn *insns;
	unsigned n;
	int rc;

	if (!json_array_size(names)) {
		if (filter || json_object_get(settings, "mirror_direction"))
			return err_set(err, -EINVAL,
				       "a mirror's direction or filter without a mirror");
		return 0;
	}
	if (!strcmp(type, "link"))
		return err_set(err, -EINVAL, "a link cannot be where a mirror's copies go");
	if (json_array_size(names) > CAPTURE_PORTS_MAX)
		return err_set(err, -EINVAL, "a mirror has at most %d ports", CAPTURE_PORTS_MAX);
	if (mirror_names(settings, name))
		return err_set(err, -EINVAL, "a port cannot be mirrored to itself");
	rc = filter_compile(filter, &insns, &n, err);
	free(insns);
	return rc;
}

/* The part of settings that makes the mirror, of ports that are there; and these. */
static json_t *wanted(struct switch_ *sw, const json_t *settings, struct port **ports, unsigned *n)
{
	json_t *list = json_array(), *one;
	size_t i;

	*n = 0;
	json_array_foreach ((json_t *)names_of(settings), i, one) {
		struct port *p = port_find(sw, json_string_value(one));

		if (!p || *n == CAPTURE_PORTS_MAX)
			continue;
		json_array_append(list, one);
		ports[(*n)++] = p;
	}
	return json_pack("{so sO? sO?}", "ports", list, "direction",
			 json_object_get(settings, "mirror_direction"), "filter",
			 json_object_get(settings, "mirror_filter"));
}

/* In place of `was`, which is gone then; NULL where no port is there. */
static int make(struct port *to, const json_t *want, struct port **ports, unsigned n,
		struct watch *was, struct watch **out, struct err *err)
{
	const char *way = json_string_value(json_object_get(want, "direction"));
	struct watch_opts opts = {
		.ways = WATCH_IN | WATCH_OUT, .ports = ports, .n_ports = n, .to = to, .instead = was};
	struct bpf_insn *insns;
	int rc = filter_compile(json_string_value(json_object_get(want, "filter")), &insns,
				&opts.n_filter, err);

	opts.filter = insns;
	if (way && strcmp(way, "both"))
		opts.ways = !strcmp(way, "in") ? WATCH_IN : WATCH_OUT;
	*out = NULL;
	if (rc == 0 && n)
		rc = watch_add(to->sw, &opts, out, err);
	else if (rc == 0)
		watch_del(was);
	free(insns);
	return rc;
}

int mirror_apply(struct port *to, struct owner *o, const json_t *settings, struct err *err)
{
	struct port *ports[CAPTURE_PORTS_MAX];
	struct watch *made;
	unsigned n;
	json_t *want;
	int rc;

	if (!json_array_size(names_of(settings))) {
		mirror_end(o);
		return 0;
	}
	want = wanted(to->sw, settings, ports, &n);
	if (!want)
		return err_set(err, -ENOMEM, "out of memory");
	if (o->mirror_made && json_equal(want, o->mirror_made)) {
		json_decref(want);
		return 0;
	}
	rc = make(to, want, ports, n, o->mirror, &made, err);
	if (rc < 0) {
		json_decref(want);
		return rc;
	}
	if (!o->mirror_made)
		LIST_INSERT_HEAD(&mirrors, o, mirror_link);
	json_decref(o->mirror_made);
	o->mirror = made;
	o->mirror_made = want;
	o->mirror_to = to;
	return 0;
}

void mirror_end(struct owner *o)
{
	if (!o->mirror_made)
		return;
	LIST_REMOVE(o, mirror_link);
	watch_del(o->mirror);
	json_decref(o->mirror_made);
	o->mirror = NULL;
	o->mirror_made = NULL;
}

static void refresh_one(struct owner *o)
{
	struct err err = ERR_NONE;

	if (mirror_apply(o->mirror_to, o, o->settings, &err) < 0)
		LOG_WARN("port \"%s\": its mirror: %s", port_name(o->mirror_to), err.text);
}

void mirrors_refresh(const char *name)
{
	struct owner *o;

	LIST_FOREACH (o, &mirrors, mirror_link)
		if (mirror_names(o->settings, name))
			refresh_one(o);
}

void mirrors_retry(void)
{
	struct owner *o;

	LIST_FOREACH (o, &mirrors, mirror_link)
		if (!o->mirror)
			refresh_one(o);
}

static void name_remove(json_t *settings, const char *name)
{
	json_t *names = (json_t *)names_of(settings), *left = json_array(), *one;
	size_t i;

	json_array_foreach (names, i, one)
		if (strcmp(json_string_value(one), name))
			json_array_append(left, one);
	if (json_array_size(left)) {
		json_object_set(settings, "mirror", left);
	} else {
		json_object_del(settings, "mirror");
		json_object_del(settings, "mirror_direction");
		json_object_del(settings, "mirror_filter");
	}
	json_decref(left);
}

void mirrors_forget(const char *name)
{
	struct owner *o, *next;

	for (o = LIST_FIRST(&mirrors); o; o = next) {
		next = LIST_NEXT(o, mirror_link);
		if (!mirror_names(o->settings, name))
			continue;
		name_remove(o->settings, name);
		/* The old text names a port that is not there: it says the same. */
		port_remember(o->mirror_to, NULL);
		refresh_one(o);
	}
}
