/* SPDX-License-Identifier: BSD-3-Clause */
/* Events: the daemon's stream, over a real switch with fake ports, read by real clients. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/daemon.h"
#include "control/daemon/event_sources.h"
#include "control/daemon/events.h"
#include "control/daemon/vms.h"
#include "control/rpc/server.h"
#include "tests/unit/lab.h"

struct fixture {
	struct lab *lab;
	struct daemon d;
	char dir[32], path[64];
	int fd;
	char in[1 << 20];
	size_t in_len;
};

static int client_connect(const struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_opts opts = {.methods = daemon_methods, .ctx = &f->d};

	assert_int_equal(lab_setup((void **)&f->lab), 0);
	snprintf(f->dir, sizeof(f->dir), "/tmp/events-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->d.loop = f->lab->loop;
	f->d.sw = f->lab->sw;
	f->d.store.dir_fd = -1;
	assert_int_equal(event_sources_start(&f->d, NULL), 0);
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	assert_int_equal(rpc_listen(f->path, &opts.listen_fd, NULL), 0);
	assert_int_equal(rpc_server_create(f->d.loop, &opts, &f->d.server, NULL), 0);
	f->fd = client_connect(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	rpc_server_destroy(f->d.server);
	event_sources_stop(&f->d);
	vms_forget(&f->d);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	lab_teardown((void **)&f->lab);
	free(f);
	return 0;
}

static void say(struct fixture *f, int fd, const char *method, const char *params)
{
	char line[1024];
	int n = snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
			 params);

	assert_int_equal(send(fd, line, (size_t)n, 0), n);
	for (unsigned i = 0; i < 3; i++)
		loop_once(f->d.loop, 5);
}

static void rounds(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		loop_once(f->d.loop, 5);
}

/* All that fd has to read, as text in f->in. */
static const char *read_all(struct fixture *f, int fd)
{
	ssize_t n;

	f->in_len = 0;
	while ((n = recv(fd, f->in + f->in_len, sizeof(f->in) - f->in_len - 1, MSG_DONTWAIT)) > 0)
		f->in_len += (size_t)n;
	f->in[f->in_len] = '\0';
	return f->in;
}

/* Waits until fd says part. */
static void await_text(struct fixture *f, int fd, const char *part)
{
	char all[8192] = "";

	for (unsigned i = 0; i < 400; i++) {
		rounds(f, 1);
		strncat(all, read_all(f, fd), sizeof(all) - strlen(all) - 1);
		if (strstr(all, part))
			return;
	}
	fail_msg("no <%s> in <%.2000s>", part, all);
}

static void change_of_a_port_is_told(void **state)
{
	struct fixture *f = *state;

	say(f, f->fd, "events.subscribe", "{}");
	read_all(f, f->fd);
	lab_ports(f->lab, 1);
	await_text(f, f->fd, "\"kind\":\"port.add\",\"object\":\"p0\",\"bridge\":\"br\"");
	port_state_set(fake_port(f->lab->port[0]), PORT_ERRORED, "a bad \xff ring");
	await_text(f, f->fd, "\"old\":\"up\",\"new\":\"errored\",\"reason\":\"a bad ? ring\"");
	port_del(fake_port(f->lab->port[0]), NULL);
	await_text(f, f->fd, "\"kind\":\"port.del\",\"object\":\"p0\"");
}

static void only_wanted_kinds_are_told(void **state)
{
	struct fixture *f = *state;

	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"port.state\",\"bridge\"]}");
	read_all(f, f->fd);
	lab_ports(f->lab, 1);
	events_publish(f->d.events, "bridges.odd", "x", NULL);
	port_state_set(fake_port(f->lab->port[0]), PORT_DOWN, "%s", "");
	rounds(f, 4);
	assert_null(strstr(read_all(f, f->fd), "port.add"));
	assert_null(strstr(f->in, "bridges.odd"));
	assert_non_null(strstr(f->in, "port.state"));
}

/* As a VM's supervisor, which looks after its own ports. */
static void only_wanted_objects_are_told(void **state)
{
	struct fixture *f = *state;

	lab_ports(f->lab, 2);
	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"port\"],\"objects\":[\"p1\",\"p9\"]}");
	read_all(f, f->fd);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(port_admin_set(fake_port(f->lab->port[i]), false, NULL), 0);
		assert_int_equal(port_mtu_set(fake_port(f->lab->port[i]), 9000, NULL), 0);
	}
	rounds(f, 4);
	assert_null(strstr(read_all(f, f->fd), "\"object\":\"p0\""));
	assert_non_null(strstr(f->in, "\"kind\":\"port.carrier\",\"object\":\"p1\","
				      "\"bridge\":\"br\",\"type\":\"fake\",\"on\":false"));
	assert_non_null(strstr(f->in, "\"kind\":\"port.mtu\",\"object\":\"p1\","
				      "\"bridge\":\"br\",\"type\":\"fake\",\"mtu\":9000"));
}

static void nothing_is_built_without_a_listener(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);

	assert_false(events_wanted(f->d.events));
	say(f, fd, "events.subscribe", "{}");
	say(f, fd, "events.subscribe", "{}");
	assert_true(events_wanted(f->d.events));
	close(fd);
	rounds(f, 4);
	assert_false(events_wanted(f->d.events));
}

static unsigned n_of(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

/* 1,000 events are many turns, between which others have theirs. */
static void flood_is_told_a_turn_at_a_time(void **state)
{
	struct fixture *f = *state;
	unsigned n_seen = 0, n_most = 0;

	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"log\"]}");
	read_all(f, f->fd);
	for (int i = 0; i < 1000; i++)
		events_publish(f->d.events, i % 4 ? "log.warn" : "other", "x",
			       json_pack("{si}", "number", i));
	for (unsigned i = 0; i < 1000 && n_seen < 750; i++) {
		char last[32];
		unsigned n;

		rounds(f, 1);
		read_all(f, f->fd);
		n = n_of(f->in, "\"kind\":\"log.warn\"");
		assert_int_equal(n, n_of(f->in, "\n"));
		n_most = n > n_most ? n : n_most;
		n_seen += n;
		/* In their order. */
		snprintf(last, sizeof(last), "\"number\":%u}", (n_seen - 1) / 3 * 4 + (n_seen - 1) % 3 + 1);
		assert_true(!n || strstr(f->in, last));
	}
	assert_int_equal(n_seen, 750);
	assert_in_range(n_most, 1, 64);
}

static void slow_reader_is_told_how_much_it_lost(void **state)
{
	struct fixture *f = *state;
	const unsigned n = 6000;
	unsigned n_seen = 0, n_lost = 0;
	const char *at;

	say(f, f->fd, "events.subscribe", "{}");
	read_all(f, f->fd);
	for (unsigned i = 0; i < n; i++) {
		events_publish(f->d.events, "test", "x",
			       json_pack("{ss}", "pad",
					 "0123456789012345678901234567890123456789"
					 "0123456789012345678901234567890123456789"
					 "0123456789012345678901234567890123456789"));
		if (i % 1000 == 0)
			rounds(f, 2);
	}
	rounds(f, n / 64 + 4);
	/* Others are served meanwhile. */
	say(f, f->fd, "daemon.status", "{}");
	for (unsigned i = 0; i < 300 && n_seen + n_lost < n; i++) {
		read_all(f, f->fd);
		for (at = f->in; (at = strstr(at, "\"kind\":\"test\"")); at++)
			n_seen++;
		for (at = f->in; (at = strstr(at, "\"lost\":")); at++)
			if (at[7] != '"') /* the number; once as a kind of its own */
				n_lost += (unsigned)strtoul(at + 7, NULL, 10);
		rounds(f, 1);
	}
	assert_true(n_lost > 0);
	assert_int_equal(n_seen + n_lost, n);
}

static void moved_address_is_told_and_a_flood_of_them_counted(void **state)
{
	struct fixture *f = *state;

	lab_ports(f->lab, 3);
	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"mac\"]}");
	read_all(f, f->fd);
	lab_send(f->lab, 0, 9, 1, -1);
	fake_settle(f->lab->sw);
	lab_send(f->lab, 1, 9, 1, -1);
	fake_settle(f->lab->sw);
	await_text(
		f, f->fd,
		"\"kind\":\"mac.move\",\"object\":\"br\",\"vlan\":1,\"mac\":\"02:00:00:00:00:01\","
		"\"from\":\"p0\",\"to\":\"p1\"");
	for (unsigned i = 0; i < 100; i++) {
		lab_send(f->lab, i % 2, 9, 1, -1);
		fake_settle(f->lab->sw);
	}
	/* Nothing for a second, then 16 of 100, and how many more. */
	rounds(f, 4);
	assert_string_equal(read_all(f, f->fd), "");
	await_text(f, f->fd, "\"kind\":\"mac.move.more\",\"object\":\"br\",\"count\":84");
}

/* Whoever wants moves is told how many were left out; that alone can be had too. */
static void kind_of_moves_has_what_was_left_out(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);

	lab_ports(f->lab, 3);
	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"mac.move\"]}");
	say(f, fd, "events.subscribe", "{\"kinds\":[\"mac.move.more\"]}");
	read_all(f, f->fd);
	read_all(f, fd);
	for (unsigned i = 0; i < 101; i++) {
		lab_send(f->lab, i % 2, 9, 1, -1);
		fake_settle(f->lab->sw);
	}
	await_text(f, f->fd, "\"kind\":\"mac.move.more\",\"object\":\"br\",\"count\":84");
	await_text(f, fd, "\"kind\":\"mac.move.more\"");
	assert_null(strstr(f->in, "\"kind\":\"mac.move\""));
	close(fd);
}

static void *log_from_a_thread(void *arg)
{
	LOG_WARN("port \"x\": something");
	return NULL;
}

static void message_of_the_log_is_told_from_any_thread(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	log_level_set(LOG_LEVEL_ERR); /* what is not printed is told all the same */
	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"log\"]}");
	read_all(f, f->fd);
	assert_int_equal(pthread_create(&thread, NULL, log_from_a_thread, NULL), 0);
	pthread_join(thread, NULL);
	LOG_INFO("nothing that matters");
	await_text(
		f, f->fd,
		"\"kind\":\"log.warn\",\"object\":\"switch\",\"text\":\"port \\\"x\\\": something\"");
	assert_null(strstr(f->in, "matters"));
}

/* Duplicates would make the whole page of metrics unreadable to Prometheus. */
static void name_of_a_vm_is_one_connections(void **state)
{
	struct fixture *f = *state;
	int first = client_connect(f), second = client_connect(f);
	static const char again[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"vm.report\",\"params\":"
		"{\"name\":\"h1\",\"state\":\"paused\"}}\n";

	say(f, first, "vm.report", "{\"name\":\"h1\",\"state\":\"running\"}");
	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"vm\"]}");
	read_all(f, f->fd);
	say(f, second, "vm.report", "{\"name\":\"h1\",\"state\":\"failed\"}");
	assert_non_null(strstr(read_all(f, second), "another connection reports the VM"));
	close(second);
	rounds(f, 4);
	assert_string_equal(read_all(f, f->fd), ""); /* neither failed nor gone */
	say(f, f->fd, "vm.seen", "{}");
	assert_non_null(strstr(read_all(f, f->fd), "\"state\":\"running\""));
	/* It comes again before the loop knows of the first connection's end. */
	second = client_connect(f);
	rounds(f, 2);
	assert_int_equal(send(second, again, sizeof(again) - 1, 0), sizeof(again) - 1);
	close(first);
	await_text(f, f->fd, "\"old\":null,\"new\":\"paused\"");
	say(f, f->fd, "vm.seen", "{}");
	assert_non_null(strstr(read_all(f, f->fd), "\"vms\":[{\"name\":\"h1\""));
	assert_null(strstr(f->in, "running"));
	close(second);
}

static void report(struct fixture *f, int fd, int pid)
{
	char params[96];

	snprintf(params, sizeof(params), "{\"name\":\"h1\",\"state\":\"running\",\"pid\":%d}",
		 pid);
	say(f, fd, "vm.report", params);
	read_all(f, fd);
}

static bool is_published(struct fixture *f, int pid)
{
	char text[32];

	snprintf(text, sizeof(text), "\"pid\":%d,", pid);
	say(f, f->fd, "vm.seen", "{}");
	return strstr(read_all(f, f->fd), text);
}

static void process_of_a_vm_is_its_supervisors(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	report(f, fd, getpid());
	assert_true(is_published(f, getpid()));
	report(f, fd, child);
	assert_true(is_published(f, child));
	report(f, fd, 1);
	assert_non_null(strstr(f->in, "process 1 is none of process"));
	assert_false(is_published(f, 1));
	/* One that has ended: the state counts. */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report(f, fd, child);
	assert_non_null(strstr(f->in, "\"result\""));
	assert_false(is_published(f, child));
	close(fd);
}

static void vm_without_its_supervisor_is_gone(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);

	say(f, f->fd, "events.subscribe", "{\"kinds\":[\"vm\"]}");
	read_all(f, f->fd);
	report(f, fd, getpid());
	await_text(f, f->fd,
		   "\"object\":\"h1\",\"old\":null,\"new\":\"running\",\"reason\":\"\",\"pid\":");
	assert_true(is_published(f, getpid()));
	say(f, fd, "vm.report", "{\"name\":\"h2\",\"state\":\"running\"}");
	assert_non_null(strstr(read_all(f, fd), "this connection reports vm"));
	close(fd);
	await_text(f, f->fd, "\"old\":\"running\",\"new\":\"gone\"");
	say(f, f->fd, "vm.seen", "{}");
	assert_non_null(strstr(read_all(f, f->fd), "\"vms\":[]"));
}

static void vm_that_ended_in_order_is_not_gone(void **state)
{
	struct fixture *f = *state;
	int fd = client_connect(f);

	say(f, f->fd, "events.subscribe", "{}");
	say(f, fd, "vm.report", "{\"name\":\"h1\",\"state\":\"running\",\"ready\":true}");
	await_text(f, f->fd, "\"kind\":\"vm.ready\",\"object\":\"h1\",\"ready\":true");
	say(f, fd, "vm.report", "{\"name\":\"h1\",\"state\":\"stopped\"}");
	close(fd);
	await_text(f, f->fd, "\"new\":\"stopped\"");
	rounds(f, 10);
	assert_null(strstr(read_all(f, f->fd), "gone"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(change_of_a_port_is_told),
		T(only_wanted_kinds_are_told),
		T(only_wanted_objects_are_told),
		T(nothing_is_built_without_a_listener),
		T(flood_is_told_a_turn_at_a_time),
		T(slow_reader_is_told_how_much_it_lost),
		T(moved_address_is_told_and_a_flood_of_them_counted),
		T(kind_of_moves_has_what_was_left_out),
		T(message_of_the_log_is_told_from_any_thread),
		T(name_of_a_vm_is_one_connections),
		T(process_of_a_vm_is_its_supervisors),
		T(vm_without_its_supervisor_is_gone),
		T(vm_that_ended_in_order_is_not_gone),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
