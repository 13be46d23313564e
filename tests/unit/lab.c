/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int lab_group_setup(void **state)
{
	const struct eal_opts opts = {.n_workers = 4};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_WARN);
	if (eal_start(&opts, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int setup(void **state, unsigned n_workers, enum switch_mode mode)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	const struct bridge_opts bo = {.ageing_s = 300, .max_macs = 4096};
	struct switch_opts so = {.mode = mode, .n_workers = n_workers};
	struct err err = ERR_NONE;

	if (loop_create(&lab->loop) < 0)
		return -1;
	so.loop = lab->loop;
	if (switch_create(&so, &lab->sw, &err) < 0 ||
	    bridge_add(lab->sw, "br", &bo, &lab->br, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	*state = lab;
	return 0;
}

int lab_setup(void **state)
{
	return setup(state, 1, SWITCH_ADAPTIVE);
}

int lab_setup_2_workers(void **state)
{
	return setup(state, 2, SWITCH_ADAPTIVE);
}

int lab_setup_poll(void **state)
{
	return setup(state, 1, SWITCH_POLL);
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	fake_settle(lab->sw);
	sums_check(lab->sw);
	switch_destroy(lab->sw);
	loop_destroy(lab->loop);
	free(lab);
	return 0;
}

void lab_port(struct lab *lab, unsigned i, struct bridge *br, const struct vlan_policy *vlan)
{
	struct port_opts po = {.bridge = br};
	struct err err = ERR_NONE;
	char name[16];

	snprintf(name, sizeof(name), "p%u", i);
	po.name = name;
	if (vlan)
		po.vlan = *vlan;
	else
		vlan_policy_default(&po.vlan);
	if (fake_port_add(lab->sw, &po, 1, &lab->port[i], &err) < 0)
		fail_msg("%s", err.text);
}

void lab_ports(struct lab *lab, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lab_port(lab, i, lab->br, NULL);
}

struct bridge *lab_bridge(struct lab *lab, unsigned i)
{
	const struct bridge_opts o = {.ageing_s = 300, .max_macs = 4096};
	struct bridge *br;
	char name[16];

	if (!i)
		return lab->br;
	snprintf(name, sizeof(name), "br%u", i);
	br = bridge_find(lab->sw, name);
	if (!br)
		assert_int_equal(bridge_add(lab->sw, name, &o, &br, NULL), 0);
	return br;
}

struct port *lab_link(struct lab *lab, const char *name, unsigned a, unsigned b, const struct vlan_policy *vlan)
{
	struct port_opts o = {.name = name, .bridge = lab_bridge(lab, a)};
	struct err err = ERR_NONE;
	struct port *p;

	if (vlan)
		o.vlan = *vlan;
	else
		vlan_policy_default(&o.vlan);
	if (link_add(lab->sw, &o, lab_bridge(lab, b), &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

void lab_policy_set(struct lab *lab, unsigned i, struct port_policy p)
{
	assert_int_equal(port_policy_set(fake_port(lab->port[i]), &p, NULL), 0);
}

struct vlan_policy vlan_access(uint16_t vid)
{
	return (struct vlan_policy){.mode = VLAN_ACCESS, .vid = vid};
}

struct vlan_policy vlan_tunnel(uint16_t vid)
{
	return (struct vlan_policy){.mode = VLAN_TUNNEL, .vid = vid};
}

struct vlan_policy vlan_trunk(uint16_t native, const uint16_t *vids)
{
	struct vlan_policy p = {.mode = VLAN_TRUNK, .native = native};

	for (; *vids; vids++)
		vlan_set_add(p.vids, *vids);
	return p;
}

size_t frame_make(uint8_t *out, uint8_t dst, uint8_t src, int tci, size_t len)
{
	size_t at = 12;

	memset(out, 0, len);
	if (dst == 0xff)
		memset(out, 0xff, 6);
	else
		out[0] = 2;
	out[5] = dst;
	out[6] = 2;
	out[11] = src;
	if (tci >= 0) {
		out[12] = 0x81;
		out[14] = (uint8_t)(tci >> 8);
		out[15] = (uint8_t)tci;
		at += 4;
	}
	if (at + 2 <= len) {
		out[at] = 0x88;
		out[at + 1] = 0xb5;
	}
	for (size_t i = at + 2; i < len; i++)
		out[i] = (uint8_t)(i * 7 + src);
	return len;
}

void lab_send(struct lab *lab, unsigned port, uint8_t dst, uint8_t src, int tci)
{
	uint8_t f[60];

	fake_inject(lab->port[port], f, frame_make(f, dst, src, tci, sizeof(f)));
	fake_settle(lab->sw);
}

void lab_send_together(struct lab *lab, unsigned port, uint8_t f[][60], unsigned n)
{
	struct port *p = fake_port(lab->port[port]);

	assert_int_equal(port_admin_set(p, false, NULL), 0);
	for (unsigned k = 0; k < n; k++)
		fake_inject(lab->port[port], f[k], 60);
	assert_int_equal(port_admin_set(p, true, NULL), 0);
	fake_settle(lab->sw);
}

void assert_n_out(struct lab *lab, unsigned i, unsigned n)
{
	fake_settle(lab->sw);
	assert_int_equal(fake_n_out(lab->port[i]), n);
}

int out_tci(struct lab *lab, unsigned i, unsigned k)
{
	const uint8_t *f = fake_out(lab->port[i], k, NULL);

	return f[12] == 0x81 && f[13] == 0 ? f[14] << 8 | f[15] : -1;
}

struct port_counters lab_counters(struct lab *lab, unsigned i)
{
	struct port_counters c;

	port_counters_read(fake_port(lab->port[i]), &c);
	return c;
}

uint64_t lab_drops(struct lab *lab, unsigned i, enum rx_drop reason)
{
	fake_settle(lab->sw);
	return lab_counters(lab, i).rx_drops[reason];
}

bool lab_is_learned(struct lab *lab, uint8_t mac, unsigned i)
{
	struct fdb_record e[64];
	uint64_t at = 0;
	bool found = false;

	do {
		unsigned n = bridge_fdb_read(lab->br, &at, e, 64);

		for (unsigned k = 0; k < n; k++)
			found |= e[k].mac[5] == mac && e[k].port == fake_port(lab->port[i]);
	} while (at);
	return found;
}
