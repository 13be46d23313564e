/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No frame of one VLAN comes out of another VLAN's port.
 *
 * How      Every port mode in `modes` receives every form of tags that three levels of `tags`
 *          make; a port of every mode listens. What comes out of each must be, byte for byte and
 *          in order, what the oracle (tests/unit/vlan_oracle.h, written from the rules' text)
 *          says; and, oracle or not, a frame that leaves a port must belong to that port's VLANs.
 *          Frames are numbered, so that one too many, too few or changed shows.
 */
#include "tests/unit/lab.h"

#include <string.h>

#include "tests/unit/vlan_oracle.h"

#define BATCH	     16 /* frames between two looks; fewer than any queue on the way holds */
#define FRAME_LEN    64
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct range {
	uint16_t lo, hi;
};

struct mode {
	const char *name;
	enum vlan_mode mode;
	uint16_t vid, native;
	struct range listed[2];
};

static const struct mode modes[] = {
	{"access-1", VLAN_ACCESS, .vid = 1},
	{"access-10", VLAN_ACCESS, .vid = 10},
	{"access-20", VLAN_ACCESS, .vid = 20},
	{"access-4094", VLAN_ACCESS, .vid = 4094},
	{"default", VLAN_TRUNK, .native = 1, .listed = {{1, 4094}}},
	{"all-no-native", VLAN_TRUNK, .listed = {{1, 4094}}},
	{"10-20-native-1", VLAN_TRUNK, .native = 1, .listed = {{10, 10}, {20, 20}}},
	{"10-20-no-native", VLAN_TRUNK, .listed = {{10, 10}, {20, 20}}},
	{"10-20-native-10", VLAN_TRUNK, .native = 10, .listed = {{10, 10}, {20, 20}}},
	{"10-20-native-20", VLAN_TRUNK, .native = 20, .listed = {{10, 10}, {20, 20}}},
	{"20-29-native-10", VLAN_TRUNK, .native = 10, .listed = {{20, 29}}},
	{"only-native-10", VLAN_TRUNK, .native = 10, .listed = {{10, 10}}},
	{"30", VLAN_TRUNK, .listed = {{30, 30}}},
	{"tunnel-10", VLAN_TUNNEL, .vid = 10},
	{"tunnel-20", VLAN_TUNNEL, .vid = 20},
};
#define N_MODES ARRAY_LEN(modes)

/* TPID and TCI of one level; the first is no tag. */
static const uint16_t tags[][2] = {
	{0, 0},		  {0x8100, 0},	    {0x8100, 0xf000}, {0x8100, 1},	{0x8100, 10},
	{0x8100, 0xf00a}, {0x8100, 0x500a}, {0x8100, 0x100a}, {0x8100, 20},	{0x8100, 0xb014},
	{0x8100, 29},	  {0x8100, 30},	    {0x8100, 4094},   {0x8100, 0xffff}, {0x8100, 4095},
	{0x88a8, 0},	  {0x88a8, 1},	    {0x88a8, 10},     {0x88a8, 0xf014}, {0x88a8, 4095},
	{0x9100, 10},
};
#define N_TAGS ARRAY_LEN(tags)
/* The third level only has to show that nobody looks at it. */
static const uint16_t third_tags[] = {0, 4, 8, 17};
#define N_FORMS (N_TAGS * N_TAGS * ARRAY_LEN(third_tags))

/* Ports 0 to N_MODES - 1 of the lab listen, one a mode; this one sends. */
#define SENDER N_MODES
_Static_assert(SENDER < LAB_PORTS, "a port for every mode and a sender");

static struct vlan_policy policies[N_MODES];

struct sent {
	uint8_t bytes[FRAME_LEN];
};

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nobody[6] = {2, 0, 0, 0, 0, 0x99};
static const uint8_t sender_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t station_mac[6] = {2, 0, 0, 0, 0, 2};

static struct vlan_policy policy_of(const struct mode *m)
{
	struct vlan_policy p = {.mode = m->mode, .vid = m->vid, .native = m->native};

	for (unsigned i = 0; i < ARRAY_LEN(m->listed); i++)
		for (unsigned vid = m->listed[i].lo; vid && vid <= m->listed[i].hi; vid++)
			vlan_set_add(p.vids, (uint16_t)vid);
	return p;
}

static uint8_t *put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put_tag(uint8_t *at, const uint16_t tag[2])
{
	return tag[0] ? put_u16(put_u16(at, tag[0]), tag[1]) : at;
}

/* Form number `form` of N_FORMS, numbered itself in its last bytes. */
static void form_make(struct sent *s, const uint8_t dst[6], unsigned form)
{
	uint8_t *at = s->bytes + 12;

	memset(s->bytes, 0x5a, FRAME_LEN);
	memcpy(s->bytes, dst, 6);
	memcpy(s->bytes + 6, sender_mac, 6);
	at = put_tag(at, tags[form % N_TAGS]);
	at = put_tag(at, tags[form / N_TAGS % N_TAGS]);
	at = put_tag(at, tags[third_tags[form / N_TAGS / N_TAGS]]);
	put_u16(at, 0x88b5);
	put_u16(s->bytes + FRAME_LEN - 2, form);
}

static int listeners_setup(void **state)
{
	int rc = lab_setup(state);
	struct lab *lab = *state;

	for (unsigned i = 0; rc == 0 && i < N_MODES; i++) {
		policies[i] = policy_of(&modes[i]);
		lab_port(lab, i, lab->br, &policies[i]);
	}
	return rc;
}

static void sender_add(struct lab *lab, unsigned mode)
{
	lab_port(lab, SENDER, lab->br, &policies[mode]);
	bridge_fdb_flush(lab->br, NULL);
}

/* Its counters must agree that n frames came, n_forwarded of them into some VLAN. */
static void sender_del(struct lab *lab, uint64_t n, uint64_t n_forwarded)
{
	struct port_counters c = lab_counters(lab, SENDER);
	struct err err = ERR_NONE;

	sums_check(lab->sw);
	assert_int_equal(c.rx_frames, n);
	assert_int_equal(c.rx_forwarded, n_forwarded);
	assert_int_equal(port_del(fake_port(lab->port[SENDER]), &err), 0);
}

/* A tagged frame may leave only where its VLAN is carried, and reads as that VLAN there. */
static void check_belongs(const struct vlan_policy *out, const uint8_t *frame, size_t len,
			  unsigned vid)
{
	assert_true(vlan_policy_carries(out, (uint16_t)vid));
	if (out->mode == VLAN_TRUNK)
		assert_int_equal(oracle_vlan(out, frame, len), vid);
}

/*
 * Compares what listener `out` got with the oracle's word on sent[0..n-1]. only: the listener
 * behind which the destination is known, in VLAN only_vid; N_MODES: nowhere.
 */
static void check_listener(struct lab *lab, unsigned in, unsigned out, const struct sent *sent,
			   unsigned n, unsigned only, unsigned only_vid)
{
	uint8_t want[FRAME_LEN + 4];
	unsigned n_got = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned vid = oracle_vlan(&policies[in], sent[i].bytes, FRAME_LEN);
		size_t want_len =
			oracle_leave(&policies[in], &policies[out], sent[i].bytes, FRAME_LEN, want);
		size_t len = 0;

		if (!want_len || (only < N_MODES && vid == only_vid && out != only))
			continue;
		if (n_got >= fake_n_out(lab->port[out]))
			fail_msg("%s to %s: form %02x%02x is missing", modes[in].name,
				 modes[out].name, sent[i].bytes[FRAME_LEN - 2],
				 sent[i].bytes[FRAME_LEN - 1]);

		const uint8_t *got = fake_out(lab->port[out], n_got++, &len);

		if (len != want_len || memcmp(got, want, len))
			fail_msg("%s to %s: form %02x%02x came out otherwise", modes[in].name,
				 modes[out].name, sent[i].bytes[FRAME_LEN - 2],
				 sent[i].bytes[FRAME_LEN - 1]);
		check_belongs(&policies[out], got, len, vid);
	}
	if (fake_n_out(lab->port[out]) != n_got)
		fail_msg("%s to %s: %u frames too many", modes[in].name, modes[out].name,
			 fake_n_out(lab->port[out]) - n_got);
}

/* Returns how many of the N_FORMS frames enter a VLAN, which here always has a listener. */
static unsigned all_forms(struct lab *lab, unsigned in, const uint8_t dst[6], unsigned only,
			  unsigned only_vid)
{
	struct sent sent[BATCH];
	unsigned n_entered = 0;

	for (unsigned form = 0; form < N_FORMS;) {
		unsigned n = 0;

		for (; n < BATCH && form < N_FORMS; n++, form++) {
			form_make(&sent[n], dst, form);
			fake_inject(lab->port[SENDER], sent[n].bytes, FRAME_LEN);
			n_entered += oracle_vlan(&policies[in], sent[n].bytes, FRAME_LEN) != 0;
		}
		fake_settle(lab->sw);
		for (unsigned out = 0; out < N_MODES; out++) {
			check_listener(lab, in, out, sent, n, only, only_vid);
			fake_clear(lab->port[out]);
		}
		assert_int_equal(fake_n_out(lab->port[SENDER]), 0);
	}
	return n_entered;
}

/* Teaches that the station is behind listener `out`; returns its VLAN, 0 when it cannot be. */
static unsigned station_learn(struct lab *lab, unsigned out)
{
	struct sent hello;
	unsigned vid;

	form_make(&hello, broadcast, 0);
	memcpy(hello.bytes + 6, station_mac, 6);
	vid = oracle_vlan(&policies[out], hello.bytes, FRAME_LEN);
	bridge_fdb_flush(lab->br, NULL);
	fake_inject(lab->port[out], hello.bytes, FRAME_LEN);
	fake_settle(lab->sw);
	fake_clear(lab->port[SENDER]);
	for (unsigned i = 0; i < N_MODES; i++)
		fake_clear(lab->port[i]);
	return vid;
}

static void flooded_frame_stays_in_its_vlan(void **state)
{
	for (unsigned in = 0; in < N_MODES; in++) {
		sender_add(*state, in);
		sender_del(*state, N_FORMS, all_forms(*state, in, broadcast, N_MODES, 0));
	}
}

static void unknown_unicast_stays_in_its_vlan(void **state)
{
	for (unsigned in = 0; in < N_MODES; in++) {
		sender_add(*state, in);
		sender_del(*state, N_FORMS, all_forms(*state, in, nobody, N_MODES, 0));
	}
}

/* Learning is independent in each VLAN: known in one, flooded in all others. */
static void known_station_is_known_in_its_vlan_only(void **state)
{
	for (unsigned in = 0; in < N_MODES; in++) {
		unsigned n_entered = 0;

		sender_add(*state, in);
		for (unsigned out = 0; out < N_MODES; out++) {
			unsigned vid = station_learn(*state, out);

			n_entered += all_forms(*state, in, station_mac, vid ? out : N_MODES, vid);
		}
		sender_del(*state, N_FORMS * N_MODES, n_entered);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, listeners_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flooded_frame_stays_in_its_vlan),
		TEST(unknown_unicast_stays_in_its_vlan),
		TEST(known_station_is_known_in_its_vlan_only),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
