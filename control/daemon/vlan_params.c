/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/vlan_params.h"

#include <errno.h>
#include <string.h>

#include "control/rpc/vids.h"

int vlan_from_settings(const json_t *settings, struct vlan_policy *out, struct err *err)
{
	const json_t *access = json_object_get(settings, "access");
	const json_t *trunk = json_object_get(settings, "trunk");
	const json_t *native = json_object_get(settings, "native");
	const json_t *tunnel = json_object_get(settings, "tunnel");

	if (!!access + !!trunk + !!tunnel > 1)
		return err_set(err, -EINVAL, "access, trunk and tunnel exclude each other");
	if (native && (access || tunnel))
		return err_set(err, -EINVAL, "native is for trunks");
	vlan_policy_default(out);
	if (access || tunnel) {
		memset(out, 0, sizeof(*out));
		out->mode = access ? VLAN_ACCESS : VLAN_TUNNEL;
		out->vid = (uint16_t)json_integer_value(access ? access : tunnel);
		return 0;
	}
	if (trunk) {
		int rc = vids_from_json(trunk, out->vids, err);

		if (rc < 0)
			return rc;
		out->native = VLAN_NO_NATIVE;
	}
	if (native)
		out->native = (uint16_t)json_integer_value(native);
	return 0;
}

json_t *vlan_to_json(const struct vlan_policy *vlan)
{
	static const char *const modes[] = {
		[VLAN_ACCESS] = "access", [VLAN_TRUNK] = "trunk", [VLAN_TUNNEL] = "tunnel"};

	if (vlan->mode != VLAN_TRUNK)
		return json_pack("{sssisnsn}", "mode", modes[vlan->mode], "vid", (int)vlan->vid,
				 "vids", "native");
	return json_pack("{sssnsoso}", "mode", modes[vlan->mode], "vid", "vids",
			 vids_to_json(vlan->vids), "native",
			 vlan->native == VLAN_NO_NATIVE ? json_null() : json_integer(vlan->native));
}
