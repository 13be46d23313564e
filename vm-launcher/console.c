/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm-launcher/file.h"

#define WATCHERS_MAX	8
#define TAIL_BYTES	4096
#define INPUT_MAX_BYTES 65536
#define WATCHER_SNDBUF	(512 * 1024) /* a screen that stands still for a while is not cut off */

struct watcher {
	struct console *console;
	struct loop_fd *watch;
	int fd; /* -1: free */
};

struct console {
	struct loop *loop;
	int guest_fd, listen_fd, log_fd;
	struct loop_fd *guest_watch, *listen_watch;
	char log_path[512];
	off_t log_bytes;
	struct watcher watchers[WATCHERS_MAX];
	char tail[TAIL_BYTES];
	size_t tail_len;
	char input[INPUT_MAX_BYTES];
	size_t input_len;
};

static int log_open(struct console *c)
{
	struct stat st;

	c->log_fd = open(c->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (c->log_fd < 0)
		return -errno;
	c->log_bytes = fstat(c->log_fd, &st) == 0 ? st.st_size : 0;
	return 0;
}

static void log_append(struct console *c, const char *data, size_t len)
{
	char older[sizeof(c->log_path) + 4];

	if (c->log_bytes + (off_t)len > CONSOLE_LOG_MAX_BYTES) {
		snprintf(older, sizeof(older), "%s.1", c->log_path);
		rename(c->log_path, older);
		if (c->log_fd >= 0)
			close(c->log_fd);
		log_open(c);
	}
	/* A full disk costs the log, not the console. */
	if (c->log_fd >= 0 && file_write_fd(c->log_fd, data, len) == 0)
		c->log_bytes += (off_t)len;
}

static void tail_append(struct console *c, const char *data, size_t len)
{
	if (len >= TAIL_BYTES) {
		memcpy(c->tail, data + len - TAIL_BYTES, TAIL_BYTES);
		c->tail_len = TAIL_BYTES;
		return;
	}
	if (c->tail_len + len > TAIL_BYTES) {
		size_t drop = c->tail_len + len - TAIL_BYTES;

		memmove(c->tail, c->tail + drop, c->tail_len - drop);
		c->tail_len -= drop;
	}
	memcpy(c->tail + c->tail_len, data, len);
	c->tail_len += len;
}

static void watcher_drop(struct watcher *w)
{
	loop_fd_del(w->watch);
	w->watch = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void watcher_send(struct watcher *w, const char *data, size_t len)
{
	if (len && send(w->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		watcher_drop(w);
}

static void input_flush(struct console *c)
{
	ssize_t n = 0;

	if (c->input_len)
		n = send(c->guest_fd, c->input, c->input_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0) {
		c->input_len -= (size_t)n;
		memmove(c->input, c->input + n, c->input_len);
	}
	if (c->guest_watch)
		loop_fd_mod(c->guest_watch, EPOLLIN | (c->input_len ? EPOLLOUT : 0));
}

static void on_watcher(void *arg, int fd, uint32_t events)
{
	struct watcher *w = arg;
	struct console *c = w->console;
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		watcher_drop(w);
		return;
	}
	if ((size_t)n > sizeof(c->input) - c->input_len)
		n = (ssize_t)(sizeof(c->input) - c->input_len);
	memcpy(c->input + c->input_len, buf, (size_t)n);
	c->input_len += (size_t)n;
	input_flush(c);
}

static void on_listen(void *arg, int fd, uint32_t events)
{
	struct console *c = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), size = WATCHER_SNDBUF;

	if (client < 0)
		return;
	setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (unsigned i = 0; i < WATCHERS_MAX; i++) {
		struct watcher *w = &c->watchers[i];

		if (w->fd >= 0)
			continue;
		if (loop_fd_add(c->loop, client, EPOLLIN, on_watcher, w, &w->watch) < 0)
			break;
		w->fd = client;
		watcher_send(w, c->tail, c->tail_len);
		return;
	}
	close(client);
}

static void on_guest(void *arg, int fd, uint32_t events)
{
	struct console *c = arg;
	char buf[16384];
	ssize_t n;

	if (events & EPOLLOUT)
		input_flush(c);
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* QEMU is gone; its end is noticed elsewhere. */
		loop_fd_del(c->guest_watch);
		c->guest_watch = NULL;
		return;
	}
	log_append(c, buf, (size_t)n);
	tail_append(c, buf, (size_t)n);
	for (unsigned i = 0; i < WATCHERS_MAX; i++)
		if (c->watchers[i].fd >= 0)
			watcher_send(&c->watchers[i], buf, (size_t)n);
}

int console_create(struct loop *loop, int guest_fd, int listen_fd, const char *log_path,
		   struct console **out, struct err *err)
{
	struct console *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		close(guest_fd);
		close(listen_fd);
		return err_set(err, -ENOMEM, "console: out of memory");
	}
	c->loop = loop;
	c->guest_fd = guest_fd;
	c->listen_fd = listen_fd;
	for (unsigned i = 0; i < WATCHERS_MAX; i++)
		c->watchers[i] = (struct watcher){.console = c, .fd = -1};
	snprintf(c->log_path, sizeof(c->log_path), "%s", log_path);
	rc = log_open(c);
	if (rc == 0)
		rc = loop_fd_add(loop, guest_fd, EPOLLIN, on_guest, c, &c->guest_watch);
	if (rc == 0)
		rc = loop_fd_add(loop, listen_fd, EPOLLIN, on_listen, c, &c->listen_watch);
	if (rc < 0) {
		console_destroy(c);
		return err_set(err, rc, "console: log \"%s\": %s", log_path, strerror(-rc));
	}
	*out = c;
	return 0;
}

void console_destroy(struct console *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < WATCHERS_MAX; i++)
		watcher_drop(&c->watchers[i]);
	loop_fd_del(c->guest_watch);
	loop_fd_del(c->listen_watch);
	close(c->guest_fd);
	close(c->listen_fd);
	if (c->log_fd >= 0)
		close(c->log_fd);
	free(c);
}
