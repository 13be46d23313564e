/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/kept_out.h"

#include <string.h>

#include "control/daemon/owner.h"
#include "control/daemon/page.h"
#include "control/daemon/policy_params.h"
#include "control/daemon/vlan_params.h"

static void put(json_t **map, const char *section, const char *name, json_t *value)
{
	json_t *of;

	if (!*map)
		*map = json_object();
	of = json_object_get(*map, section);
	if (!of) {
		of = json_object();
		json_object_set_new(*map, section, of);
	}
	json_object_set(of, name, value);
}

void kept_out_add(struct daemon *d, const char *section, const char *name, json_t *settings, const char *why)
{
	json_t *text = json_text(why);

	put(&d->kept_out, section, name, settings);
	put(&d->kept_why, section, name, text);
	json_decref(text);
}

json_t *kept_out_find(const struct daemon *d, const char *section, const char *name)
{
	return json_object_get(json_object_get(d->kept_out, section), name);
}

const char *kept_out_why(const struct daemon *d, const char *section, const char *name)
{
	const char *why = json_string_value(json_object_get(json_object_get(d->kept_why, section), name));

	return why ? why : "it could not be made at start";
}

static json_t *no_counters(void)
{
	json_t *rx = json_object(), *tx = json_object();

	for (unsigned i = 0; i < N_RX_DROPS; i++)
		json_object_set_new(rx, rx_drop_names[i], json_integer(0));
	for (unsigned i = 0; i < N_TX_DROPS; i++)
		json_object_set_new(tx, tx_drop_names[i], json_integer(0));
	return json_pack("{si si si si si so so}", "rx_frames", 0, "rx_bytes", 0, "rx_forwarded", 0, "tx_frames", 0,
			 "tx_bytes", 0, "rx_drops", rx, "tx_drops", tx);
}

static json_t *text_or_null(const json_t *settings, const char *key)
{
	const char *text = json_string_value(json_object_get(settings, key));

	return text ? json_text(text) : json_null();
}

json_t *kept_out_port_json(const struct daemon *d, const char *name)
{
	static const char *const own_keys[] = {"device", "ifname", "netns", "address", "peer"};
	const json_t *settings = kept_out_find(d, "ports", name), *mtu = json_object_get(settings, "mtu");
	struct port_policy policy = {0};
	struct vlan_policy vlan;
	json_t *out;

	if (!settings)
		return NULL;
	/* What was refused may be its VLANs or its guard. */
	if (vlan_from_settings(settings, &vlan, NULL) < 0)
		vlan_from_settings(NULL, &vlan, NULL);
	if (policy_from_settings(settings, &policy, NULL) < 0)
		memset(&policy, 0, sizeof(policy));
	out = json_pack("{ss so so so ss so so so so si s[] so}", "name", name, "lab", json_null(), "type",
			text_or_null(settings, "type"), "bridge", text_or_null(settings, "bridge"), "state",
			port_state_name(PORT_ERRORED), "reason",
			json_sprintf("kept out: %s", kept_out_why(d, "ports", name)), "path",
			text_or_null(settings, "path"), "vlan", vlan_to_json(&vlan), "mtu",
			json_is_integer(mtu) ? json_copy((json_t *)mtu) : json_null(), "queues", 0, "features",
			"counters", no_counters());
	json_object_set_new(out, "carrier", json_false());
	json_object_set_new(out, "transient", json_false());
	json_object_set_new(out, "kept_out", json_true());
	policy_to_json(&policy, out);
	for (unsigned i = 0; i < sizeof(own_keys) / sizeof(own_keys[0]); i++)
		if (json_object_get(settings, own_keys[i]))
			json_object_set_new(out, own_keys[i], text_or_null(settings, own_keys[i]));
	return out;
}

json_t *kept_out_port_nth(const struct daemon *d, size_t i)
{
	const char *name;
	json_t *settings;

	json_object_foreach (json_object_get(d->kept_out, "ports"), name, settings)
		if (!i--)
			return kept_out_port_json(d, name);
	return NULL;
}

json_t *kept_out_json(const struct daemon *d)
{
	static const char *const sections[] = {"bridges", "ports"}, *const kinds[] = {"bridge", "port"};
	json_t *list = json_array(), *settings;
	const char *name;

	for (unsigned i = 0; i < 2; i++)
		json_object_foreach (json_object_get(d->kept_out, sections[i]), name, settings)
			json_array_append_new(list, json_pack("{ss ss ss}", "kind", kinds[i], "name", name, "reason",
							      kept_out_why(d, sections[i], name)));
	return list;
}
