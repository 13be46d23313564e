/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/hostile_scene.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/port.h"

#define IN_FLIGHT  128
#define BY_WAIT_NS (5 * S_NS)
#define BY_FRAMES  2000 /* that must have passed after an attack */
#define BY_VLAN	   10

static uint32_t frame_number(uint8_t *f, uint64_t seq)
{
	uint32_t len = 60 + (uint32_t)(seq * 37 % 1455);

	memset(f, (int)(seq & 0xff), len);
	memcpy(f, "\x02\0\0\0\0\x77\x02\0\0\0\0\x66\x88\xb5", 14);
	memcpy(f + 14, &seq, sizeof(seq));
	return len;
}

static void *bystand(void *arg)
{
	uint8_t f[2048], want[2048], got[2048];
	struct scene *s = arg;
	uint64_t sent = 0, passed = 0, last_ns = loop_now_ns();

	while (!s->wrong[0] && !(atomic_load(&s->stop) && sent == passed)) {
		int n;

		if (sent - passed < IN_FLIGHT && !atomic_load(&s->stop) &&
		    fe_send(s->from, 0, f, frame_number(f, sent)))
			sent++;
		n = fe_recv(s->to, 0, got, sizeof(got));
		if (n < 0) {
			if (loop_now_ns() - last_ns > BY_WAIT_NS && sent != passed)
				snprintf(s->wrong, sizeof(s->wrong), "frame %lu is lost", passed);
			sched_yield();
			continue;
		}
		if ((uint32_t)n != frame_number(want, passed) || memcmp(got, want, (size_t)n))
			snprintf(s->wrong, sizeof(s->wrong), "not frame %lu has come", passed);
		atomic_store(&s->n_passed, ++passed);
		last_ns = loop_now_ns();
	}
	return NULL;
}

static unsigned fds_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

struct vlan_change {
	unsigned port;
	uint16_t vid;
};

static void vlan_change(struct rig *rig, void *arg)
{
	const struct vlan_change *c = arg;
	const struct vlan_policy p = {.mode = VLAN_ACCESS, .vid = c->vid};
	char name[16];

	snprintf(name, sizeof(name), "v%u", c->port);
	port_vlan_set(port_find(rig_switch(rig), name), &p, NULL);
}

void scene_vlan_set(struct rig *rig, unsigned port, uint16_t vid)
{
	rig_call(rig, vlan_change, &(struct vlan_change){port, vid});
}

struct scene *scene_open(struct rig *rig)
{
	struct scene *s = calloc(1, sizeof(*s)); /* a test that fails leaves the thread behind */

	s->rig = rig;
	s->from = rig_port(rig, 6, (struct fe_opts){0});
	s->to = rig_port(rig, 7, (struct fe_opts){0});
	scene_vlan_set(rig, 6, BY_VLAN);
	scene_vlan_set(rig, 7, BY_VLAN);
	s->path = rig_port_add(rig, 0, true);
	scene_vlan_set(rig, 0, ATTACK_VLAN);
	s->n_fds = fds_count();
	pthread_create(&s->thread, NULL, bystand, s);
	return s;
}

void scene_close(struct scene *s)
{
	uint64_t until = atomic_load(&s->n_passed) + BY_FRAMES, end_ns;

	rig_port_admin(s->rig, 0, true); /* no waiting after a violation */
	rig_await(s->rig, 0, PORT_WAITING);
	while (atomic_load(&s->n_passed) < until && !s->wrong[0])
		usleep(100);
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	if (s->wrong[0])
		fail_msg("bystanders: %s", s->wrong);
	for (unsigned i = 6; i < 8; i++) {
		struct port_counters c = rig_counters(s->rig, i);

		assert_int_equal(rig_state(s->rig, i), PORT_UP);
		assert_int_equal(c.rx_frames, c.rx_forwarded);
		for (unsigned k = 0; k < N_TX_DROPS; k++)
			assert_int_equal(c.tx_drops[k], 0);
	}
	/* Fewer, where those of the test before were still being closed when they were counted. */
	for (end_ns = loop_now_ns() + S_NS; fds_count() > s->n_fds && loop_now_ns() < end_ns;)
		usleep(1000);
	assert_true(fds_count() <= s->n_fds);
	fe_close(s->from);
	fe_close(s->to);
	free(s);
}

struct fe *scene_attack(struct scene *s, struct fe_opts o)
{
	struct err err = ERR_NONE;
	struct fe *fe;

	o.path = s->path;
	if (fe_open(&o, &fe, &err) < 0)
		fail_msg("%s", err.text);
	if (!o.no_rings && !o.no_handshake)
		rig_await(s->rig, 0, PORT_UP);
	return fe;
}

void scene_await(struct scene *s, enum port_state state, const char *reason)
{
	rig_await(s->rig, 0, state);
	if (!strstr(rig_reason(s->rig, 0), reason))
		fail_msg("\"%s\" does not say \"%s\"", rig_reason(s->rig, 0), reason);
}
