/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/confirm.h"

#include <errno.h>
#include <string.h>

#include "base/boot_id.h"
#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/config.h"
#include "control/daemon/events.h"

#define RETRY_NS (5 * S_NS) /* a configuration that could not be gone back to is tried again */

static void go_back(void *arg);

static void wait_until_due(struct daemon *d)
{
	uint64_t now_ns = loop_now_ns();

	loop_timer_add(d->loop, d->confirm_due_ns > now_ns ? d->confirm_due_ns - now_ns : 0,
		       go_back, d, &d->confirm_timer);
}

int confirm_begin(struct daemon *d, json_t *before, double confirm_s, struct err *err)
{
	uint64_t due_ns = loop_now_ns() + (uint64_t)(confirm_s * 1e9);
	json_t *saved = NULL, *trial = NULL;
	char boot[BOOT_ID_BYTES];
	int rc;

	boot_id(boot);
	rc = store_saved(&d->store, &saved);
	if (rc < 0)
		err_set(err, rc, "what is saved cannot be read again: %s", strerror(-rc));
	else
		trial = json_pack("{ss sI so so sO}", "boot", boot, "due_ns", (json_int_t)due_ns, "before",
				  saved, "tried", config_to_save(d), "kept", d->kept_saved);
	if (rc == 0)
		rc = trial ? store_trial_save(&d->store, trial, err)
			   : err_set(err, -ENOMEM, "out of memory");
	json_decref(trial);
	if (rc < 0) {
		json_decref(before);
		return rc;
	}
	d->before_apply = before;
	d->confirm_due_ns = due_ns;
	wait_until_due(d);
	return 0;
}

void confirm_end(struct daemon *d)
{
	store_trial_drop(&d->store);
	loop_timer_del(d->confirm_timer);
	json_decref(d->before_apply);
	d->before_apply = NULL;
}

/* ---- what a predecessor tried ---- */

static bool is_due_later(const json_t *left)
{
	json_int_t due_ns = json_integer_value(json_object_get(left, "due_ns"));
	uint64_t now_ns = loop_now_ns();

	return due_ns > 0 && (uint64_t)due_ns > now_ns &&
	       (uint64_t)due_ns - now_ns <= CONFIRM_MAX_NS;
}

static bool is_of_this_boot(const json_t *left)
{
	const char *of = json_string_value(json_object_get(left, "boot"));
	char boot[BOOT_ID_BYTES];

	boot_id(boot);
	return of && !strcmp(of, boot);
}

/* Of this start of the machine, and beside what is saved. */
static bool is_current(struct daemon *d, const json_t *left)
{
	json_t *saved = NULL;
	bool same;

	same = is_of_this_boot(left) && json_is_object(json_object_get(left, "kept")) &&
	       store_saved(&d->store, &saved) == 0 &&
	       json_equal(saved, json_object_get(left, "before"));
	json_decref(saved);
	return same;
}

/* Confirmed, by one who did not get to remove the note. */
static bool is_saved(struct daemon *d, const json_t *left)
{
	json_t *saved = NULL;
	bool same = store_saved(&d->store, &saved) == 0 && json_equal(saved, confirm_tried(left));

	json_decref(saved);
	return same;
}

bool confirm_mend(struct daemon *d, json_t **document)
{
	json_t *left = NULL, *before;
	bool good = store_trial_load(&d->store, &left, NULL) == 0 && is_of_this_boot(left);

	before = good ? json_object_get(left, "before") : NULL;
	good = json_is_object(before) && store_believe(&d->store, before) == 0;
	if (good) {
		LOG_WARN("switch: what was saved is taken from the note of the apply that awaits its confirmation");
		json_decref(*document);
		*document = json_incref(before);
	}
	json_decref(left);
	return good;
}

json_t *confirm_left(struct daemon *d)
{
	struct err err = ERR_NONE;
	json_t *left = NULL;
	int rc = store_trial_load(&d->store, &left, &err);

	if (rc == -ENOENT)
		return NULL;
	if (rc == 0 && json_is_object(confirm_tried(left)) && is_current(d, left) &&
	    is_due_later(left))
		return left;
	if (rc < 0 || !is_saved(d, left))
		LOG_WARN("switch: back at the configuration before apply, which was not confirmed%s%s",
			 rc < 0 ? ": " : "", rc < 0 ? err.text : "");
	json_decref(left);
	store_trial_drop(&d->store);
	return NULL;
}

const json_t *confirm_tried(const json_t *left)
{
	return json_object_get(left, "tried");
}

void confirm_go_on(struct daemon *d, const json_t *left)
{
	uint64_t now_ns = loop_now_ns();

	json_decref(d->kept_saved);
	d->kept_saved = json_deep_copy(json_object_get(left, "kept"));
	d->before_apply = config_saved(d);
	d->confirm_due_ns = (uint64_t)json_integer_value(json_object_get(left, "due_ns"));
	wait_until_due(d);
	LOG_INFO("switch: apply waits on for its confirmation: it goes back in %llu s",
		 (unsigned long long)(d->confirm_due_ns > now_ns ? (d->confirm_due_ns - now_ns) / S_NS : 0));
}

/* ---- nobody confirmed in time ---- */

static void on_gone_back(void *arg, int rc, struct err *err)
{
	struct daemon *d = arg;

	if (rc < 0) {
		LOG_ERR("switch: cannot go back to the configuration before apply: %s", err->text);
		loop_timer_add(d->loop, RETRY_NS, go_back, d, &d->confirm_timer);
		return;
	}
	LOG_INFO("switch: back at the configuration before apply");
	config_kept_back(d);
	events_publish(d->events, "config.rollback", "configuration",
		       json_pack("{ss}", "reason", "apply was not confirmed in time"));
	confirm_end(d);
}

static void go_back(void *arg)
{
	struct daemon *d = arg;
	struct err err = ERR_NONE;
	struct apply *a;
	int rc;

	if (d->apply) { /* a rollback is at it */
		loop_timer_add(d->loop, RETRY_NS, go_back, d, &d->confirm_timer);
		return;
	}
	rc = apply_plan(d, d->before_apply, &a, &err);
	LOG_WARN("switch: apply was not confirmed in time");
	if (rc < 0)
		on_gone_back(d, rc, &err);
	else
		apply_start(a, on_gone_back, d);
}
