/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's parts: its table and its channel; and what a successor believes of a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/keeper/channel.h"
#include "control/keeper/fd_table.h"
#include "control/keeper/kept.h"
#include "control/keeper/packet.h"
#include "vhost-user/vu_kept.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void await_closed(int fd)
{
	for (unsigned i = 0; i < 5000 && is_open(fd); i++)
		usleep(1000);
	assert_false(is_open(fd));
}

static unsigned n_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += is_open(fd);
	return n;
}

static int fd_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- table ---- */

static void table_keeps_one_descriptor_a_key(void **state)
{
	struct fd_table *t = fd_table_create();
	struct keep_key a = {KEEP_KICK, 7, 1}, b = {KEEP_KICK, 7 + 4096, 1};
	int fds[3] = {fd_new(), fd_new(), fd_new()};

	assert_int_equal(fd_table_put(t, a, fds[0]), 0);
	assert_int_equal(fd_table_put(t, b, fds[1]), 0);
	assert_int_equal(fd_table_put(t, a, fds[2]), 0);
	await_closed(fds[0]);
	assert_int_equal(fd_table_n(t), 2);
	assert_int_equal(fd_table_take(t, a), fds[2]);
	assert_int_equal(fd_table_take(t, a), -1);
	assert_true(is_open(fds[2]));
	close(fds[2]);
	fd_table_destroy(t);
	await_closed(fds[1]);
}

static void table_drops_kinds_of_a_slot(void **state)
{
	struct fd_table *t = fd_table_create();
	const struct fd_entry *e;
	unsigned before = n_open();

	for (uint16_t slot = 3; slot < 3 + 2 * 4096; slot = (uint16_t)(slot + 4096))
		for (uint16_t kind = KEEP_LISTEN; kind <= KEEP_ERR; kind++)
			assert_int_equal(fd_table_put(t, (struct keep_key){kind, slot, 0}, fd_new()), 0);
	fd_table_drop_slot(t, 3, KEEP_OF_CONNECTION);
	assert_int_equal(fd_table_n(t), KEEP_ERR + 1);
	e = fd_table_next(t, NULL);
	assert_int_equal(fd_entry_key(e).kind, KEEP_LISTEN);
	assert_int_equal(fd_entry_key(e).slot, 3);
	assert_int_equal(fd_entry_key(fd_table_next(t, e)).slot, 3 + 4096);
	fd_table_drop_kinds(t, ~KEEP_BIT(KEEP_LISTEN));
	assert_int_equal(fd_table_n(t), 2);
	fd_table_destroy(t);
	/* Closed by a thread: before the next test counts. */
	for (unsigned i = 0; i < 5000 && n_open() != before; i++)
		usleep(1000);
	assert_int_equal(n_open(), before);
}

/* ---- channel ---- */

static void message_outlives_its_sender(void **state)
{
	struct channel_msg m = {.type = CHANNEL_PUT, .n = 1, .keys = {{KEEP_CALL, 9, 3}}, .n_fds = 1};
	uint64_t value = 0;
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	m.fds[0] = eventfd(5, EFD_CLOEXEC);
	assert_int_equal(channel_send(pair[1], &m), 0);
	close(m.fds[0]);
	close(pair[1]);
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(m.type, CHANNEL_PUT);
	assert_int_equal(m.keys[0].slot, 9);
	assert_int_equal(m.n_fds, 1);
	assert_int_equal(read(m.fds[0], &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 5);
	close(m.fds[0]);
	assert_int_equal(channel_receive(pair[0], &m, false), -EPIPE);
	assert_int_equal(channel_send(pair[0], &m), -EPIPE);
	close(pair[0]);
}

static int lowest_free(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

/* Whatever a process says that is being taken over by a guest. */
static void messages_that_are_none_are_refused_and_leave_nothing(void **state)
{
	const struct channel_msg good = {
		.type = CHANNEL_PUT, .n = 1, .keys = {{KEEP_CALL, 1, 1}}, .n_fds = 1};
	int fd = fd_new();

	for (unsigned i = 0; i < 9; i++) {
		struct channel_msg m = good, got;
		int pair[2], before, rc;

		assert_int_equal(channel_pair(pair), 0);
		m.fds[0] = m.fds[1] = fd;
		switch (i) {
		case 0: m.type = 0; break;
		case 1: m.type = CHANNEL_TYPES; break;
		case 2: m.n = 2; break;
		case 3: m.n_fds = 0; break;
		case 4: m.n_fds = 2; break;
		case 5: m.keys[0].kind = KEEP_KINDS; break;
		case 6: m.keys[0].kind = 0; break;
		case 7: m.type = CHANNEL_DROP; break; /* with a descriptor */
		case 8: m.type = CHANNEL_HAND; m.n = CHANNEL_BATCH; break;
		}
		assert_int_equal(channel_send(pair[1], &m), 0);
		before = lowest_free();
		rc = channel_receive(pair[0], &got, false);
		if (rc != -EPROTO)
			fail_msg("case %u: %d", i, rc);
		assert_int_equal(lowest_free(), before);
		close(pair[0]);
		close(pair[1]);
	}
	close(fd);
}

static void bytes_that_are_no_message_are_refused(void **state)
{
	struct channel_msg got;
	uint8_t bytes[2048];
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	for (unsigned size = 1; size < sizeof(bytes); size += 7) {
		memset(bytes, (int)size, sizeof(bytes));
		bytes[0] = (uint8_t)(size % 9);
		memset(bytes + 1, 0, 3);
		assert_int_equal(send(pair[1], bytes, size, 0), size);
		assert_int_equal(channel_receive(pair[0], &got, false), -EPROTO);
	}
	close(pair[0]);
	close(pair[1]);
}

static void full_channel_ends_the_wait(void **state)
{
	struct channel_msg m = {.type = CHANNEL_DROP, .n = 1, .keys = {{KEEP_CALL, 1, 1}}};
	uint64_t start_ns;
	int pair[2], rc = 0;

	assert_int_equal(channel_pair(pair), 0);
	start_ns = loop_now_ns();
	for (unsigned i = 0; rc == 0 && i < 1000000; i++)
		rc = channel_send(pair[1], &m);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_true(loop_now_ns() - start_ns >= CHANNEL_WAIT_MS * MS_NS / 2);
	close(pair[0]);
	close(pair[1]);
}

static void successor_finds_what_was_handed_and_drops_the_rest(void **state)
{
	struct channel_msg m = {.type = CHANNEL_HAND, .n = 2,
				.keys = {{KEEP_LISTEN, 1, 0}, {KEEP_LISTEN, 2, 0}}, .n_fds = 2};
	struct kept *k;
	int pair[2], fd;

	assert_int_equal(channel_pair(pair), 0);
	m.fds[0] = fd_new();
	m.fds[1] = fd_new();
	assert_int_equal(channel_send(pair[0], &m), 0);
	close(m.fds[0]);
	close(m.fds[1]);
	m = (struct channel_msg){.type = CHANNEL_GO, .go = {.deaths = {.n = 3, .reason = "why"}}};
	assert_int_equal(channel_send(pair[0], &m), 0);
	assert_int_equal(kept_create(pair[1], &k, NULL), 0);
	assert_int_equal(kept_await(k, -1, NULL, NULL, NULL), 0);
	assert_int_equal(kept_go(k)->deaths.n, 3);
	fd = kept_ops.take(k, (struct keep_key){KEEP_LISTEN, 2, 0});
	assert_true(is_open(fd));
	assert_int_equal(kept_ops.take(k, (struct keep_key){KEEP_LISTEN, 2, 0}), -1);
	assert_int_equal(kept_sweep(k), 1);
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(m.type, CHANNEL_WARM);
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(m.type, CHANNEL_DROP);
	assert_int_equal(m.keys[0].slot, 1);
	kept_destroy(k);
	close(fd);
	close(pair[0]);
}

static void process_hears_why_it_shall_yield_and_says_why_not(void **state)
{
	struct channel_msg m;
	struct kept *k;
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(kept_create(pair[1], &k, NULL), 0);
	assert_int_equal(kept_hear(k, &m), 0);
	assert_int_equal(channel_send_text(pair[0], CHANNEL_YIELD, "an upgrade"), 0);
	assert_int_equal(kept_hear(k, &m), CHANNEL_YIELD);
	assert_string_equal(m.text, "an upgrade");
	kept_say_text(k, CHANNEL_STAYING, "not now");
	kept_say_number(k, CHANNEL_YIELDED, 77);
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(m.type, CHANNEL_STAYING);
	assert_string_equal(m.text, "not now");
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(m.type, CHANNEL_YIELDED);
	assert_int_equal(m.number, 77);
	close(pair[0]);
	assert_int_equal(kept_hear(k, &m), -EPIPE);
	kept_destroy(k);
}

/* The keeper has no descriptor free for what it is to keep: that is no reason to think ill of who sent it. */
static void descriptor_that_finds_no_room_is_lost_alone(void **state)
{
	struct channel_msg m = {.type = CHANNEL_PUT, .n = 1, .keys = {{KEEP_CALL, 9, 3}}, .n_fds = 1};
	struct rlimit was, none;
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	m.fds[0] = fd_new();
	assert_int_equal(channel_send(pair[1], &m), 0);
	close(m.fds[0]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(channel_receive(pair[0], &m, false), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(m.type, CHANNEL_PUT);
	assert_int_equal(m.n_fds, 0);
	close(pair[0]);
	close(pair[1]);
}

static void spare_ends_with_its_keeper(void **state)
{
	struct kept *k;
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(kept_create(pair[1], &k, NULL), 0);
	close(pair[0]);
	assert_int_equal(kept_await(k, -1, NULL, NULL, NULL), 1);
	kept_destroy(k);
}

/* ---- packet processes ---- */

static void death_is_seen_and_told(void **state)
{
	static const struct {
		const char *how, *says;
		enum keep_end end;
		int status;
	} cases[] = {
		{"exit 75", "ended with status 75", KEEP_KILLED, 75},
		{"kill -SEGV $$", "killed by signal 11 (Segmentation fault)", KEEP_CRASHED, 139},
		{"kill -KILL $$", "killed by signal 9 (Killed)", KEEP_KILLED, 137},
	};

	for (unsigned i = 0; i < 3; i++) {
		char *argv[] = {(char *)"sh", (char *)"-c", (char *)cases[i].how, NULL};
		struct packet *p;
		enum keep_end end;
		char text[96];

		/* "--channel 3" become arguments of the script. */
		assert_int_equal(packet_start("/bin/sh", argv, &p, NULL), 0);
		assert_int_equal(packet_bury(p, &end, text, sizeof(text)), cases[i].status);
		assert_string_equal(text, cases[i].says);
		assert_int_equal(end, cases[i].end);
	}
}

/* ---- what a successor believes of a port ---- */

static const uint64_t offer = VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF);

static void kept_make(struct vu_kept *k)
{
	memset(k, 0, sizeof(*k));
	vu_dev_init(&k->dev, offer, 1, 0);
	k->dev.phase = VU_NEGOTIATED;
	k->dev.features = offer;
	k->dev.n_regions = 2;
	k->dev.regions[0] = (struct vu_mem_region){0x1000, 0x1000, 0x7000, 0};
	k->dev.regions[1] = (struct vu_mem_region){0x3000, 0x1000, 0x9000, 0};
	k->region_key[0] = 1;
	for (unsigned i = 0; i < 2; i++)
		k->dev.rings[i] = (struct vu_ring_state){
			.phase = VU_RING_STARTED, .enabled = true, .has_addr = true, .num = 256};
}

static void successor_believes_only_what_holds_together(void **state)
{
	struct err err = ERR_NONE;
	struct vu_kept k;

	kept_make(&k);
	assert_int_equal(vu_kept_check(&k, offer, 2, &err), 0);
	for (unsigned i = 0; i < 14; i++) {
		kept_make(&k);
		switch (i) {
		case 0: k.stage = VU_BUSY; break;
		case 1: k.dev.features |= VU_BIT(VIRTIO_NET_F_MQ); break;
		case 2: k.dev.n_rings = 4; break;
		case 3: k.dev.n_rings = 0xffffffff; break;
		case 4: k.dev.phase = 9; break;
		case 5: k.dev.n_regions = VU_MEM_SLOTS + 1; break;
		case 6: k.dev.regions[1].size = 0; break;
		case 7: k.dev.regions[1].size = ~0ull; break;
		case 8: k.region_key[0] = k.region_key[1]; break;
		case 9: k.region_key[1] = VU_MEM_SLOTS; break;
		case 10: k.dev.rings[1].num = 3; break;
		case 11: k.dev.rings[1].num = 0; break;
		case 12: k.dev.rings[0].phase = 5; break;
		case 13: memset(&k.dev.rings[0].enabled, 0x55, 1); break;
		}
		if (vu_kept_check(&k, offer, 2, &err) != -EPROTO)
			fail_msg("case %u is believed", i);
	}
	kept_make(&k);
	assert_int_equal(vu_kept_check(&k, offer & ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF), 2, &err), -EPROTO);
	assert_non_null(strstr(err.text, "MRG_RXBUF"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_keeps_one_descriptor_a_key),
		cmocka_unit_test(table_drops_kinds_of_a_slot),
		cmocka_unit_test(message_outlives_its_sender),
		cmocka_unit_test(messages_that_are_none_are_refused_and_leave_nothing),
		cmocka_unit_test(bytes_that_are_no_message_are_refused),
		cmocka_unit_test(full_channel_ends_the_wait),
		cmocka_unit_test(successor_finds_what_was_handed_and_drops_the_rest),
		cmocka_unit_test(process_hears_why_it_shall_yield_and_says_why_not),
		cmocka_unit_test(descriptor_that_finds_no_room_is_lost_alone),
		cmocka_unit_test(spare_ends_with_its_keeper),
		cmocka_unit_test(death_is_seen_and_told),
		cmocka_unit_test(successor_believes_only_what_holds_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
