/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/vlan.h"

#include <errno.h>
#include <string.h>

void vlan_policy_default(struct vlan_policy *p)
{
	memset(p, 0, sizeof(*p));
	p->mode = VLAN_TRUNK;
	p->native = 1;
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++)
		vlan_set_add(p->vids, vid);
}

int vlan_policy_check(const struct vlan_policy *p, struct err *err)
{
	if (p->mode == VLAN_TRUNK) {
		if (vlan_set_has(p->vids, 0) || vlan_set_has(p->vids, 4095))
			return err_set(err, -EINVAL, "vlan %d is outside 1-%d",
				       vlan_set_has(p->vids, 0) ? 0 : 4095, VLAN_VID_MAX);
		if (p->native > VLAN_VID_MAX)
			return err_set(err, -EINVAL, "native vlan %u is outside 1-%d", p->native,
				       VLAN_VID_MAX);
		return 0;
	}
	if (p->vid < 1 || p->vid > VLAN_VID_MAX)
		return err_set(err, -EINVAL, "vlan %u is outside 1-%d", p->vid, VLAN_VID_MAX);
	return 0;
}
