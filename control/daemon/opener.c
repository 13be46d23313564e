/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/opener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/daemon/succession.h"
#include "tap/uplink.h"

#define OPENED_MAX 64
#define AGAIN_NS   (2 * S_NS) /* to the next try of a succession that was refused */
#define SHARED	   "net_af_packet" /* two of them can be in one interface */

struct device_ask {
	TAILQ_ENTRY(device_ask) entry;
	struct opener *o;
	struct device_want want;
	device_opened_fn fn; /* NULL: forgotten */
	void *arg;
};

struct opened {
	struct device_want want;
	bool beside; /* it is opened for an uplink that has it here */
	bool failed; /* … and does not open there */
};

struct opener {
	struct daemon *d;
	struct device_opener table;
	TAILQ_HEAD(, device_ask) asks; /* the first one is under way */
	uint32_t number, last_number;  /* of the question that waits for its answer; 0: none does */
	struct device_want beside;     /* what that is for, if not for the first of asks */
	bool is_beside;
	struct opened opened[OPENED_MAX];
	unsigned n_opened;
	bool is_open; /* something is there, wanted or not */
	struct loop_timer *timer;
};

/* ---- what is open there ---- */

static struct opened *opened_find(struct opener *o, const struct device_want *w)
{
	for (unsigned i = 0; i < o->n_opened; i++)
		if (device_want_same(&o->opened[i].want, w))
			return &o->opened[i];
	return NULL;
}

static void opened_add(struct opener *o, const struct device_want *w, bool beside, bool failed)
{
	struct opened *there = opened_find(o, w);

	if (!there && o->n_opened < OPENED_MAX)
		there = &o->opened[o->n_opened++];
	if (there)
		*there = (struct opened){*w, beside, failed};
}

static void opened_remove(struct opener *o, const struct device_want *w)
{
	struct opened *there = opened_find(o, w);

	if (there)
		*there = o->opened[--o->n_opened];
}

static bool has(void *arg, const struct device_want *w)
{
	const struct opened *there = opened_find(arg, w);

	return there && !there->failed;
}

static bool is_wanted(const struct opener *o)
{
	for (unsigned i = 0; i < o->n_opened; i++)
		if (!o->opened[i].beside)
			return true;
	return false;
}

/* ---- asking ---- */

static void question_send(struct opener *o, const struct device_want *w)
{
	o->number = ++o->last_number ? o->last_number : ++o->last_number;
	o->d->keeper.open(o->d->keeper.arg, o->number, w);
}

/* The next that an uplink has open here and that can be open twice. */
static bool beside_find(struct opener *o, struct device_want *w)
{
	for (struct port *p = uplink_next(NULL); p; p = uplink_next(p))
		if (!uplink_wants(p, w) && !strncmp(w->device, SHARED, strlen(SHARED)) && !opened_find(o, w))
			return true;
	return false;
}

static void next(struct opener *o)
{
	struct device_ask *a = TAILQ_FIRST(&o->asks);

	if (a && !o->number)
		question_send(o, &a->want);
}

static int ask(void *arg, const struct device_want *w, device_opened_fn fn, void *fn_arg, struct device_ask **out,
	       struct err *err)
{
	struct opener *o = arg;
	struct device_ask *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, -ENOMEM, "out of memory");
	*a = (struct device_ask){.o = o, .want = *w, .fn = fn, .arg = fn_arg};
	TAILQ_INSERT_TAIL(&o->asks, a, entry);
	if (out)
		*out = a;
	next(o);
	return 0;
}

static void forget(struct device_ask *a)
{
	a->fn = NULL;
}

/* ---- the succession ---- */

/* Why: as an administrator knows it. */
static const char *uplink_waiting(char *text, size_t size)
{
	struct device_want want;
	struct port_info info;

	for (struct port *p = uplink_next(NULL); p; p = uplink_next(p)) {
		if (!uplink_wants(p, &want))
			continue;
		port_info(p, &info);
		snprintf(text, size, "to open the device of uplink %s", info.name);
		return text;
	}
	return "to open the device of an uplink";
}

static void succession_try(void *arg)
{
	char text[SWITCH_NAME_MAX + 32];
	struct opener *o = arg;
	struct daemon *d = o->d;

	if (!is_wanted(o) || !TAILQ_EMPTY(&o->asks))
		return;
	loop_timer_del(o->timer);
	loop_timer_add(d->loop, AGAIN_NS, succession_try, o, &o->timer);
	/* Who comes now shall find the device in its port. */
	if (!d->yield_timer)
		succession_ask_soon(d, uplink_waiting(text, sizeof(text)));
}

void opener_stayed(struct opener *o)
{
	if (!o || !is_wanted(o) || !TAILQ_EMPTY(&o->asks))
		return;
	loop_timer_del(o->timer);
	loop_timer_add(o->d->loop, AGAIN_NS, succession_try, o, &o->timer);
}

/* ---- answers ---- */

static void finish(struct opener *o, int rc, const struct err *err)
{
	struct device_ask *a = TAILQ_FIRST(&o->asks);
	bool needed;

	TAILQ_REMOVE(&o->asks, a, entry);
	needed = a->fn && a->fn(a->arg, rc, err) && rc == 0;
	if (rc == 0 && !needed)
		opened_remove(o, &a->want);
	free(a);
	next(o);
	if (!TAILQ_EMPTY(&o->asks))
		return;
	if (is_wanted(o)) {
		succession_try(o);
	} else if (o->is_open) {
		o->is_open = false;
		o->n_opened = 0;
		o->d->keeper.unopen(o->d->keeper.arg);
	}
}

static void lost(struct opener *o, const char *why)
{
	LOG_INFO("switch: devices that were opened are so no more: %s", why);
	o->n_opened = 0;
	o->is_open = false;
	uplinks_again();
}

void opener_heard(struct opener *o, uint32_t number, int result, const char *text, const char *hint)
{
	struct device_ask *a = TAILQ_FIRST(&o->asks);
	struct err err = ERR_NONE;

	if (number == 0) {
		lost(o, text);
		return;
	}
	if (number != o->number || !a)
		return;
	o->number = 0;
	o->is_open |= result == 0;
	if (result < 0) {
		err_set(&err, result, "%s", text);
		err_hint(&err, "%s", hint);
	}
	if (o->is_beside)
		opened_add(o, &o->beside, true, result < 0);
	else if (result == 0)
		opened_add(o, &a->want, false, false);
	if (!o->is_beside && result < 0) {
		finish(o, result, &err);
		return;
	}
	o->is_beside = beside_find(o, &o->beside) && o->n_opened < OPENED_MAX;
	if (o->is_beside)
		question_send(o, &o->beside);
	else
		finish(o, 0, &err);
}

/* ---- several ---- */

struct trial {
	trial_fn fn;
	void *arg;
	struct opener *o;
	unsigned n, left;
	int rc;
	struct err err;
	struct device_want wants[];
};

static bool on_tried(void *arg, int rc, const struct err *err)
{
	struct trial *t = arg;
	bool needed;

	if (rc < 0 && t->rc == 0) {
		t->rc = rc;
		t->err = *err;
	}
	if (--t->left)
		return true;
	needed = t->fn(t->arg, t->rc, &t->err) && t->rc == 0;
	for (unsigned i = 0; !needed && i < t->n; i++)
		opened_remove(t->o, &t->wants[i]);
	free(t);
	return needed;
}

int opener_try(struct opener *o, const struct device_want *wants, unsigned n, trial_fn fn, void *arg, struct err *err)
{
	struct trial *t = calloc(1, sizeof(*t) + n * sizeof(*wants));
	int rc = t ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (rc < 0)
		return rc;
	*t = (struct trial){.fn = fn, .arg = arg, .o = o, .n = n};
	memcpy(t->wants, wants, n * sizeof(*wants));
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = ask(o, &wants[i], on_tried, t, NULL, err);
		t->left += rc == 0;
	}
	/* Some are asked for already: then those tell. */
	if (rc < 0 && t->left) {
		t->rc = rc;
		t->err = *err;
		return 0;
	}
	if (rc < 0)
		free(t);
	return rc;
}

void device_want_read(struct device_want *w, const json_t *settings)
{
	*w = (struct device_want){
		.n_queues = (unsigned)json_integer_value(json_object_get(settings, "queues")),
		.mtu = (uint32_t)json_integer_value(json_object_get(settings, "mtu")),
	};
	snprintf(w->device, sizeof(w->device), "%s", json_string_value(json_object_get(settings, "device")));
}

/* ---- begin and end ---- */

int opener_create(struct daemon *d, struct opener **out)
{
	struct opener *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->d = d;
	o->table = (struct device_opener){.ask = ask, .forget = forget, .has = has, .arg = o};
	TAILQ_INIT(&o->asks);
	*out = o;
	return 0;
}

void opener_destroy(struct opener *o)
{
	struct err err = ERR_NONE;
	struct device_ask *a;

	if (!o)
		return;
	err_set(&err, -ESHUTDOWN, "the switch is about to end");
	while ((a = TAILQ_FIRST(&o->asks))) {
		TAILQ_REMOVE(&o->asks, a, entry);
		if (a->fn)
			a->fn(a->arg, err.code, &err);
		free(a);
	}
	loop_timer_del(o->timer);
	free(o);
}

const struct device_opener *opener_table(const struct opener *o)
{
	return &o->table;
}

bool opener_busy(const struct opener *o)
{
	return o && !TAILQ_EMPTY(&o->asks);
}
