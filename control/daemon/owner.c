/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config.h"
#include "control/daemon/mirror.h"
#include "control/rpc/method.h"
#include "control/rpc/suggest.h"

static int name_check(const char *name, const char *lab, bool transient, struct err *err)
{
	const char *slash = strchr(name, '/');

	if (!name_is_full(name))
		return err_set(err, -EINVAL, "\"%s\" is no name for a new object", name);
	if (lab && !name_is_lab(lab))
		return err_set(err, -EINVAL, "lab \"%s\" is no name", lab);
	if (lab && (!slash || strlen(lab) != (size_t)(slash - name) ||
		    strncmp(name, lab, (size_t)(slash - name))))
		return err_set(err, -EINVAL, "an object of lab \"%s\" is named %s/…", lab, lab);
	if (!lab && slash) {
		err_set(err, -EINVAL, "names with / belong to labs");
		err_hint(err, "choose a name without /");
		return -EINVAL;
	}
	if (!transient && strchr(name, '.')) {
		err_set(err, -EINVAL, "names with a dot belong to NICs of VMs");
		err_hint(err, "choose a name without a dot");
		return -EINVAL;
	}
	return 0;
}

int owner_create(const char *name, const json_t *params, struct owner **out, struct err *err)
{
	const char *lab = json_string_value(json_object_get(params, "lab"));
	bool transient = lab || json_is_true(json_object_get(params, "transient"));
	int rc = name_check(name, lab, transient, err);
	struct owner *o;

	if (rc < 0)
		return rc;
	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	o->transient = transient;
	o->lab = lab ? strdup(lab) : NULL;
	o->settings = settings_normal(params);
	if ((lab && !o->lab) || !o->settings) {
		owner_free(o);
		return err_set(err, -ENOMEM, "out of memory");
	}
	json_object_del(o->settings, "name");
	json_object_del(o->settings, "lab");
	json_object_del(o->settings, "transient");
	*out = o;
	return 0;
}

void owner_free(struct owner *o)
{
	if (!o)
		return;
	mirror_end(o);
	json_decref(o->settings);
	free(o->lab);
	free(o);
}

const struct owner *bridge_owner(const struct bridge *br)
{
	return bridge_user(br);
}

const struct owner *port_owner(const struct port *p)
{
	return port_user(p);
}

bool owner_saved(const struct owner *o)
{
	return o && !o->transient;
}

/* The search for an object by a bare name. */
struct search {
	const char *what, *name;
	unsigned n_found;
	char found[160]; /* the candidates, for the sentence */
	char nic[SWITCH_NAME_MAX]; /* the name is a VM's: a NIC of it */
	struct suggest near;
};

/* True when full is what the bare name may mean. */
static bool search_offer(struct search *s, const char *full)
{
	const char *slash = strchr(full, '/'), *bare = slash ? slash + 1 : full;
	size_t len = strlen(s->found);

	suggest_offer(&s->near, s->name, strchr(s->name, '/') ? full : bare);
	if (!strncmp(strchr(s->name, '/') ? full : bare, s->name, strlen(s->name)) &&
	    (strchr(s->name, '/') ? full : bare)[strlen(s->name)] == '.' && !s->nic[0])
		snprintf(s->nic, sizeof(s->nic), "%s", full);
	if (!slash || strcmp(bare, s->name))
		return false;
	s->n_found++;
	snprintf(s->found + len, sizeof(s->found) - len, "%s\"%s\"", len ? ", " : "", full);
	return true;
}

static int search_failed(const struct search *s, struct err *err)
{
	if (s->n_found > 1) {
		err_set(err, -EINVAL, "%s \"%s\" may be one of %u: %s", s->what, s->name,
			s->n_found, s->found);
		err_hint(err, "give the full name");
		return -EINVAL;
	}
	err_set(err, -ENOENT, "there is no %s \"%s\"", s->what, s->name);
	if (s->nic[0])
		err_hint(err, "%s is a VM, and the port of its NIC is %s", s->name, s->nic);
	else if (s->near.best)
		err_hint(err, "did you mean \"%s\"?", s->near.best);
	return -ENOENT;
}

/* LAB/name into out; false where there is no lab, or name is a full one. */
static bool within_lab(const char *name, const char *lab, char *out, size_t size)
{
	if (!lab || strchr(name, '/'))
		return false;
	return (size_t)snprintf(out, size, "%s/%s", lab, name) < size;
}

int bridge_resolve(struct daemon *d, const char *name, const char *lab, struct bridge **out,
		   struct err *err)
{
	struct search s = {.what = "bridge", .name = name};
	char full[SWITCH_NAME_MAX];
	struct bridge *found = NULL;

	if (within_lab(name, lab, full, sizeof(full)))
		found = bridge_find(d->sw, full);
	if (!found)
		found = bridge_find(d->sw, name);
	if (found) {
		*out = found;
		return 0;
	}
	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br))
		if (search_offer(&s, bridge_name(br)))
			found = br;
	if (s.n_found != 1)
		return search_failed(&s, err);
	*out = found;
	return 0;
}

int port_resolve(struct daemon *d, const char *name, const char *lab, struct port **out,
		 struct err *err)
{
	struct search s = {.what = "port", .name = name};
	char full[SWITCH_NAME_MAX];
	struct port *found = NULL;

	if (within_lab(name, lab, full, sizeof(full)))
		found = port_find(d->sw, full);
	if (!found)
		found = port_find(d->sw, name);
	if (found) {
		*out = found;
		return 0;
	}
	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p)) {
		struct port_info info;

		port_info(p, &info);
		if (search_offer(&s, info.name))
			found = p;
	}
	if (s.n_found != 1)
		return search_failed(&s, err);
	*out = found;
	return 0;
}
