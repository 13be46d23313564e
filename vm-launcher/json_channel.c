/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/json_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm-launcher/line_reader.h"

#define OUT_MAX_BYTES (1 << 20)
#define READ_BYTES    16384

struct json_channel {
	struct json_channel_opts opts;
	struct loop *loop;
	struct loop_fd *watch;
	int fd;
	struct line_reader in;
	char *out;
	size_t out_len;
	bool busy;   /* in a callback: destroying is put off */
	bool doomed; /* destroyed meanwhile */
};

static void release(struct json_channel *c)
{
	loop_fd_del(c->watch);
	if (c->fd >= 0)
		close(c->fd);
	line_reader_free(&c->in);
	free(c->out);
	free(c);
}

void json_channel_destroy(struct json_channel *c)
{
	if (!c)
		return;
	c->doomed = true;
	if (!c->busy)
		release(c);
}

static int on_line(void *arg, char *line, size_t len)
{
	struct json_channel *c = arg;
	json_t *msg;

	if (!line) {
		c->opts.too_long(c->opts.arg);
		return c->doomed ? -ECANCELED : 0;
	}
	msg = json_loadb(line, len, 0, NULL);
	if (!json_is_object(msg)) {
		json_decref(msg);
		return c->opts.skip_bad ? 0 : -EBADMSG;
	}
	c->opts.message(c->opts.arg, msg);
	json_decref(msg);
	return c->doomed ? -ECANCELED : 0;
}

static void end(struct json_channel *c, const char *why)
{
	loop_fd_del(c->watch);
	c->watch = NULL;
	c->opts.ended(c->opts.arg, why);
}

static const char *why_ended(int rc)
{
	switch (rc) {
	case -EMSGSIZE:
		return "it sent a line that is too long";
	case -EBADMSG:
		return "it sent something that is not a JSON object";
	default:
		return strerror(-rc);
	}
}

/* Returns 0, or -errno when the other side is gone. */
static int flush(struct json_channel *c)
{
	size_t done = 0;

	while (done < c->out_len) {
		ssize_t n =
			send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	c->out_len -= done;
	if (c->out_len && done)
		memmove(c->out, c->out + done, c->out_len);
	if (c->watch)
		loop_fd_mod(c->watch, EPOLLIN | (c->out_len ? EPOLLOUT : 0));
	return 0;
}

static int on_readable(struct json_channel *c)
{
	char buf[READ_BYTES];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	return line_reader_feed(&c->in, buf, (size_t)n, on_line, c);
}

static void on_event(void *arg, int fd, uint32_t events)
{
	struct json_channel *c = arg;
	int rc = 0;

	c->busy = true;
	if (events & EPOLLOUT)
		rc = flush(c);
	if (rc == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		rc = on_readable(c);
	if (rc < 0 && !c->doomed)
		end(c, rc == -EPIPE ? "it closed the connection" : why_ended(rc));
	c->busy = false;
	if (c->doomed)
		release(c);
}

int json_channel_create(struct loop *loop, int fd, const struct json_channel_opts *opts,
			struct json_channel **out)
{
	struct json_channel *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->opts = *opts;
	c->loop = loop;
	c->fd = fd;
	line_reader_init(&c->in, opts->line_max_bytes);
	c->in.skip_long = opts->skip_bad;
	rc = loop_fd_add(loop, fd, EPOLLIN, on_event, c, &c->watch);
	if (rc < 0) {
		release(c);
		return rc;
	}
	*out = c;
	return 0;
}

int json_channel_send(struct json_channel *c, const char *prefix, json_t *msg)
{
	char *text = json_dumps(msg, JSON_COMPACT), *grown;
	size_t n_prefix = prefix ? strlen(prefix) : 0, n = text ? strlen(text) : 0;
	int rc = 0;

	json_decref(msg);
	if (!text)
		return -ENOMEM;
	if (c->out_len + n_prefix + n + 1 > OUT_MAX_BYTES) {
		free(text);
		return -ENOBUFS;
	}
	grown = realloc(c->out, c->out_len + n_prefix + n + 1);
	if (grown) {
		c->out = grown;
		if (n_prefix)
			memcpy(c->out + c->out_len, prefix, n_prefix);
		memcpy(c->out + c->out_len + n_prefix, text, n);
		c->out[c->out_len + n_prefix + n] = '\n';
		c->out_len += n_prefix + n + 1;
		rc = flush(c);
	} else {
		rc = -ENOMEM;
	}
	free(text);
	return rc;
}
