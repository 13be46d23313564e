/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: which VLAN a frame enters by a port, and in which shape it leaves by one.
 *
 * What     The VLAN rules of docs/vlans.md, as two pure functions on the snapshot.
 * How      A shape is the logical frame: addresses, perhaps one tag on top, and where in the
 *          snapshot the payload's type begins. A bridge takes the tag off on entry and a port
 *          puts one on when it leaves; a link hands the shape on to the next bridge.
 * Threads  any.
 */
#ifndef SWITCH_CLASSIFY_H
#define SWITCH_CLASSIFY_H

#include "switch/frame.h"
#include "switch/view.h"

struct shape {
	uint8_t off;  /* of the payload's type in the snapshot, behind the tag if there is one */
	bool tagged;
	uint16_t tci; /* PCP, DEI and VID of the tag; PCP and DEI are kept while it is off */
	uint16_t vid; /* of the VLAN the frame is in, once it has entered a bridge */
} __attribute__((aligned(8)));

static inline uint16_t head_u16(const struct frame *f, unsigned off)
{
	return (uint16_t)(f->head[off] << 8 | f->head[off + 1]);
}

/* The shape of a frame that a port has just given. */
static inline struct shape shape_of_frame(void)
{
	return (struct shape){.off = 12};
}

/*
 * Lets a frame of shape *s enter by vp: fills s->vid. Returns FRAME_NO_DROP or an enum rx_drop.
 * s->tagged is false afterwards, s->tci holds PCP and DEI.
 */
static inline uint8_t shape_enter(struct shape *s, const struct frame *f,
				  const struct view_port *vp)
{
	const struct vlan_policy *vlan = &vp->vlan;
	uint16_t vid;

	if (vlan->mode == VLAN_TUNNEL) {
		/* A tag that a link has put on is part of the payload, and links have one policy at
		 * both ends: a tunnel never leaves tagged, so there is none. */
		s->vid = vlan->vid;
		s->tci = 0;
		return FRAME_NO_DROP;
	}
	if (!s->tagged && head_u16(f, s->off) == VLAN_TPID) {
		if (f->head_len < s->off + 2 + VLAN_TAG)
			return RX_TOO_SHORT;
		s->tagged = true;
		s->tci = head_u16(f, s->off + 2);
		s->off += VLAN_TAG;
	} else if (!s->tagged) {
		s->tci = 0;
	}
	vid = s->tagged ? s->tci & 0xfff : 0;
	s->tagged = false;
	if (vid == 4095)
		return RX_VLAN_RESERVED;
	if (vlan->mode == VLAN_ACCESS) {
		if (vid)
			return RX_VLAN_TAGGED_ON_ACCESS;
		s->vid = vlan->vid;
		return FRAME_NO_DROP;
	}
	if (!vid) {
		if (vlan->native == VLAN_NO_NATIVE)
			return RX_VLAN_NO_NATIVE;
		s->vid = vlan->native;
		return FRAME_NO_DROP;
	}
	if (!vlan_policy_carries(vlan, vid))
		return RX_VLAN_NOT_ALLOWED;
	s->vid = vid;
	return FRAME_NO_DROP;
}

/* Gives the shape in which a frame of VLAN s->vid leaves by vp, which carries that VLAN. */
static inline struct shape shape_leave(struct shape s, const struct frame *f,
				       const struct view_port *vp)
{
	const struct vlan_policy *vlan = &vp->vlan;
	uint16_t type = head_u16(f, s.off);

	if (vlan->mode != VLAN_TRUNK)
		return s;
	/* An untagged frame whose payload begins with a tag would hop into that VLAN next door. */
	if (s.vid == vlan->native && type != VLAN_TPID && type != VLAN_TPID_STAG)
		return s;
	s.tagged = true;
	s.tci = (s.tci & 0xf000) | s.vid;
	return s;
}

static inline struct delivery shape_delivery(struct shape s, const struct frame *f, unsigned i)
{
	struct delivery d = {.frame = (uint8_t)i, .off = s.off, .tagged = s.tagged, .tci = s.tci};

	if (s.tagged)
		d.as_is = s.off == 16 && head_u16(f, 12) == VLAN_TPID && head_u16(f, 14) == s.tci;
	else
		d.as_is = s.off == 12;
	return d;
}

#endif
