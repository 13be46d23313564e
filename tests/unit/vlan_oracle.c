/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/vlan_oracle.h"

#include <stdbool.h>
#include <string.h>

#define ADDRESSES 12
#define TAG	  4

static unsigned u16_at(const uint8_t *frame, size_t at)
{
	return frame[at] * 256u + frame[at + 1];
}

static bool is_listed(const struct vlan_policy *p, unsigned vid)
{
	return p->vids[vid / 64] & (1ull << (vid % 64));
}

static bool is_member(const struct vlan_policy *p, unsigned vid)
{
	if (p->mode == VLAN_ACCESS || p->mode == VLAN_TUNNEL)
		return vid == p->vid;
	return is_listed(p, vid) || (p->native != 0 && vid == p->native);
}

/* "The shortest frame is 14 bytes plus 4 per tag that is parsed." A tunnel parses none. */
static bool is_tagged(const struct vlan_policy *in, const uint8_t *frame, size_t len)
{
	return in->mode != VLAN_TUNNEL && len >= ADDRESSES + 2 &&
	       u16_at(frame, ADDRESSES) == 0x8100;
}

unsigned oracle_vlan(const struct vlan_policy *in, const uint8_t *frame, size_t len)
{
	bool tagged = is_tagged(in, frame, len);
	unsigned vid;

	if (len < (tagged ? 18 : 14))
		return 0;
	vid = tagged ? u16_at(frame, 14) % 4096 : 0;
	if (vid == 4095)
		return 0;
	if (in->mode == VLAN_TUNNEL)
		return in->vid;
	if (vid == 0)
		return in->mode == VLAN_ACCESS ? in->vid : in->native;
	if (in->mode == VLAN_ACCESS)
		return 0;
	return is_member(in, vid) ? vid : 0;
}

/* Whether a frame of VLAN vid, whose payload begins with `type`, leaves with a tag. */
static bool leaves_tagged(const struct vlan_policy *out, unsigned vid, unsigned type)
{
	if (out->mode == VLAN_ACCESS || out->mode == VLAN_TUNNEL)
		return false;
	if (vid != out->native)
		return true;
	return type == 0x8100 || type == 0x88a8;
}

size_t oracle_leave(const struct vlan_policy *in, const struct vlan_policy *out,
		    const uint8_t *frame, size_t len, uint8_t *left)
{
	unsigned vid = oracle_vlan(in, frame, len);

	if (vid == 0 || !is_member(out, vid))
		return 0;

	bool tagged = is_tagged(in, frame, len);
	const uint8_t *payload = frame + ADDRESSES + (tagged ? TAG : 0);
	size_t payload_len = len - ADDRESSES - (tagged ? TAG : 0);
	unsigned pcp_dei = tagged ? u16_at(frame, 14) / 4096 : 0;
	size_t n = ADDRESSES;

	memcpy(left, frame, ADDRESSES);
	if (leaves_tagged(out, vid, u16_at(payload, 0))) {
		left[n++] = 0x81;
		left[n++] = 0x00;
		left[n++] = (uint8_t)(pcp_dei * 16 + vid / 256);
		left[n++] = (uint8_t)(vid % 256);
	}
	memcpy(left + n, payload, payload_len);
	return n + payload_len;
}
