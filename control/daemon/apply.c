/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/config.h"
#include "control/daemon/mirror.h"
#include "control/daemon/objects.h"
#include "control/daemon/opener.h"
#include "control/daemon/owner.h"
#include "control/rpc/methods.h"

#define SLICE_NS (10 * MS_NS)

enum step_do { STEP_DEL, STEP_ADD, STEP_SET };
static const char *const step_words[] = {"del", "add", "set"};

struct step {
	enum step_do what;
	bool is_bridge;
	char name[SWITCH_NAME_MAX];
	json_t *was, *will; /* settings before and after; NULL where the object is not */
};

struct apply {
	struct daemon *d;
	struct step *steps;
	size_t n, n_room, at;
	bool undoing;
	struct err err; /* of the step that failed */
	uint64_t tried_ns; /* when the step was tried first; 0: not yet */
	unsigned n_left; /* steps that could not be undone */
	struct err left; /* of the first of them */
	struct loop_timer *timer;
	apply_done done;
	void *arg;
};

void apply_free(struct apply *a)
{
	if (!a)
		return;
	loop_timer_del(a->timer);
	for (size_t i = 0; i < a->n; i++) {
		json_decref(a->steps[i].was);
		json_decref(a->steps[i].will);
	}
	free(a->steps);
	free(a);
}

static int step_add(struct apply *a, enum step_do what, bool is_bridge, const char *name,
		    const json_t *was, const json_t *will)
{
	struct step *s;

	if (a->n == a->n_room) {
		size_t n_room = a->n_room ? a->n_room * 2 : 64;
		struct step *more = realloc(a->steps, n_room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		a->steps = more;
		a->n_room = n_room;
	}
	s = &a->steps[a->n++];
	s->what = what;
	s->is_bridge = is_bridge;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->was = json_incref((json_t *)was);
	s->will = json_incref((json_t *)will);
	return 0;
}

/* ---- planning ---- */

/* The settings of one object, by its row and by its type. */
static int object_check(struct daemon *d, bool is_bridge, const char *name, const json_t *settings,
			const json_t *bridges, struct err *err)
{
	static const char *const keys[] = {"bridge", "peer_bridge"};
	json_t *params = json_is_object(settings) ? config_params(name, settings) : NULL;
	struct bridge_opts opts;
	int rc = params ? method_check(is_bridge ? &m_bridge_add : &m_port_add, params, err)
			: err_set(err, -EINVAL, "has no settings");

	if (rc == 0 && (json_object_get(params, "lab") || json_object_get(params, "transient")))
		rc = err_set(err, -EINVAL, "a configuration has no objects of labs");
	if (rc == 0 && !name_is_plain(name))
		rc = err_set(err, -EINVAL, "is no name for a hand-made object");
	if (rc == 0)
		rc = is_bridge ? bridge_settings_check(params, &opts, err)
			       : port_settings_check(d, params, err);
	if (rc == 0 && !is_bridge)
		rc = mirror_check(name, params, err);
	for (unsigned i = 0; rc == 0 && !is_bridge && i < 2; i++) {
		const char *br = json_string_value(json_object_get(params, keys[i]));

		if (br && !json_object_get(bridges, br))
			rc = err_set(err, -EINVAL, "bridge \"%s\" is not in the configuration", br);
	}
	json_decref(params);
	if (rc < 0)
		err_prefix(err, "%s \"%.64s\"", is_bridge ? "bridge" : "port", name);
	return rc;
}

/* A mirror names ports of the configuration, or of VMs that are there. */
static int mirrored_check(struct daemon *d, const char *name, const json_t *settings, const json_t *ports,
			  struct err *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(settings, "mirror"), i, one) {
		const char *mirrored = json_string_value(one);
		struct port *p = port_find(d->sw, mirrored);

		if (!json_object_get(ports, mirrored) && (!p || owner_saved(port_owner(p))))
			return err_set(err, -EINVAL,
				       "port \"%s\": its mirror names port \"%s\", which is not in the configuration",
				       name, mirrored);
	}
	return 0;
}

/* A port that a mirror names goes, if only to be made anew: the mirror has forgotten it then. */
static bool loses_mirrored(const struct apply *a, const json_t *settings)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->steps[i].what == STEP_DEL && !a->steps[i].is_bridge &&
		    mirror_names(settings, a->steps[i].name))
			return true;
	return false;
}

static int document_check(struct daemon *d, const json_t *document, struct err *err)
{
	const json_t *bridges = json_object_get(document, "bridges");
	const json_t *ports = json_object_get(document, "ports");
	const char *name;
	json_t *settings;

	if (!json_is_object(bridges) || !json_is_object(ports) || json_object_size(document) != 2)
		return err_set(err, -EINVAL, "a configuration has bridges and ports, nothing else");
	json_object_foreach ((json_t *)bridges, name, settings) {
		struct bridge *br = bridge_find(d->sw, name);
		int rc = object_check(d, true, name, settings, NULL, err);

		if (rc < 0)
			return rc;
		if (br && !owner_saved(bridge_owner(br)))
			return err_set(err, -EEXIST, "bridge \"%s\" exists and is not hand-made",
				       name);
	}
	json_object_foreach ((json_t *)ports, name, settings) {
		struct port *p = port_find(d->sw, name);
		int rc = object_check(d, false, name, settings, bridges, err);

		if (rc < 0)
			return rc;
		if (p && !owner_saved(port_owner(p)))
			return err_set(err, -EEXIST, "port \"%s\" exists and is not hand-made",
				       name);
	}
	json_object_foreach ((json_t *)ports, name, settings) {
		int rc = mirrored_check(d, name, settings, ports, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A bridge that is to go must not have ports that stay: those of VMs. */
static int bridge_free_check(struct daemon *d, const char *name, struct err *err)
{
	struct bridge *br = bridge_find(d->sw, name);

	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		struct port_info info;

		port_info(p, &info);
		if (info.bridge != br || owner_saved(port_owner(p)))
			continue;
		err_set(err, -EBUSY,
			"bridge \"%s\" would be deleted, but port \"%s\" of a VM is on it", name,
			info.name);
		err_hint(err, "stop the VM first, or leave the bridge in the file");
		return -EBUSY;
	}
	return 0;
}

/* Steps that take away: ports first, then bridges. */
static int plan_dels(struct apply *a, const json_t *now, const json_t *want, struct err *err)
{
	const json_t *ports = json_object_get(want, "ports");
	const json_t *bridges = json_object_get(want, "bridges");
	const char *name;
	json_t *was;
	int rc = 0;

	json_object_foreach (json_object_get(now, "ports"), name, was) {
		const json_t *will = json_object_get(ports, name);

		if (rc == 0 && (!will || !port_settings_alike(was, will)))
			rc = step_add(a, STEP_DEL, false, name, was, NULL);
	}
	json_object_foreach (json_object_get(now, "bridges"), name, was) {
		if (rc < 0 || json_object_get(bridges, name))
			continue;
		rc = bridge_free_check(a->d, name, err);
		if (rc == 0)
			rc = step_add(a, STEP_DEL, true, name, was, NULL);
	}
	return rc;
}

/* Steps that add and change: bridges first, then ports. */
static int plan_adds(struct apply *a, const json_t *now, const json_t *want)
{
	static const char *const sections[] = {"bridges", "ports"};
	const char *name;
	json_t *will;
	int rc = 0;

	for (unsigned i = 0; i < 2; i++) {
		bool is_bridge = i == 0;
		const json_t *old = json_object_get(now, sections[i]);

		json_object_foreach (json_object_get(want, sections[i]), name, will) {
			const json_t *was = json_object_get(old, name);

			if (rc < 0 || (was && settings_mean_the_same(was, will) && !loses_mirrored(a, will)))
				continue;
			if (was && (is_bridge || port_settings_alike(was, will)))
				rc = step_add(a, STEP_SET, is_bridge, name, was, will);
			else
				rc = step_add(a, STEP_ADD, is_bridge, name, NULL, will);
		}
	}
	return rc;
}

int apply_plan(struct daemon *d, const json_t *document, struct apply **out, struct err *err)
{
	struct apply *a = NULL;
	json_t *now = NULL, *want = NULL;
	int rc = document_check(d, document, err);

	if (rc < 0)
		return rc;
	a = calloc(1, sizeof(*a));
	now = config_document(d);
	want = config_normal(document);
	if (!a || !now || !want) {
		rc = err_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	a->d = d;
	rc = plan_dels(a, now, want, err);
	if (rc == 0)
		rc = plan_adds(a, now, want);
	if (rc == -ENOMEM)
		err_set(err, rc, "out of memory");
out:
	json_decref(now);
	json_decref(want);
	if (rc < 0)
		apply_free(a);
	else
		*out = a;
	return rc;
}

size_t apply_n_steps(const struct apply *a)
{
	return a->n;
}

json_t *apply_plan_json(const struct apply *a, size_t plan_max_bytes)
{
	json_t *list = json_array();
	size_t n_bytes = 0;

	for (size_t i = 0; i < a->n && n_bytes < plan_max_bytes; i++) {
		const struct step *s = &a->steps[i];
		json_t *one = json_pack("{ssssss}", "do", step_words[s->what], "kind",
					s->is_bridge ? "bridge" : "port", "name", s->name);

		if (s->will)
			json_object_set(one, "settings", s->will);
		if (s->was)
			json_object_set(one, "was", s->was);
		n_bytes += json_dumpb(one, NULL, 0, JSON_COMPACT) + 1;
		json_array_append_new(list, one);
	}
	return list;
}

static bool is_uplink(const json_t *settings)
{
	const char *type = json_string_value(json_object_get(settings, "type"));

	return type && !strcmp(type, port_type_uplink.name);
}

/* One that goes may have in its hands what another one wants: then it shows later. */
unsigned apply_devices(const struct apply *a, struct device_want *wants, unsigned n_max)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->steps[i].what == STEP_DEL && is_uplink(a->steps[i].was))
			return 0;
	for (size_t i = 0; i < a->n && n < n_max; i++) {
		const struct step *s = &a->steps[i];

		if (s->what == STEP_ADD && is_uplink(s->will) && !json_is_true(json_object_get(s->will, "down")))
			device_want_read(&wants[n++], s->will);
	}
	return n;
}

/* ---- carrying out ---- */

static int object_add(struct daemon *d, bool is_bridge, const char *name, const json_t *settings,
		      struct err *err)
{
	json_t *params = config_params(name, settings);
	int rc = is_bridge ? bridge_make(d, params, err) : port_make(d, params, err);

	json_decref(params);
	return rc;
}

static int object_del(struct daemon *d, bool is_bridge, const char *name, struct err *err)
{
	struct bridge *br = is_bridge ? bridge_find(d->sw, name) : NULL;
	struct port *p = is_bridge ? NULL : port_find(d->sw, name);

	if (!br && !p)
		return err_set(err, -ENOENT, "%s \"%s\" has gone meanwhile",
			       is_bridge ? "bridge" : "port", name);
	return br ? bridge_drop(br, err) : port_drop(p, err);
}

static int object_set(struct daemon *d, bool is_bridge, const char *name, const json_t *settings,
		      struct err *err)
{
	struct bridge *br = is_bridge ? bridge_find(d->sw, name) : NULL;
	struct port *p = is_bridge ? NULL : port_find(d->sw, name);

	if (!br && !p)
		return err_set(err, -ENOENT, "%s \"%s\" has gone meanwhile",
			       is_bridge ? "bridge" : "port", name);
	return br ? bridge_change(br, settings, err) : port_change(p, settings, err);
}

static int step_do(struct daemon *d, const struct step *s, bool undo, struct err *err)
{
	const json_t *to = undo ? s->was : s->will;

	if (s->what == STEP_SET)
		return object_set(d, s->is_bridge, s->name, to, err);
	if (to)
		return object_add(d, s->is_bridge, s->name, to, err);
	return object_del(d, s->is_bridge, s->name, err);
}

/* Nobody shall take a failure for one that changed nothing. */
static void left_tell(const struct apply *a, struct err *err)
{
	const struct err was = *err;

	err_set(err, was.code, "%.220s; what was changed before that stays in part, as undoing failed too: %.90s",
		was.text, a->left.text);
	err_hint(err, "`lanyard show config` has what runs; apply a configuration once more");
}

/* The end of a: what it came to. */
static struct err result(struct apply *a)
{
	struct err err = a->err;

	if (a->n_left)
		left_tell(a, &err);
	a->d->apply = NULL;
	apply_free(a);
	return err;
}

static void finish(struct apply *a)
{
	apply_done done = a->done;
	void *arg = a->arg;
	struct err err = result(a);

	done(arg, err.code, &err);
}

enum advance { OVER, MORE, AGAIN };

/* Whether what a step needs, and may have been let go of by one before, is waited for. */
static bool is_awaited(struct apply *a, int rc)
{
	uint64_t now_ns = loop_now_ns();

	if (rc != -EAGAIN) {
		a->tried_ns = 0;
		return false;
	}
	if (!a->tried_ns)
		a->tried_ns = now_ns;
	if (now_ns - a->tried_ns < PORT_AGAIN_MAX)
		return true;
	a->tried_ns = 0;
	return false;
}

static enum advance undo(struct apply *a)
{
	struct err err = ERR_NONE;
	int rc = step_do(a->d, &a->steps[a->at - 1], true, &err);

	if (is_awaited(a, rc))
		return AGAIN;
	a->at--;
	if (rc >= 0)
		return MORE;
	LOG_ERR("switch: a change could not be undone: %s", err.text);
	if (!a->n_left++)
		a->left = err;
	return MORE;
}

/* One step forward, or back once one has failed. */
static enum advance advance(struct apply *a)
{
	struct err err = ERR_NONE;
	int rc;

	if (a->undoing)
		return a->at ? undo(a) : OVER;
	if (a->at == a->n)
		return OVER;
	rc = step_do(a->d, &a->steps[a->at], false, &err);
	if (is_awaited(a, rc))
		return AGAIN;
	a->undoing = rc < 0;
	if (rc < 0)
		a->err = err;
	else
		a->at++;
	return MORE;
}

static void slice(void *arg)
{
	struct apply *a = arg;
	uint64_t until_ns = loop_now_ns() + SLICE_NS;
	enum advance how;

	while ((how = advance(a)) != OVER)
		if ((how == AGAIN || loop_now_ns() >= until_ns) &&
		    loop_timer_add(a->d->loop, how == AGAIN ? PORT_AGAIN_NS : 0, slice, a, &a->timer) == 0)
			return;
	finish(a);
}

void apply_start(struct apply *a, apply_done done, void *arg)
{
	a->done = done;
	a->arg = arg;
	a->d->apply = a;
	slice(a);
}

int apply_run(struct apply *a, struct err *err)
{
	enum advance how;
	struct err end;

	a->d->apply = a;
	while ((how = advance(a)) != OVER)
		if (how == AGAIN)
			usleep(PORT_AGAIN_NS / 1000);
	end = result(a);
	if (end.code < 0)
		*err = end;
	return end.code;
}
