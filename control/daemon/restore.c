/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The start: what is saved, and what a predecessor that crashed left.
 *
 * How      The newest saved configuration says which hand-made objects there are and how: it is what was
 *          answered for last. A slot of the predecessor's (switch/switch.h) that has such an object gives
 *          it back with what it had agreed with its other side; one that has an object that was never
 *          saved is dropped. Objects of labs and of VMs are in their slots alone.
 *          Where there is no whole newest configuration, the slots know better, unless an apply was tried: what is
 *          in them then was never promised, and its note says what was saved. What an apply tries, and
 *          nobody has confirmed yet, comes before what is saved (control/daemon/confirm.h).
 * Threads  control only.
 * Trust    The settings of slots are checked as those of a file.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/config.h"
#include "control/daemon/confirm.h"
#include "control/daemon/kept_out.h"
#include "control/daemon/mirror.h"
#include "control/daemon/objects.h"
#include "control/daemon/owner.h"
#include "control/rpc/methods.h"

static void keep_out(struct daemon *d, const char *section, const char *name, json_t *settings,
		     const struct err *why)
{
	LOG_WARN("%s; it is kept out until the next start, or `lanyard %s`", why->text,
		 strcmp(section, "ports") ? "bridge add" : "port up");
	kept_out_add(d, section, name, settings, why->text);
}

#define PATIENCE_US 1000000 /* for all of them together */
#define PAUSE_US    1000

/* What a predecessor's slot had and could not be believed is let go of here and by the keeper, in threads of
 * their own: for a moment its socket may still be in the way. */
static int make_when_free(struct daemon *d, const json_t *params,
			  int (*make)(struct daemon *, const json_t *, struct err *),
			  unsigned *patience_us, struct err *err)
{
	int rc = make(d, params, err);

	while (((rc == -EADDRINUSE && d->restarts.last) || rc == -EAGAIN) && *patience_us) {
		usleep(PAUSE_US);
		*patience_us -= PAUSE_US;
		*err = (struct err)ERR_NONE;
		rc = make(d, params, err);
	}
	return rc;
}

static void section_restore(struct daemon *d, const json_t *document, const char *section,
			    const struct method *row,
			    int (*make)(struct daemon *, const json_t *, struct err *))
{
	unsigned patience_us = PATIENCE_US;
	const char *name;
	json_t *settings;

	json_object_foreach (json_object_get(document, section), name, settings) {
		json_t *params;
		struct err err = ERR_NONE;
		int rc;

		if (row == &m_bridge_add ? bridge_find(d->sw, name) != NULL : port_find(d->sw, name) != NULL)
			continue; /* it was left */
		params = config_params(name, settings);
		rc = method_check(row, params, &err);
		if (rc < 0)
			err_prefix(&err, "%.6s \"%s\"", section, name);
		else
			rc = make_when_free(d, params, make, &patience_us, &err);
		if (rc < 0)
			keep_out(d, section, name, settings, &err);
		json_decref(params);
	}
}

/* ---- slots ---- */

/* The parameters that make with these settings what is in a slot. */
static json_t *slot_params(const struct slot_info *slot, const json_t *settings)
{
	json_t *params = config_params(slot->name, settings);

	if (slot->lab)
		json_object_set_new(params, "lab", json_string(slot->lab));
	else if (slot->transient)
		json_object_set_new(params, "transient", json_true());
	return params;
}

static bool is_hand_made(const struct slot_info *slot)
{
	return !slot->lab && !slot->transient;
}

static void bridge_restore(struct daemon *d, unsigned i, const struct slot_info *slot, const json_t *wanted)
{
	json_t *params = slot_params(slot, wanted);
	struct err err = ERR_NONE;
	int rc = method_check(&m_bridge_add, params, &err);

	if (rc == 0)
		rc = bridge_take(d, i, params, &err);
	if (rc < 0)
		LOG_WARN("bridge \"%s\" is not taken over: %s", slot->name, err.text);
	json_decref(params);
}

static void port_restore(struct daemon *d, unsigned i, const struct slot_info *slot, const json_t *left,
			 const json_t *wanted)
{
	json_t *params = slot_params(slot, wanted);
	const char *name = json_string_value(json_object_get(params, "name"));
	struct err err = ERR_NONE;
	int rc = 0;

	if (!port_settings_alike(left, wanted))
		rc = err_set(&err, -EINVAL, "what made it was not saved");
	if (rc == 0)
		rc = method_check(&m_port_add, params, &err);
	if (rc == 0)
		rc = port_take(d, i, slot, params, &err);
	if (rc < 0)
		LOG_WARN("port \"%s\" is not taken over: %s", name, err.text); /* the slot may be empty now */
	json_decref(params);
}

/* Makes what is in one slot as it is wanted: by document, or where that says nothing, as it was left. */
static void slot_restore(struct daemon *d, unsigned i, bool is_bridge, const struct slot_info *slot,
			 const json_t *document)
{
	json_t *left = json_loads(slot->settings, 0, NULL), *wanted = left;

	if (document && is_hand_made(slot))
		wanted = json_object_get(json_object_get(document, is_bridge ? "bridges" : "ports"), slot->name);
	if (!json_is_object(left))
		LOG_WARN("%s \"%s\" is not taken over: it was not made yet", is_bridge ? "bridge" : "port",
			 slot->name);
	else if (!wanted)
		LOG_WARN("%s \"%s\" is not taken over: it was never saved", is_bridge ? "bridge" : "port",
			 slot->name);
	else if (is_bridge)
		bridge_restore(d, i, slot, wanted);
	else
		port_restore(d, i, slot, left, wanted);
	json_decref(left);
}

/* document: what is saved, or NULL when slots know better. */
static void slots_restore(struct daemon *d, const json_t *document)
{
	struct slot_info slot;

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (bridge_slot(d->sw, i, &slot))
			slot_restore(d, i, true, &slot, document);
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
		if (port_slot(d->sw, i, &slot) && !slot.second)
			slot_restore(d, i, false, &slot, document);
	/* What is made anew may need what they held, a socket's path say. */
	switch_slots_drop(d->sw);
}

int daemon_restore(struct daemon *d, struct err *err)
{
	struct err why = ERR_NONE;
	bool adopting = switch_adopting(d->sw), mended;
	json_t *document = NULL, *left, *warning;
	const json_t *wanted;
	size_t i;
	int rc = 0;

	d->kept_out = json_object();
	d->warnings = json_array();
	if (store_load(&d->store, &document, d->warnings, &why) < 0)
		LOG_ERR("switch: %s", why.text);
	json_array_foreach (d->warnings, i, warning)
		LOG_WARN("switch: %s", json_string_value(warning));
	mended = adopting && (d->store.behind || !document) && confirm_mend(d, &document);
	left = confirm_left(d);
	wanted = left ? confirm_tried(left) : document;
	if (adopting)
		slots_restore(d, d->store.behind && !left && !mended ? NULL : wanted);
	section_restore(d, wanted, "bridges", &m_bridge_add, bridge_make);
	section_restore(d, wanted, "ports", &m_port_add, port_make);
	if (d->restored)
		rc = d->restored(d->restored_arg, err);
	/* Then a successor finds all as it was. */
	if (rc < 0)
		goto out;
	switch_adopt_end(d->sw);
	config_kept_note(d);
	/* Whole again where an older one had to be taken, or there is none. */
	if (left)
		confirm_go_on(d, left);
	else if (d->store.behind || (adopting && !document))
		config_save(d, &why);
out:
	json_decref(document);
	json_decref(left);
	return rc;
}

