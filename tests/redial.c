/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front end that connects again whenever its socket is closed, as QEMU does, and does what it is told.
 *
 * usage: redial connect|serve PATH      who owns the socket. Each line on stdin gets one on stdout:
 *        up            shakes hands, again each time the socket is closed meanwhile: "up TRIES"
 *        hangup        closes: "closed"
 *        send HEX      a frame: "sent", or "full"
 *        recv          "N", the frames that came since the last such line
 *        alive         "yes", or "no": the other side has closed
 * What it cannot do ends it, with a sentence on stderr.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/front_end.h"

#define TRIES_MAX 50
#define UP_NS	  (20 * S_NS)
#define RING_MS	  5000

static struct fe_opts opts = {.n_pairs = 1};
static struct fe *fe;

static void die(const char *what)
{
	fprintf(stderr, "redial: %s\n", what);
	exit(1);
}

static bool alive(void)
{
	struct pollfd p = {.events = POLLRDHUP};

	if (!fe)
		return false;
	p.fd = fe->fd;
	return poll(&p, 1, 0) == 0;
}

static void hangup(void)
{
	fe_close(fe);
	fe = NULL;
}

/* True when both rings run: each is called once when it starts. False: the socket was closed first. */
static bool rings_run(void)
{
	struct pollfd p[3] = {{.fd = fe->rings[0].call_fd, .events = POLLIN},
			      {.fd = fe->rings[1].call_fd, .events = POLLIN},
			      {.fd = fe->fd, .events = POLLRDHUP}};
	unsigned n_run = 0;

	while (n_run < 2) {
		if (poll(p, 3, RING_MS) <= 0)
			die("the rings were not started, and the socket is still open");
		if (p[2].revents)
			return false;
		for (unsigned i = 0; i < 2; i++)
			if (p[i].revents) {
				p[i].fd = -1;
				n_run++;
			}
	}
	return true;
}

static void up(void)
{
	uint64_t end_ns = loop_now_ns() + UP_NS;
	unsigned n_tries = 0;

	while (!fe) {
		struct err err = ERR_NONE;
		int rc = fe_open(&opts, &fe, &err);

		/* Nobody closed, and nobody answers: that is a port which is stuck. */
		if (rc < 0)
			fe = NULL;
		if (rc == -ETIMEDOUT || ++n_tries > TRIES_MAX || loop_now_ns() > end_ns)
			die(rc < 0 ? err.text : "the rings never run");
		if (fe && !rings_run())
			hangup();
		if (!fe)
			usleep(5000);
	}
	printf("up %u\n", n_tries);
}

static void send_hex(const char *hex)
{
	uint8_t f[2048];
	unsigned n = 0, byte;

	while (n < sizeof(f) && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		f[n++] = (uint8_t)byte;
	puts(fe && fe_send(fe, 0, f, n) ? "sent" : "full");
}

static unsigned received(void)
{
	uint8_t f[4096];
	unsigned n = 0;

	while (fe && fe_recv(fe, 0, f, sizeof(f)) >= 0)
		n++;
	return n;
}

int main(int argc, char **argv)
{
	static char line[8192];

	if (argc != 3 || (strcmp(argv[1], "connect") && strcmp(argv[1], "serve"))) {
		fputs("usage: redial connect|serve PATH\n", stderr);
		return 2;
	}
	opts.server = !strcmp(argv[1], "serve");
	opts.path = argv[2];
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "up", 2)) {
			up();
		} else if (!strncmp(line, "hangup", 6)) {
			hangup();
			puts("closed");
		} else if (!strncmp(line, "send ", 5)) {
			send_hex(line + 5);
		} else if (!strncmp(line, "recv", 4)) {
			printf("%u\n", received());
		} else if (!strncmp(line, "alive", 5)) {
			puts(alive() ? "yes" : "no");
		} else {
			die("what?");
		}
		fflush(stdout);
	}
	hangup();
	return 0;
}
