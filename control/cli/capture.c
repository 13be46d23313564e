/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How      The switch passes memory into which its workers write copies of frames; this process reads
 *          them and writes the file with its user's rights. The capture lasts as long as the connection.
 */
#include "control/cli/capture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/cli/capture_read.h"
#include "control/cli/frame_line.h"
#include "control/cli/pcapng.h"
#include "control/cli/sink.h"
#include "control/rpc/methods.h"
#include "switch/counters.h"

#define LOOK_MS	     20	   /* between looks at quiet rings: what waits is written out that often */
#define TURN_FRAMES  65536 /* between looks at the clock, and flushes */
#define COMMENT_SIZE 320

static const struct param capture_params[] = {
	CAPTURE_PARAMS,
	{"w", PARAM_STRING, 0, 1, 4096, "FILE", "write pcapng to FILE, or to stdout where it is -"},
	{"count", PARAM_INT, 0, 1, INT64_MAX, "N", "end after N frames"},
	{"for", PARAM_DURATION, 0, 0, 86400 * 365, "TIME", "end after this time"},
	{.name = NULL},
};
const struct method m_capture = {
	"capture",
	"capture",
	"Record frames of ports",
	capture_params,
	METHOD_LOCAL,
	"Frames are as they are on their port: with its VLAN tags, and whole where the guest left cutting "
	"them into TCP segments to others. Without -w each is printed as a line.\n"
	"In Wireshark, live: lanyard capture P -w - | wireshark -k -i -\n"
	"Ends with Ctrl-C, --count, --for, the switch, or when all its ports have been deleted. Where this is "
	"slower than the frames that match, copies are lost and counted, never traffic.",
};

struct capture {
	struct cli *cli;
	const json_t *params;
	json_t *started; /* what capture.start has answered */
	struct rpc_client *client;
	struct capture_reader *reader;
	struct sink *sink;
	FILE *file;	  /* of the sink */
	const char *path; /* of -w; NULL: stdout */
	const char *names[CAPTURE_PORTS_MAX];
	uint64_t n_written[CAPTURE_PORTS_MAX], n_frames, n_most, until_ns, start_ns;
	uint64_t n_unwritten; /* frames that were read, and that the file's reader did not take */
	unsigned n_ports;
	bool to_pcapng, reader_gone; /* reader_gone: or it takes nothing, and an end was wanted */
};

static volatile sig_atomic_t stop;

static void on_signal(int signal_number)
{
	stop++;
}

static void signals_take(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* Whether the switch has ended: it says nothing more on this connection. */
static bool switch_is_gone(const struct capture *c, int wait_ms)
{
	struct pollfd p = {.fd = rpc_client_fd(c->client), .events = POLLIN};

	return poll(&p, 1, wait_ms) > 0;
}

/* While the file's reader is waited for; see sink_over_fn. */
static int is_over(void *arg)
{
	const struct capture *c = arg;

	if (stop)
		return stop;
	return loop_now_ns() >= c->until_ns || capture_has_ended(c->reader) || switch_is_gone(c, 0);
}

static uint64_t now_realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * S_NS + (uint64_t)now.tv_nsec;
}

/* ---- what is written ---- */

static const char *const rx_names[] =
	{
#define X(e, name, text) name,
		RX_DROPS(X)
#undef X
},
			 *const rx_texts[] =
				 {
#define X(e, name, text) text,
					 RX_DROPS(X)
#undef X
},
			 *const tx_names[] =
				 {
#define X(e, name, text) name,
					 TX_DROPS(X)
#undef X
},
			 *const tx_texts[] = {
#define X(e, name, text) text,
				 TX_DROPS(X)
#undef X
};

static const char *reason_of(const struct capture_record *r)
{
	bool out = r->flags & CAPTURE_OUT;

	if (!(r->flags & CAPTURE_DROP))
		return NULL;
	if (r->reason >= (out ? N_TX_DROPS : N_RX_DROPS))
		return "unknown";
	return (out ? tx_names : rx_names)[r->reason];
}

/* "dropped, vlan_not_allowed: the tag's VLAN …"; NULL for frames that were not dropped. */
static const char *comment_of(const struct capture_record *r, char *text)
{
	bool out = r->flags & CAPTURE_OUT;
	const char *reason = reason_of(r);

	if (!reason)
		return NULL;
	snprintf(text, COMMENT_SIZE, "dropped, %s%s%s", reason,
		 strcmp(reason, "unknown") ? ": " : "",
		 strcmp(reason, "unknown") ? (out ? tx_texts : rx_texts)[r->reason] : "");
	return text;
}

static void packet_write(struct capture *c, const struct capture_frame *f)
{
	char comment[COMMENT_SIZE];
	const struct pcapng_packet p = {
		.interface = f->r.port,
		.time_ns = f->time_ns,
		.bytes = f->bytes,
		.kept = f->r.kept,
		.len = f->r.len,
		.out = f->r.flags & CAPTURE_OUT,
		.comment = comment_of(&f->r, comment),
	};

	pcapng_packet(c->file, &p);
}

static void line_write(struct capture *c, const struct capture_frame *f)
{
	const char *reason = reason_of(&f->r), *way = f->r.flags & CAPTURE_OUT ? "out" : "in";
	time_t s = (time_t)(f->time_ns / S_NS);
	char text[512], clock[16];
	struct tm tm;

	frame_line(f->bytes, f->r.kept, f->r.len, text, sizeof(text));
	if (c->cli->json) {
		json_t *one = json_pack("{sf ss ss sI ss ss?}", "time", (double)f->time_ns / 1e9,
					"port", c->names[f->r.port], "direction", way, "len",
					(json_int_t)f->r.len, "frame", text, "reason", reason);

		json_dumpf(one, c->file, JSON_COMPACT | JSON_REAL_PRECISION(16));
		json_decref(one);
		putc('\n', c->file);
		return;
	}
	localtime_r(&s, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(c->file, "%s.%06u %s %-3s %s%s%s\n", clock, (unsigned)(f->time_ns % S_NS / 1000),
		c->names[f->r.port], way, text, reason ? ": dropped, " : "", reason ? reason : "");
}

static size_t line_len(const uint8_t *p, size_t len)
{
	const uint8_t *end = memchr(p, '\n', len);

	return end ? (size_t)(end - p) + 1 : len;
}

/* -errno when what was written does not arrive; a reader of a pipe that has gone is no error, nor one that
 * takes nothing when the capture is to end. */
static int flush(struct capture *c, uint64_t *n_left, struct err *err)
{
	int rc = sink_flush(c->sink, n_left);

	if (rc == 0)
		return 0;
	if (rc == -EPIPE || rc == -ECANCELED) {
		c->reader_gone = true;
		return 0;
	}
	if (rc == -EINTR)
		return err_set(err, rc, "stdout has got only a part of a frame, as its reader stopped reading");
	return err_set(err, rc, "cannot write %s: %s", c->path ? c->path : "to stdout",
		       strerror(-rc));
}

static int frames_flush(struct capture *c, struct err *err)
{
	uint64_t n_left;
	int rc = flush(c, &n_left, err);

	c->n_frames -= n_left;
	c->n_unwritten += n_left;
	return rc;
}

/* Writes what there is. Returns how many frames. */
static int frames_write(struct capture *c, bool all, struct err *err)
{
	struct capture_frame f;
	int n = 0, rc = 0;

	capture_look(c->reader, all);
	while ((all || n < TURN_FRAMES) && c->n_frames < c->n_most &&
	       (rc = capture_next(c->reader, &f, err)) > 0) {
		if (c->to_pcapng)
			packet_write(c, &f);
		else
			line_write(c, &f);
		c->n_written[f.r.port]++;
		c->n_frames++;
		n++;
		if (!sink_is_full(c->sink))
			continue;
		rc = frames_flush(c, err);
		if (rc < 0 || c->reader_gone)
			return rc;
	}
	if (rc >= 0)
		rc = frames_flush(c, err);
	return rc < 0 ? rc : n;
}

/* ---- beginning and end ---- */

static int file_open(struct capture *c, struct err *err)
{
	const char *path = json_string_value(json_object_get(c->params, "w"));
	const json_t *snaplen = json_object_get(c->params, "snaplen"), *port;
	uint64_t n_left;
	size_t i;
	int rc;

	c->to_pcapng = path;
	c->path = path && strcmp(path, "-") ? path : NULL;
	rc = sink_open(c->path, path ? pcapng_block_len : line_len, is_over, c, &c->sink);
	if (rc == -ECANCELED) {
		c->reader_gone = true;
		return 0;
	}
	if (rc < 0)
		return err_set(err, rc, "cannot write %s: %s", c->path ? c->path : "to stdout",
			       strerror(-rc));
	c->file = sink_file(c->sink);
	if (!path)
		return 0;
	if (!c->path && sink_is_terminal(c->sink)) {
		err_set(err, -EINVAL, "stdout is a terminal, which cannot show a capture's bytes");
		err_hint(err, "pipe them to `wireshark -k -i -`, or leave -w out");
		return -EINVAL;
	}
	pcapng_header(c->file);
	json_array_foreach (json_object_get(c->started, "ports"), i, port) {
		char description[160];

		snprintf(description, sizeof(description), "%s port on bridge %s",
			 json_string_value(json_object_get(port, "type")),
			 json_string_value(json_object_get(port, "bridge")));
		pcapng_interface(c->file, c->names[i], description,
				 json_string_value(json_object_get(c->params, "f")),
				 (uint32_t)json_integer_value(snaplen));
	}
	return flush(c, &n_left, err);
}

/* The parameters of capture.start: ours without what is the command's own. */
static json_t *start_params(const json_t *params)
{
	json_t *out = json_copy((json_t *)params);

	json_object_del(out, "w");
	json_object_del(out, "count");
	json_object_del(out, "for");
	return out;
}

static int start(struct capture *c, struct rpc_client *client, struct err *err)
{
	int rc = rpc_call(client, m_capture_start.rpc, start_params(c->params), &c->started, err),
	    fd;
	json_t *port;
	size_t i;

	if (rc < 0)
		return rc;
	fd = rpc_client_take_fd(client);
	if (fd < 0)
		return err_set(err, -EPROTO, "the switch's answer came without memory");
	json_array_foreach (json_object_get(c->started, "ports"), i, port)
		if (i < CAPTURE_PORTS_MAX) {
			const char *name = json_string_value(json_object_get(port, "name"));

			c->names[c->n_ports++] = name ? name : "?";
		}
	rc = capture_open(fd, c->started, &c->reader, err);
	close(fd);
	return rc;
}

/* What lies in the rings and nobody will read: a reader that took nothing is to hear of all that it missed. */
static void rest_count(struct capture *c)
{
	struct err err = ERR_NONE;
	struct capture_frame f;

	capture_look(c->reader, true);
	while (c->n_frames + c->n_unwritten < c->n_most && capture_next(c->reader, &f, &err) > 0)
		c->n_unwritten++;
}

static int end_tell(struct capture *c, struct err *err)
{
	uint64_t now_ns = now_realtime_ns(), n_lost = 0, n_left;
	int rc;

	for (unsigned i = 0; i < c->n_ports; i++) {
		uint64_t lost = capture_n_lost(c->reader, i);

		if (c->to_pcapng && !c->reader_gone)
			pcapng_statistics(c->file, i, c->start_ns, now_ns, c->n_written[i], lost);
		n_lost += lost;
	}
	rc = c->reader_gone ? 0 : flush(c, &n_left, err);
	if (rc < 0)
		return rc;
	if (c->reader_gone)
		rest_count(c);
	fprintf(stderr, "%llu frame%s captured\n", (unsigned long long)c->n_frames,
		c->n_frames == 1 ? "" : "s");
	if (c->n_unwritten)
		fprintf(stderr, "%llu more %s not written, as the reader took nothing more\n",
			(unsigned long long)c->n_unwritten, c->n_unwritten == 1 ? "was" : "were");
	for (unsigned i = 0; n_lost && i < c->n_ports; i++)
		if (capture_n_lost(c->reader, i))
			fprintf(stderr, "%llu of port %s lost, as they were not read fast enough\n",
				(unsigned long long)capture_n_lost(c->reader, i), c->names[i]);
	return 0;
}

/* Reads until somebody wants it to end. */
static int read_all(struct capture *c, struct err *err)
{
	bool ended = c->reader_gone;
	int n = 0;

	while (!ended) {
		bool gone = switch_is_gone(c, n > 0 ? 0 : LOOK_MS);
		bool no_port = capture_has_ended(c->reader);

		ended = gone || no_port || stop || loop_now_ns() >= c->until_ns;
		n = frames_write(c, ended, err);
		if (n < 0)
			return n;
		ended = ended || c->reader_gone || c->n_frames >= c->n_most;
		if (gone)
			fprintf(stderr, "lanyard: the switch has ended, and the capture with it\n");
		else if (no_port)
			fprintf(stderr, "lanyard: %s been deleted, and the capture ends\n",
				c->n_ports == 1 ? "its port has" : "all its ports have");
	}
	return 0;
}

int capture_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	const json_t *count = json_object_get(params, "count"),
		     *time = json_object_get(params, "for");
	struct capture c = {.cli = cli, .params = params, .start_ns = now_realtime_ns()};
	struct rpc_client *client;
	int rc = cli_connect(cli, &client, err), closed;

	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	signals_take();
	c.n_most = count ? (uint64_t)json_integer_value(count) : UINT64_MAX;
	c.until_ns = time ? loop_now_ns() + (uint64_t)(json_number_value(time) * 1e9) : UINT64_MAX;
	c.client = client;
	rc = start(&c, client, err);
	if (rc == 0)
		rc = file_open(&c, err);
	if (rc == 0)
		rc = read_all(&c, err);
	if (rc == 0 && c.reader)
		rc = end_tell(&c, err);
	closed = sink_close(c.sink);
	if (closed < 0 && rc == 0)
		rc = err_set(err, closed, "cannot write %s: %s", c.path, strerror(-closed));
	capture_close(c.reader);
	rpc_close(client);
	json_decref(c.started);
	return cli_exit_code(rc);
}
