/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QMP: what a QEMU that its guest has taken over may send, in pieces of any size, while commands are
 * given.
 *
 * Input    8 bytes say in turn what callbacks do (nothing, give a command, end the connection) and in
 *          which pieces the rest is sent; the rest is what is sent.
 * How      Each command is answered once or, where the connection was ended by us, never; `ended` comes
 *          once, and nothing after it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/input.h"
#include "vm-launcher/qmp.h"

static struct qmp *qmp;
static uint8_t script[8];
static unsigned n_events, n_asked, n_answered;
static bool ready, ended, destroyed;

static void on_answer(void *arg, const json_t *result, const struct err *err);

static void ask(void)
{
	if (destroyed || n_asked >= 40)
		return;
	n_asked++;
	qmp_call(qmp, "query-status", n_asked % 2 ? json_pack("{ss}", "a", "b") : NULL, on_answer,
		 &qmp);
}

/* What a callback does next. */
static void turn(void)
{
	uint8_t what = script[n_events++ % sizeof(script)];

	if (destroyed)
		return;
	if (what % 16 == 1) {
		destroyed = true;
		qmp_destroy(qmp);
	} else if (what % 4 == 2) {
		ask();
	}
}

static void on_answer(void *arg, const json_t *result, const struct err *err)
{
	FUZZ_CHECK(arg == &qmp && !destroyed, "an answer to somebody who has gone");
	FUZZ_CHECK(!result != !err->text[0], "a result and an error, or neither: %s", err->text);
	n_answered++;
	FUZZ_CHECK(n_answered <= n_asked, "%u answers to %u commands", n_answered, n_asked);
	turn();
}

static void on_ready(void *arg)
{
	FUZZ_CHECK(!ready && !ended && !destroyed, "ready again");
	ready = true;
	turn();
}

static void on_event(void *arg, const char *name, const json_t *data)
{
	FUZZ_CHECK(!ended && !destroyed && name, "an event after the end");
	turn();
}

static void on_ended(void *arg, const char *why)
{
	FUZZ_CHECK(!ended && !destroyed && why[0], "ended twice");
	FUZZ_CHECK(n_answered == n_asked, "%u commands were never answered", n_asked - n_answered);
	ended = true;
	turn();
}

static void rounds(struct loop *loop, int fd, unsigned n)
{
	char buf[4096];

	for (unsigned i = 0; i < n; i++) {
		loop_once(loop, 0);
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {16384, 1, 7, 100};
	const struct qmp_opts opts = {.ready = on_ready, .event = on_event, .ended = on_ended};
	struct input in = {data, size};
	const int n_fds = fds_open();
	struct loop *loop;
	size_t piece;
	int pair[2];

	in_bytes(&in, script, sizeof(script));
	piece = pieces[script[7] % 4];
	n_events = n_asked = n_answered = 0;
	ready = ended = destroyed = false;
	FUZZ_CHECK(loop_create(&loop) == 0, "no loop");
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		   "%d", errno);
	FUZZ_CHECK(qmp_create(loop, pair[1], &opts, &qmp) == 0, "no connection");
	if (script[7] & 16)
		ask();
	for (size_t at = 0; at < in.left && !ended && !destroyed; at += piece) {
		size_t here = in.left - at < piece ? in.left - at : piece;

		if (send(pair[0], in.at + at, here, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		rounds(loop, pair[0], 1);
	}
	rounds(loop, pair[0], 2);
	close(pair[0]);
	for (unsigned i = 0; i < 3; i++)
		loop_once(loop, 0);
	FUZZ_CHECK(ended || destroyed, "nobody was told of the end");
	if (!destroyed)
		qmp_destroy(qmp);
	loop_destroy(loop);
	FUZZ_CHECK(fds_open() == n_fds, "%d descriptors were leaked", fds_open() - n_fds);
	return 0;
}
