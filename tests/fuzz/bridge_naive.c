/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/bridge_naive.h"

#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/vlan_oracle.h"

#define DEPTH_MAX  8	/* bridges that a frame goes through */
#define COPIES_MAX 4096 /* of one frame */

static struct naive_mac *mac_find(struct naive *n, unsigned bridge, unsigned vid,
				  const uint8_t mac[6])
{
	for (unsigned i = 0; i < n->n_macs; i++) {
		struct naive_mac *m = &n->macs[i];

		if (m->bridge == bridge && m->vid == vid && !memcmp(m->mac, mac, 6))
			return m;
	}
	return NULL;
}

static struct naive_mac *mac_add(struct naive *n, unsigned port, unsigned vid, const uint8_t mac[6])
{
	struct naive_mac *m = mac_find(n, n->ports[port].bridge, vid, mac);

	if (!m) {
		FUZZ_CHECK(n->n_macs < NAIVE_MACS, "too many addresses for this test");
		m = &n->macs[n->n_macs++];
		*m = (struct naive_mac){.bridge = n->ports[port].bridge, .vid = vid};
		memcpy(m->mac, mac, 6);
	}
	return m;
}

static void learn(struct naive *n, unsigned port, unsigned vid, const uint8_t mac[6])
{
	struct naive_mac *m = mac_add(n, port, vid, mac);

	if (m->is_static)
		return;
	m->port = port;
	m->seen_s = n->now_s;
}

void naive_static_add(struct naive *n, unsigned port, unsigned vid, const uint8_t mac[6])
{
	struct naive_mac *m = mac_add(n, port, vid, mac);

	m->port = port;
	m->is_static = true;
}

void naive_flush(struct naive *n, unsigned bridge)
{
	for (unsigned i = 0; i < n->n_macs;)
		if (n->macs[i].bridge == bridge && !n->macs[i].is_static)
			n->macs[i] = n->macs[--n->n_macs];
		else
			i++;
}

static bool is_reserved(const struct naive *n, unsigned bridge, const uint8_t *dst)
{
	static const uint8_t group[5] = {0x01, 0x80, 0xc2, 0, 0};

	return !memcmp(dst, group, 5) && dst[5] < 16 &&
	       !(n->forward_reserved[bridge] >> dst[5] & 1);
}

/* One frame on its way: a frame in a bridge, behind the port that it has entered by. */
struct journey {
	unsigned n_copies;
};

static bool forward(struct naive *n, struct journey *j, unsigned in, unsigned vid,
		    const uint8_t *frame, size_t len, unsigned depth);

/* One copy for port out, which the frame may leave by. */
static void offer(struct naive *n, struct journey *j, unsigned in, unsigned out,
		  const uint8_t *frame, size_t len, unsigned depth)
{
	struct naive_port *to = &n->ports[out];
	uint8_t left[NAIVE_LEN];
	size_t left_len = oracle_leave(&n->ports[in].vlan, &to->vlan, frame, len, left);
	unsigned vid;

	j->n_copies++;
	FUZZ_CHECK(left_len, "a port that does not carry the VLAN");
	if (left_len > to->len_max || !to->up)
		return;
	if (to->peer < 0) {
		FUZZ_CHECK(to->n_out < NAIVE_OUT, "too many frames for this test");
		to->out[to->n_out].len = left_len;
		memcpy(to->out[to->n_out++].bytes, left, left_len);
		return;
	}
	if (depth + 1 >= DEPTH_MAX)
		return;
	vid = oracle_vlan(&n->ports[to->peer].vlan, left, left_len);
	if (!vid || is_reserved(n, n->ports[to->peer].bridge, left))
		return;
	learn(n, (unsigned)to->peer, vid, left + 6);
	forward(n, j, (unsigned)to->peer, vid, left, left_len, depth + 1);
}

static bool carries(const struct vlan_policy *p, unsigned vid)
{
	if (p->mode != VLAN_TRUNK)
		return p->vid == vid;
	return p->native == vid || p->vids[vid / 64] >> vid % 64 & 1;
}

static bool flood(struct naive *n, struct journey *j, unsigned in, unsigned vid,
		  const uint8_t *frame, size_t len, unsigned depth)
{
	bool offered = false;

	for (unsigned i = 0; i < n->n_ports; i++) {
		const struct naive_port *p = &n->ports[i];

		if (i == in || !p->up || p->bridge != n->ports[in].bridge ||
		    !carries(&p->vlan, vid) || (p->isolated && n->ports[in].isolated))
			continue;
		if (j->n_copies >= COPIES_MAX)
			break;
		offered = true;
		offer(n, j, in, i, frame, len, depth);
	}
	return offered;
}

static bool forward(struct naive *n, struct journey *j, unsigned in, unsigned vid,
		    const uint8_t *frame, size_t len, unsigned depth)
{
	const struct naive_mac *m = mac_find(n, n->ports[in].bridge, vid, frame);

	if (m && !m->is_static && n->now_s - m->seen_s > n->ageing_s)
		m = NULL;
	if (frame[0] & 1 || !m || !carries(&n->ports[m->port].vlan, vid))
		return flood(n, j, in, vid, frame, len, depth);
	if (m->port == in || (n->ports[m->port].isolated && n->ports[in].isolated) ||
	    j->n_copies >= COPIES_MAX)
		return false;
	offer(n, j, in, m->port, frame, len, depth);
	return true;
}

bool naive_receive(struct naive *n, unsigned port, const uint8_t *frame, size_t len)
{
	static const uint8_t nobody[6];
	struct journey j = {0};
	unsigned vid;

	if (len < 14 || len > n->ports[port].len_max || frame[6] & 1 ||
	    !memcmp(frame + 6, nobody, 6))
		return false;
	vid = oracle_vlan(&n->ports[port].vlan, frame, len);
	if (!vid || is_reserved(n, n->ports[port].bridge, frame))
		return false;
	learn(n, port, vid, frame + 6);
	return forward(n, &j, port, vid, frame, len, 0);
}
