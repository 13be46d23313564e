/* SPDX-License-Identifier: BSD-3-Clause */
/* Metrics: over a real switch with fake ports, asked by clients that are not all polite. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/daemon.h"
#include "control/daemon/event_sources.h"
#include "control/daemon/metrics.h"
#include "control/daemon/vms.h"
#include "tests/unit/lab.h"

#define DEADLINE_NS (2 * S_NS)

struct fixture {
	struct lab *lab;
	struct daemon d;
	union metrics_address at;
	char text[1 << 16];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(f->at);
	const int size = 1; /* the least there can be: a page does not fit */
	int fd;

	log_level_set(LOG_LEVEL_ERR);
	assert_int_equal(lab_setup((void **)&f->lab), 0);
	f->d.loop = f->lab->loop;
	f->d.sw = f->lab->sw;
	f->d.start_ns = loop_now_ns();
	assert_int_equal(event_sources_start(&f->d, NULL), 0);
	assert_int_equal(metrics_address_parse("0", &f->at, NULL), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(bind(fd, &f->at.sa, sizeof(f->at.in)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, &f->at.sa, &len), 0);
	assert_int_equal(metrics_start(&f->d, fd, DEADLINE_NS, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	metrics_stop(&f->d);
	event_sources_stop(&f->d);
	vms_forget(&f->d);
	lab_teardown((void **)&f->lab);
	free(f);
	return 0;
}

static int client_connect(const struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &f->at.sa, sizeof(f->at.in)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes on fd until the server closes or it is quiet. */
static const char *hear(struct fixture *f, int fd)
{
	size_t len = 0;

	for (unsigned n_quiet = 0; n_quiet < 20;) {
		ssize_t n;

		loop_once(f->d.loop, 5);
		n = recv(fd, f->text + len, sizeof(f->text) - len - 1, MSG_DONTWAIT);
		if (n == 0)
			break;
		n_quiet = n < 0 ? n_quiet + 1 : 0;
		len += n > 0 ? (size_t)n : 0;
	}
	f->text[len] = '\0';
	return f->text;
}

static const char *ask(struct fixture *f, const char *request)
{
	int fd = client_connect(f);

	say(fd, request);
	hear(f, fd);
	close(fd);
	return f->text;
}

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void has(const struct fixture *f, const char *part)
{
	if (!strstr(f->text, part))
		fail_msg("no <%s> in <%.3000s>", part, f->text);
}

static void page_has_what_stats_has(void **state)
{
	struct fixture *f = *state;

	lab_ports(f->lab, 2);
	lab_send(f->lab, 0, 0xff, 1, -1);
	lab_send(f->lab, 0, 0xff, 1, 0xfff);
	fake_settle(f->lab->sw);
	ask(f, GET);
	has(f, "200 OK");
	has(f, "lanyard_port_info{port=\"p0\",bridge=\"br\",type=\"fake\",lab=\"\"} 1\n");
	has(f, "lanyard_port_receive_frames_total{port=\"p0\"} 2\n");
	has(f, "lanyard_port_receive_forwarded_frames_total{port=\"p0\"} 1\n");
	has(f, "lanyard_port_receive_dropped_frames_total{port=\"p0\",reason=\"vlan_reserved\"} 1\n");
	has(f, "lanyard_port_transmit_bytes_total{port=\"p1\"} 60\n");
	has(f,
	    "lanyard_port_transmit_dropped_frames_total{port=\"p1\",reason=\"rx_ring_full\"} 0\n");
	has(f, "# TYPE lanyard_worker_busy_seconds_total counter\n");
	has(f, "lanyard_bridge_addresses{bridge=\"br\"} 1\n");
	assert_null(strstr(f->text, "lanyard_vm"));
}

static void vm_is_told_with_its_process(void **state)
{
	struct fixture *f = *state;
	struct vm_seen *vm = calloc(1, sizeof(*vm));

	*vm = (struct vm_seen){.daemon = &f->d,
			       .name = strdup("odd\"\\\n"),
			       .state = "running",
			       .pid = getpid(),
			       .memory_bytes = 1 << 20};
	LIST_INSERT_HEAD(&f->d.vms, vm, link);
	ask(f, GET);
	has(f, "lanyard_vm_state{vm=\"odd\\\"\\\\\\n\",state=\"running\"} 1\n");
	has(f, "lanyard_vm_memory_bytes{vm=\"odd\\\"\\\\\\n\"} 1048576\n");
	has(f, "\nlanyard_vm_cpu_seconds_total{");
	has(f, "\nlanyard_vm_resident_memory_bytes{");
	vm->pid = 0x7ffffff0; /* nobody */
	ask(f, GET);
	has(f, "lanyard_vm_state{");
	assert_null(strstr(f->text, "lanyard_vm_cpu_seconds_total{"));
}

static void other_requests_are_refused(void **state)
{
	struct fixture *f = *state;

	ask(f, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	has(f, "404");
	has(f, "metrics are at /metrics\n");
	ask(f,
	    "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
	has(f, "405");
	ask(f, "\x16\x03\x01 not HTTP at all\r\n\r\n");
	assert_null(strstr(f->text, "200 OK"));
	ask(f, GET);
	has(f, "200 OK");
}

static void those_who_ask_at_once_share_a_page(void **state)
{
	struct fixture *f = *state;
	int fds[METRICS_CLIENTS];

	lab_ports(f->lab, 2);
	for (unsigned i = 0; i < METRICS_CLIENTS; i++) {
		fds[i] = client_connect(f);
		say(fds[i], GET);
	}
	/* One goes before it is answered, and a port while the page is made. */
	loop_once(f->d.loop, 5);
	close(fds[3]);
	port_del(fake_port(f->lab->port[1]), NULL);
	for (unsigned i = 0; i < METRICS_CLIENTS; i++) {
		if (i == 3)
			continue;
		hear(f, fds[i]);
		has(f, "200 OK");
		has(f, "lanyard_port_up{port=\"p0\"} 1\n");
		close(fds[i]);
	}
}

static void silent_clients_do_not_stop_the_loop(void **state)
{
	struct fixture *f = *state;
	int fds[METRICS_CLIENTS + 4], fd;

	for (unsigned i = 0; i < METRICS_CLIENTS + 4; i++) {
		fds[i] = client_connect(f);
		say(fds[i], "GET /met");
	}
	hear(f, fds[0]);
	/* Nobody else gets in while they hold all places, and somebody does when one goes. */
	fd = client_connect(f);
	say(fd, GET);
	assert_string_equal(hear(f, fd), "");
	for (unsigned i = 0; i < METRICS_CLIENTS + 4; i++)
		close(fds[i]);
	hear(f, fd);
	has(f, "200 OK");
	close(fd);
}

/* A byte now and then is no silence, and still no request. */
static void slow_clients_keep_nobody_out_for_long(void **state)
{
	struct fixture *f = *state;
	int fds[METRICS_CLIENTS], fd;
	uint64_t end_ns = loop_now_ns() + 10 * DEADLINE_NS;

	for (unsigned i = 0; i < METRICS_CLIENTS; i++)
		fds[i] = client_connect(f);
	loop_once(f->d.loop, 50);
	fd = client_connect(f);
	say(fd, GET);
	f->text[0] = '\0';
	while (!f->text[0] && loop_now_ns() < end_ns) {
		for (unsigned i = 0; i < METRICS_CLIENTS; i++)
			(void)!send(fds[i], "G", 1, MSG_NOSIGNAL);
		hear(f, fd);
	}
	has(f, "200 OK");
	close(fd);
	for (unsigned i = 0; i < METRICS_CLIENTS; i++)
		close(fds[i]);
}

static void client_that_does_not_read_is_cut(void **state)
{
	struct fixture *f = *state;
	uint64_t end_ns = loop_now_ns() + 10 * DEADLINE_NS;
	const int size = 1; /* the least that the kernel takes */
	int fds[METRICS_CLIENTS], fd;

	lab_ports(f->lab, 4);
	for (unsigned i = 0; i < METRICS_CLIENTS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(
			setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
		assert_int_equal(connect(fds[i], &f->at.sa, sizeof(f->at.in)), 0);
		say(fds[i], GET);
	}
	fd = client_connect(f);
	say(fd, GET);
	f->text[0] = '\0';
	while (!f->text[0] && loop_now_ns() < end_ns)
		hear(f, fd);
	has(f, "200 OK");
	close(fd);
	for (unsigned i = 0; i < METRICS_CLIENTS; i++)
		close(fds[i]);
}

static void end_while_a_page_is_made_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);

	lab_ports(f->lab, 2);
	say(fd, GET);
	loop_once(f->d.loop, 50); /* accepted */
	loop_once(f->d.loop, 50); /* put aside */
	metrics_stop(&f->d);
	assert_null(metrics_where(&f->d));
	close(fd);
}

static void address_is_loopback_unless_one_is_given(void **state)
{
	static const struct {
		const char *text, *means;
	} cases[] = {
		{"9100", "127.0.0.1:9100"},
		{":9100", "127.0.0.1:9100"},
		{"0.0.0.0:1", "0.0.0.0:1"},
		{"[::1]:9100", "[::1]:9100"},
		{"[::]:65535", "[::]:65535"},
		{"65536", NULL},
		{"-1", NULL},
		{"", NULL},
		{"localhost:9100", NULL},
		{"::1:9100", NULL},
		{"[::1]", NULL},
		{"127.0.0.1", NULL},
		{"127.0.0.1:9100/metrics", NULL},
		{"1.2.3.4:", NULL},
	};
	union metrics_address a;
	struct err err;
	char text[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = metrics_address_parse(cases[i].text, &a, &err);

		if (cases[i].means)
			assert_string_equal(metrics_address_text(&a, text, sizeof(text)),
					    cases[i].means);
		else
			assert_int_equal(rc, -EINVAL);
	}
}

static void address_of_any_length_is_refused_in_words(void **state)
{
	enum { LEN = 16 << 20 }; /* far beyond any stack */
	union metrics_address a;
	char *text = malloc(LEN + 8);

	assert_non_null(text);
	for (size_t len = 60; len <= LEN; len = len < 70 ? len + 1 : len * 2) {
		struct err err = ERR_NONE;

		memset(text, ':', len);
		text[0] = '[';
		memcpy(text + len, "]:1", 4);
		assert_int_equal(metrics_address_parse(text, &a, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is no address and port"));
		/* One that would be right if it were cut. */
		memset(text, ' ', len);
		memcpy(text, "127.0.0.1", 9);
		assert_int_equal(metrics_address_parse(text, &a, &err), -EINVAL);
	}
	free(text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(page_has_what_stats_has),
		T(vm_is_told_with_its_process),
		T(other_requests_are_refused),
		T(those_who_ask_at_once_share_a_page),
		T(silent_clients_do_not_stop_the_loop),
		T(slow_clients_keep_nobody_out_for_long),
		T(client_that_does_not_read_is_cut),
		T(end_while_a_page_is_made_leaves_nothing),
		cmocka_unit_test(address_is_loopback_unless_one_is_given),
		cmocka_unit_test(address_of_any_length_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
