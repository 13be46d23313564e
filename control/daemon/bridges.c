/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/objects.h"
#include "control/daemon/owner.h"

static const struct {
	const char *word;
	uint16_t groups;
} reserved_words[] = {
	{"stp", RESERVED_STP},	 {"lacp", RESERVED_LACP}, {"eapol", RESERVED_EAPOL},
	{"lldp", RESERVED_LLDP}, {"all", RESERVED_ALL},	  {"none", 0},
};
#define N_RESERVED_WORDS (sizeof(reserved_words) / sizeof(reserved_words[0]))

/* "stp,lldp" -> groups */
static int reserved_parse(const char *text, uint16_t *groups, struct err *err)
{
	*groups = 0;
	for (const char *at = text; *at;) {
		size_t len = strcspn(at, ","), i;

		for (i = 0; i < N_RESERVED_WORDS; i++)
			if (strlen(reserved_words[i].word) == len &&
			    !strncmp(reserved_words[i].word, at, len))
				break;
		if (i == N_RESERVED_WORDS)
			return err_set(err, -EINVAL,
				       "forward-reserved \"%.60s\" is no list of stp, lldp, lacp, "
				       "eapol, or all or none",
				       text);
		*groups |= reserved_words[i].groups;
		at += len + (at[len] == ',');
	}
	return 0;
}

char *reserved_text(uint16_t groups, char *buf, size_t size)
{
	size_t len = 0;

	if (groups == RESERVED_ALL || !groups) {
		snprintf(buf, size, "%s", groups ? "all" : "none");
		return buf;
	}
	for (size_t i = 0; i < 4; i++)
		if (groups & reserved_words[i].groups)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? "," : "",
						reserved_words[i].word);
	return buf;
}

int bridge_settings_check(const json_t *settings, struct bridge_opts *opts, struct err *err)
{
	const json_t *ageing = json_object_get(settings, "ageing");
	const json_t *max_macs = json_object_get(settings, "max_macs");
	const char *reserved = json_string_value(json_object_get(settings, "forward_reserved"));

	*opts = (struct bridge_opts){.ageing_s = BRIDGE_AGEING_S, .max_macs = BRIDGE_MAX_MACS};
	/* The table's clock counts seconds: a part of one is rounded up. */
	if (ageing)
		opts->ageing_s = (uint32_t)(json_number_value(ageing) + 0.999999);
	if (max_macs)
		opts->max_macs = (uint32_t)json_integer_value(max_macs);
	opts->wire = json_is_true(json_object_get(settings, "wire"));
	return reserved ? reserved_parse(reserved, &opts->forward_reserved, err) : 0;
}

/* Its settings outlive a crash from here on, if it does. */
static int bridge_remember(struct bridge *br, const json_t *settings, struct err *err)
{
	char *text = json_dumps(settings, SETTINGS_FLAGS);
	int rc = text ? bridge_settings_set(br, text) : -ENOMEM;

	free(text);
	return rc < 0 ? err_set(err, rc, "bridge \"%s\": no memory for its settings", bridge_name(br)) : 0;
}

/* slot: of a predecessor's; -1: none. */
static int bridge_begin(struct daemon *d, int slot, const json_t *params, struct bridge **out,
			struct err *err)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct bridge_opts opts;
	struct owner *owner;
	int rc = bridge_settings_check(params, &opts, err);

	if (rc == 0)
		rc = owner_create(name, params, &owner, err);
	if (rc < 0) {
		err_prefix(err, "bridge \"%s\"", name);
		return rc;
	}
	rc = slot < 0 ? bridge_add(d->sw, name, &opts, out, err)
		      : bridge_adopt(d->sw, (unsigned)slot, out, err);
	if (rc < 0) {
		owner_free(owner);
		return rc;
	}
	bridge_user_set(*out, owner);
	bridge_owner_set(*out, owner->lab, owner->transient);
	/* Of what is left, some may be of a change that was not finished. */
	rc = slot < 0 ? 0 : bridge_set(*out, &opts, err);
	if (rc == 0)
		rc = bridge_remember(*out, owner->settings, err);
	if (rc < 0)
		bridge_drop(*out, NULL);
	return rc;
}

int bridge_make(struct daemon *d, const json_t *params, struct err *err)
{
	struct bridge *br;

	return bridge_begin(d, -1, params, &br, err);
}

int bridge_take(struct daemon *d, unsigned slot, const json_t *params, struct err *err)
{
	struct bridge *br;

	return bridge_begin(d, (int)slot, params, &br, err);
}

int bridge_drop(struct bridge *br, struct err *err)
{
	struct owner *owner = bridge_user(br);
	int rc = bridge_del(br, err);

	if (rc == 0)
		owner_free(owner);
	return rc;
}

int bridge_change(struct bridge *br, const json_t *settings, struct err *err)
{
	struct owner *owner = bridge_user(br);
	struct bridge_opts opts;
	int rc = bridge_settings_check(settings, &opts, err);

	if (rc < 0) {
		err_prefix(err, "bridge \"%s\"", bridge_name(br));
		return rc;
	}
	rc = bridge_remember(br, settings, err);
	if (rc == 0)
		rc = bridge_set(br, &opts, err);
	if (rc < 0) {
		bridge_remember(br, owner->settings, NULL);
		return rc;
	}
	settings = json_copy((json_t *)settings);
	json_decref(owner->settings);
	owner->settings = (json_t *)settings;
	return 0;
}
