/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that are wrong on the network: addresses without end, others' addresses, tags, storms.
 *
 * The bystander's ports are on the same bridge and share its table with the attacker.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define RANDOM_MACS 1000000
#define CHOSEN_MACS 10000
#define LISTENER    "evil2"

/* Its own address, entered by hand so that it stays: what it sends there goes nowhere, but is learned. */
static void known_make(struct scene *s)
{
	json_decref(evil_call(
		s, "fdb.add",
		json_pack("{ss ss si ss}", "mac", "02:00:00:00:e0:01", "bridge", EVIL_BRIDGE,
			  "vlan", s->c->port ? BYSTANDER_VLAN : EVIL_VLAN, "port", EVIL_PORT)));
}

static void send_from(struct fe *fe, const uint8_t src[6])
{
	uint8_t f[60] = EVIL_MAC EVIL_MAC "\x88\xb6";

	memcpy(f + 6, src, 6);
	while (!fe_send(fe, 0, f, sizeof(f)))
		sched_yield();
}

/* Frames of the bystander that reach a third port of its VLAN: those that were flooded. */
static unsigned flooded(struct fe *listener)
{
	uint8_t f[65536];
	unsigned n = 0;
	int len;

	while ((len = fe_recv(listener, 0, f, sizeof(f))) >= 0)
		n += len >= 14 && !memcmp(f + 12, "\x88\xb5", 2);
	return n;
}

static uint64_t next_random(uint64_t *r)
{
	*r = *r * 6364136223846793005ull + 1442695040888963407ull;
	return *r >> 16;
}

static uint32_t crc32_of(uint64_t mac)
{
	uint32_t crc = ~0u;

	for (unsigned i = 0; i < 6; i++) {
		crc ^= (uint32_t)(mac >> 8 * i) & 0xff;
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

enum { A_RANDOM, A_COLLIDING };

/* More addresses than the table has places. The bystander's stay in it. */
static void macs(struct scene *s)
{
	struct fe *listener =
		evil_neighbour(s, LISTENER, BYSTANDER_VLAN, (struct fe_opts){.ring_size = 1024});
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint64_t r = 1, mac, end_ns = loop_now_ns() + 20 * S_NS;
	unsigned n = s->c->arg == A_RANDOM ? RANDOM_MACS : CHOSEN_MACS, k = 0, n_flooded;

	known_make(s);
	usleep(50000);
	flooded(listener);
	while (k < n && loop_now_ns() < end_ns) {
		mac = (next_random(&r) & 0xfffffffffffcull) | 2;
		mac &= ~1ull; /* no group address */
		if (s->c->arg == A_COLLIDING && (crc32_of(mac) & 0x3ff) != 0x155)
			continue;
		send_from(fe, (const uint8_t *)&mac);
		k++;
	}
	raw_used(fe, TX_RING);
	usleep(50000);
	n_flooded = flooded(listener);
	if (k < n)
		evil_fail(s, "only %u addresses in 20 s", k);
	if (n_flooded)
		evil_fail(s, "%u of the bystander's frames were flooded", n_flooded);
	/* All were received, or this says nothing. */
	evil_await_counter(s, EVIL_PORT, "rx_frames", n);
}

/* The address of somebody with a guard, from a port without one; and another's from a port with one. */
static void stolen(struct scene *s)
{
	static const uint8_t owned[] = "\x02\0\0\0\xe0\7";
	struct fe *victim = evil_neighbour_with(
		s, LISTENER, EVIL_VLAN, "\"guard\": \"mac\", \"mac\": \"02:00:00:00:e0:07\"",
		(struct fe_opts){0});
	struct fe *friend = evil_neighbour(s, "evil3", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint8_t f[65536] = "\x02\0\0\0\xe0\x08\x02\0\0\0\xe0\7\x88\xb6";
	unsigned n_received = 0;

	fe_send(victim, 0, f, 60);
	for (unsigned i = 0; i < 100; i++)
		send_from(fe, owned);
	evil_await_counter(s, EVIL_PORT, s->c->arg ? "rx_drops.guard_mac" : "rx_drops.mac_owned",
			   100);
	/* What is for the victim still comes to it. */
	memcpy(f, "\x02\0\0\0\xe0\x07\x02\0\0\0\xe0\x08\x88\xb6", 14);
	for (unsigned i = 0; i < 10; i++)
		fe_send(friend, 0, f, 60);
	for (uint64_t end_ns = loop_now_ns() + 5 * S_NS; n_received < 10 && loop_now_ns() < end_ns;)
		n_received += fe_recv(victim, 0, f, sizeof(f)) >= 0;
	if (n_received < 10)
		evil_fail(s, "%u of ten frames for the victim came to it", n_received);
}

/* Two ports that claim one address in turn. */
static void moves(struct scene *s)
{
	struct fe *other = evil_neighbour(s, LISTENER, EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint64_t start_ns = loop_now_ns();
	uint8_t f[60] = BROADCAST "\x02\0\0\0\xe0\x09\x88\xb6", got[65536];
	unsigned n = 0;

	while (n < 10000 && loop_now_ns() - start_ns < 10 * S_NS) {
		if (loop_now_ns() - start_ns < n * 100000ull)
			continue;
		if (fe_send(n % 2 ? fe : other, 0, f, sizeof(f)))
			n++;
		while (fe_recv(n % 2 ? fe : other, 0, got, sizeof(got)) >= 0)
			;
	}
	if (n < 10000)
		evil_fail(s, "only %u moves in 10 s", n);
}

/* [99][10] from a port whose native VLAN is 99, to a trunk whose native VLAN is 99: without the outer tag it
 * would arrive in VLAN 10. */
static void double_tag(struct scene *s)
{
	struct fe *trunk = evil_neighbour_with(
		s, LISTENER, EVIL_VLAN, "\"access\": null, \"trunk\": \"10,99\", \"native\": 99",
		(struct fe_opts){.ring_size = 1024});
	struct fe *inside =
		evil_neighbour(s, "evil3", BYSTANDER_VLAN, (struct fe_opts){.ring_size = 1024});
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	static const uint8_t head[] = BROADCAST EVIL_MAC "\x81\0\0\x63\x81\0\0\x0a\x88\xb6";
	uint8_t f[65536] = {0};
	uint64_t end_ns = loop_now_ns() + 300 * MS_NS;
	unsigned n_trunk = 0;
	int len;

	memcpy(f, head, sizeof(head) - 1);
	for (unsigned i = 0; i < 20; i++)
		fe_send(fe, 0, f, 68);
	while (loop_now_ns() < end_ns) {
		while ((len = fe_recv(trunk, 0, f, sizeof(f))) >= 0) {
			if (memcmp(f + 6, EVIL_MAC, 6))
				continue;
			n_trunk++;
			if (memcmp(f, head, sizeof(head) - 1))
				evil_fail(s, "the trunk got it with type %02x%02x, VLAN %u", f[12],
					  f[13], f[15]);
		}
		while ((len = fe_recv(inside, 0, f, sizeof(f))) >= 0)
			if (!memcmp(f + 6, EVIL_MAC, 6))
				evil_fail(s, "it got into VLAN 10");
		usleep(500);
	}
	if (n_trunk != 20)
		evil_fail(s, "%u of 20 frames came to the trunk", n_trunk);
}

/* Tagged with the bystander's VLAN, from an access port. */
static void foreign_tag(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint8_t f[64] = BROADCAST EVIL_MAC "\x81\0\0\x0a\x88\xb6";

	for (unsigned i = 0; i < 20; i++)
		fe_send(fe, 0, f, sizeof(f));
	evil_await_counter(s, EVIL_PORT, "rx_drops.vlan_tagged_on_access", 20);
}

/* Broadcast as fast as it goes, to four others who read and one who does not. */
static void storm(struct scene *s)
{
	struct fe *others[4], *fe;
	uint64_t end_ns = loop_now_ns() + S_NS;
	uint8_t f[60] = BROADCAST EVIL_MAC "\x88\xb6", got[65536];

	for (unsigned i = 0; i < 4; i++) {
		char name[] = {'e', 'v', 'i', 'l', (char)('2' + i), 0};

		others[i] = evil_neighbour(s, name, EVIL_VLAN, (struct fe_opts){0});
	}
	fe = evil_attacker(s, (struct fe_opts){0});
	while (loop_now_ns() < end_ns) {
		while (fe_send(fe, 0, f, sizeof(f)))
			;
		for (unsigned i = 0; i < 3; i++)
			while (fe_recv(others[i], 0, got, sizeof(got)) >= 0)
				;
	}
	if (s->c->arg)
		evil_await_counter(s, EVIL_PORT, "rx_drops.storm", 1);
	else
		evil_await_counter(s, "evil5", "tx_drops.rx_ring_full", 1);
}

const struct evil_case evil_network[] = {
	{"macs-random", "10^6 random source addresses from one port",
	 "none of the bystander's frames is flooded: a port pushes out its own addresses only",
	 macs, "up", NULL, A_RANDOM},
	{"macs-random-same-vlan", "10^6 random source addresses in the bystander's own VLAN",
	 "none of the bystander's frames is flooded", macs, "up", NULL, A_RANDOM, false,
	 "\"access\": 10"},
	{"macs-colliding", "10^4 source addresses that collide under a CRC",
	 "none of the bystander's frames is flooded: the hash has a secret", macs, "up", NULL,
	 A_COLLIDING},
	{"mac-owned", "frames with the address of a guarded neighbour",
	 "they are dropped as mac_owned; what is for the neighbour comes to it", stolen, "up", NULL,
	 0},
	{"mac-of-another", "frames with a neighbour's address from a guarded port",
	 "they are dropped as guard_mac", stolen, "up", NULL, 1, false,
	 "\"guard\": \"mac\", \"mac\": \"02:00:00:00:e0:01\""},
	{"mac-moves", "an address that moves 10^4 times a second", "nobody else waits", moves, "up",
	 NULL},
	{"double-tag", "two tags, the outer one of the native VLAN",
	 "a trunk gets it with both: no frame gets into the inner VLAN", double_tag, "up", NULL, 0,
	 false, "\"access\": null, \"trunk\": \"99\", \"native\": 99"},
	{"foreign-tag", "frames tagged with another VLAN from an access port",
	 "they are dropped as vlan_tagged_on_access", foreign_tag, "up", NULL},
	{"storm", "broadcasts as fast as they go for a second, to a neighbour who does not read",
	 "what finds no room is dropped as rx_ring_full; nobody else waits", storm, "up", NULL, 0},
	{"storm-limited", "the same from a port with a limit of 100 a second",
	 "the others are dropped as storm", storm, "up", NULL, 1, false, "\"storm\": 100"},
	{0},
};
