/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that are down: their front ends see no carrier, nobody waits for an answer, and all come back. */
#include "tests/unit/rig.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/unit/exchange.h"

static void down_port_comes_back_where_it_was(void **state)
{
	struct rig *rig = *state;
	struct fe *a, *b;
	uint8_t f[60], got[2048];

	rig_keep_open(rig);
	a = rig_port(rig, 0, (struct fe_opts){0});
	b = rig_port(rig, 1, (struct fe_opts){0});
	exchange(a, b, 200);
	rig_port_admin(rig, 1, false);
	rig_await(rig, 1, PORT_DOWN);
	frame_fill(f, 2, 1, 60, 1);
	assert_true(fe_send(a, 0, f, 60));
	usleep(20000);
	assert_int_equal(fe_recv(b, 0, got, sizeof(got)), -1);
	rig_port_admin(rig, 1, true);
	rig_await(rig, 1, PORT_UP);
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 5000) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* That is how QEMU's guest sees that it has no carrier. Whoever connects meanwhile must not wait for an
 * answer: a QEMU would hold up its whole guest. */
static void down_port_hangs_up_and_lets_nobody_wait(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){0}), *b;
	struct fe_opts again = {.path = a->opts.path};
	struct err err = ERR_NONE;
	int fd;

	rig_port_admin(rig, 0, false);
	assert_true(hung_up(a->fd));
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	for (int i = 0; i < 10; i++) {
		fd = connect_to(a->opts.path);
		assert_true(hung_up(fd));
		close(fd);
	}
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	rig_port_admin(rig, 0, true);
	assert_int_equal(rig_state(rig, 0), PORT_WAITING);
	fe_close(a);
	if (fe_open(&again, &a, &err) < 0)
		fail_msg("%s", err.text);
	rig_await(rig, 0, PORT_UP);
	b = rig_port(rig, 1, (struct fe_opts){0});
	exchange(a, b, 200);
	fe_close(a);
	fe_close(b);
}

static unsigned n_told;

static void on_change(void *arg, const struct switch_change *change)
{
	n_told += change->event == SWITCH_PORT_CARRIER;
}

static void listen_to(struct rig *rig, void *arg)
{
	switch_on_change(rig_switch(rig), on_change, NULL);
}

/* QEMU shows its guest a link when it connects: who shows another one must hear of that. */
static void carrier_is_told_again_when_a_front_end_speaks(void **state)
{
	struct rig *rig = *state;
	struct fe_opts opts = {.no_rings = true};
	struct err err = ERR_NONE;
	struct fe *fe;

	rig_keep_open(rig);
	opts.path = rig_port_add(rig, 0, true);
	rig_port_admin(rig, 0, false);
	rig_call(rig, listen_to, NULL);
	n_told = 0;
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(fe_open(&opts, &fe, &err), 0);
		rig_state(rig, 0); /* control has been round */
		assert_int_equal(n_told, i);
		fe_close(fe);
		rig_state(rig, 0);
	}
}

/* The other role: it does not connect until it is up, then at once. */
static void down_port_looks_for_nobody(void **state)
{
	struct rig *rig = *state;
	struct fe *a = rig_port(rig, 0, (struct fe_opts){.server = true});
	const char *path = a->opts.path;
	struct pollfd p = {.events = POLLIN};
	struct err err = ERR_NONE;

	rig_port_admin(rig, 0, false);
	assert_true(hung_up(a->fd));
	fe_close(a);
	unlink(path);
	p.fd = fe_listen(path, &err);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 600), 0); /* retries come every 250 ms at the latest */
	assert_int_equal(rig_state(rig, 0), PORT_DOWN);
	rig_port_admin(rig, 0, true);
	assert_int_equal(poll(&p, 1, 1000), 1);
	close(p.fd);
	unlink(path);
}

/* Accepts and hangs up for 300 ms; returns how often. */
static unsigned hang_up_on_all(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t end_ns = loop_now_ns() + 300 * MS_NS;
	unsigned n = 0;

	while (loop_now_ns() < end_ns)
		if (poll(&p, 1, 10) > 0) {
			close(accept(fd, NULL, NULL));
			n++;
		}
	return n;
}

static void hanging_up_slows_the_tries_down(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned n;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", rig_port_add(rig, 0, false));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	n = hang_up_on_all(fd);
	if (n < 2 || n > 10)
		fail_msg("%u connections in 300 ms", n);
	assert_int_equal(rig_state(rig, 0), PORT_CONNECTING);
	close(fd);
	unlink(sun.sun_path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(down_port_comes_back_where_it_was),
		T(down_port_hangs_up_and_lets_nobody_wait),
		T(down_port_looks_for_nobody),
		T(carrier_is_told_again_when_a_front_end_speaks),
		T(hanging_up_slows_the_tries_down),
	};

	return cmocka_run_group_tests(tests, rig_group_setup, NULL);
}
