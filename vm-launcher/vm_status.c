/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_status.h"

#include <string.h>

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *nic_status(const struct vm_nic *n)
{
	json_t *ips = json_array();

	for (unsigned i = 0; i < n->n_ips; i++)
		json_array_append_new(ips, json_string(n->ips[i]));
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "name", n->name, "mac", n->mac,
			 "model", n->model, "mtu", n->mtu ? json_integer(n->mtu) : json_null(), "port",
			 text_or_null(n->port), "bridge", text_or_null(n->bridge), "link",
			 json_null(), "ips", ips, "dhcp", n->dhcp, "gateway", text_or_null(n->gateway));
}

json_t *vm_status_of_spec(const struct vm_spec *s)
{
	json_t *nics = json_array();

	for (unsigned i = 0; i < s->n_nics; i++)
		json_array_append_new(nics, nic_status(&s->nics[i]));
	return json_pack("{s:s,s:o,s:o,s:s,s:i,s:I,s:n,s:s,s:o}", "name", s->name, "lab",
			 text_or_null(s->lab), "accel", text_or_null(s->accel), "accel_reason",
			 s->accel_reason, "cpus", (int)s->cpus, "memory_bytes",
			 (json_int_t)s->memory_bytes, "user", "user_reason", "", "nics", nics);
}

bool vm_status_is_over(const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));

	return !state || !strcmp(state, "stopped") || !strcmp(state, "failed");
}
