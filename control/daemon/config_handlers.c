/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/config.h"
#include "control/daemon/confirm.h"
#include "control/daemon/events.h"
#include "control/daemon/handlers.h"
#include "control/daemon/opener.h"
#include "control/daemon/page.h"

#define PAGE_OBJECTS   500
#define PLAN_MAX_BYTES (150 * 1024)
#define DEVICES_MAX    32 /* uplinks */

int changes_allowed(const struct daemon *d, struct err *err)
{
	if (d->apply)
		return err_set(err, -EBUSY, "an apply is under way");
	if (d->before_apply) {
		err_set(err, -EBUSY, "an apply waits to be confirmed");
		err_hint(err, "`lanyard confirm` keeps it, `lanyard rollback` undoes it");
		return -EBUSY;
	}
	return 0;
}

int do_config_list(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	static const char *const sections[] = {"bridges", "ports"};
	json_t *document = config_document(rpc_ctx(call)), *settings;
	size_t at = page_position(params), i = 0;
	bool more = false;
	const char *name;
	struct page page;
	char cursor[24];

	page_begin(&page, params, PAGE_OBJECTS);
	for (unsigned s = 0; s < 2 && !more; s++)
		json_object_foreach (json_object_get(document, sections[s]), name, settings) {
			if (i >= at && !page_has_room(&page)) {
				more = true;
				break;
			}
			if (i++ >= at)
				page_add(&page, json_pack("{sssssO}", "section", sections[s],
							  "name", name, "settings", settings));
		}
	json_decref(document);
	snprintf(cursor, sizeof(cursor), "%zu", i);
	*result = page_end(&page, more ? cursor : NULL);
	return 0;
}

/* ---- apply ---- */

/* A call that waits for its apply. */
struct waiting {
	struct daemon *d;
	struct rpc_call *call;
	json_t *result, *before;
	json_t *kept_out; /* of the start; an apply decides about it too */
	double confirm_s;
	bool back;	/* a rollback, for the event */
	bool goes_back; /* to what was before an apply that awaits its confirmation */
	bool undone;	/* what was applied could not be saved, for err */
	struct err err;
};

static void on_applied(void *arg, int rc, struct err *err);

/* Back to what was before what cannot be saved. False when there is no way. */
static bool undo_unsaved(struct waiting *w, struct err *err)
{
	struct err why = ERR_NONE;
	struct apply *a;

	if (apply_plan(w->d, w->before, &a, &why) < 0) {
		err_prefix(err, "the changes are in effect until the next start");
		LOG_ERR("switch: changes that cannot be saved cannot be undone: %s", why.text);
		return false;
	}
	w->undone = true;
	w->err = *err;
	apply_start(a, on_applied, w);
	return true;
}

/* Of what could not be saved, once it has been undone, or (rc) has not. */
static void unsaved_tell(struct err *unsaved, int rc, const struct err *err)
{
	if (rc == 0) {
		err_prefix(unsaved, "nothing was changed");
		return;
	}
	LOG_ERR("switch: changes that cannot be saved cannot be undone: %s", err->text);
	err_prefix(unsaved, "the changes are in effect until the next start, at least in part");
	err_hint(unsaved, "they could not be undone: %.200s", err->text);
}

static void on_applied(void *arg, int rc, struct err *err)
{
	struct waiting *w = arg;

	/* Before anything is said: what cannot be saved is undone as any other failure. */
	if (rc == 0 && !w->undone) {
		rc = w->confirm_s > 0 ? confirm_begin(w->d, json_incref(w->before), w->confirm_s, err)
				      : config_save(w->d, err);
		if (rc < 0 && undo_unsaved(w, err))
			return;
	}
	if (w->undone)
		unsaved_tell(&w->err, rc, err);
	if (rc < 0 || w->undone) {
		json_decref(w->d->kept_out);
		w->d->kept_out = json_incref(w->kept_out);
		json_decref(w->result);
		rpc_fail(w->call, w->undone ? &w->err : err);
	} else {
		/* What is gone back to is what is saved; until then the timer stays armed. */
		if (w->goes_back)
			confirm_end(w->d);
		events_publish(w->d->events, w->back ? "config.rollback" : "config.apply",
			       "configuration",
			       json_pack("{sOsO}", "changes",
					 json_object_get(w->result, "n_changes"), "confirm_s",
					 json_object_get(w->result, "confirm_s")));
		rpc_reply(w->call, w->result);
	}
	json_decref(w->before);
	json_decref(w->kept_out);
	free(w);
}

/* Plans the way to document; answers at once when there is nothing to do or dry, else later. */
static int apply_now(struct rpc_call *call, const json_t *document, bool dry, bool back,
		     double confirm_s, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct waiting *w;
	struct apply *a;
	json_t *answer;
	int rc = apply_plan(d, document, &a, err);

	if (rc < 0)
		return rc;
	answer = json_pack("{sososb}", "plan", apply_plan_json(a, PLAN_MAX_BYTES), "n_changes",
			   json_integer((json_int_t)apply_n_steps(a)), "applied", !dry);
	w = dry ? NULL : calloc(1, sizeof(*w));
	if (!w) {
		apply_free(a);
		*result = answer;
		return dry ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	w->d = d;
	w->call = call;
	w->result = answer;
	w->before = config_document(d);
	w->kept_out = d->kept_out;
	w->confirm_s = apply_n_steps(a) ? confirm_s : 0;
	w->back = back;
	w->goes_back = d->before_apply && document == d->before_apply;
	d->kept_out = w->goes_back ? json_deep_copy(d->kept_saved) : json_object();
	json_object_set_new(answer, "confirm_s",
			    w->confirm_s > 0 ? json_real(w->confirm_s) : json_null());
	apply_start(a, on_applied, w);
	return RPC_DEFERRED;
}

/* A call that waits for devices (control/daemon/opener.h). */
struct trial {
	struct rpc_call *call;
	json_t *document;
	bool back;
	double confirm_s;
};

static bool on_tried(void *arg, int rc, struct err *err)
{
	struct trial *t = arg;
	json_t *result = NULL;

	/* Anew, as others may have changed something since. */
	if (rc == 0 && !t->back)
		rc = changes_allowed(rpc_ctx(t->call), err);
	if (rc == 0)
		rc = apply_now(t->call, t->document, false, t->back, t->confirm_s, &result, err);
	if (rc < 0)
		rpc_fail(t->call, err);
	else if (rc == 0)
		rpc_reply(t->call, result);
	json_decref(t->document);
	free(t);
	return rc >= 0;
}

static int apply_later(struct rpc_call *call, const json_t *document, bool back, double confirm_s,
		       const struct device_want *wants, unsigned n, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct trial *t;
	int rc;

	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	*t = (struct trial){call, json_incref((json_t *)document), back, confirm_s};
	rc = opener_try(d->opener, wants, n, on_tried, t, err);
	if (rc == 0)
		return RPC_DEFERRED;
	json_decref(t->document);
	free(t);
	return rc;
}

static int apply_call(struct rpc_call *call, const json_t *document, bool dry, bool back,
		      double confirm_s, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct device_want *wants;
	struct apply *a;
	unsigned n = 0;
	int rc = 0;

	if (dry || !d->opener)
		return apply_now(call, document, dry, back, confirm_s, result, err);
	wants = calloc(DEVICES_MAX, sizeof(*wants));
	if (!wants)
		return err_set(err, -ENOMEM, "out of memory");
	rc = apply_plan(d, document, &a, err);
	if (rc == 0) {
		n = apply_devices(a, wants, DEVICES_MAX);
		apply_free(a);
	}
	if (rc == 0 && n)
		rc = apply_later(call, document, back, confirm_s, wants, n, err);
	free(wants);
	return rc || n ? rc : apply_now(call, document, dry, back, confirm_s, result, err);
}

int do_config_apply(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	bool dry = json_is_true(json_object_get(params, "dry_run"));
	int rc = dry ? 0 : changes_allowed(rpc_ctx(call), err);

	if (rc < 0)
		return rc;
	return apply_call(call, json_object_get(params, "document"), dry, false,
			  json_number_value(json_object_get(params, "confirm")), result, err);
}

int do_config_confirm(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	int rc;

	if (!d->before_apply)
		return err_set(err, -ENOENT, "nothing waits to be confirmed");
	if (d->apply) /* half of it would be kept */
		return err_set(err, -EBUSY, "too late: the switch is going back already");
	rc = config_save(d, err);
	if (rc < 0)
		return rc; /* it waits on, and goes back when its time is over */
	confirm_end(d);
	events_publish(d->events, "config.confirm", "configuration", NULL);
	return 0;
}

int do_config_rollback(struct rpc_call *call, const json_t *params, json_t **result,
		       struct err *err)
{
	const json_t *n = json_object_get(params, "n");
	struct daemon *d = rpc_ctx(call);
	json_t *document = NULL;
	int rc = 0;

	if (d->apply)
		return changes_allowed(d, err);
	if (d->before_apply && !n)
		return apply_call(call, d->before_apply, false, true, 0, result, err);
	rc = changes_allowed(d, err);
	if (rc == 0 && d->store.dir_fd < 0)
		rc = err_set(err, -ENOENT, "nothing is saved");
	if (rc == 0)
		rc = store_read(&d->store, n ? (unsigned)json_integer_value(n) : 1, &document, err);
	if (rc == 0)
		rc = apply_call(call, document, false, true, 0, result, err);
	json_decref(document);
	return rc;
}
