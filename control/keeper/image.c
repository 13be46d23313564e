/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From one build's keeper to the next one's, by execve(): the process stays, with its id, its children, its locks
 * and all descriptors.
 *
 * How      What a keeper knows goes into a memfd: numbers of descriptors with their keys, processes, what was
 *          counted. Those descriptors stay open across exec; everything else is closed by it. The arguments are the
 *          same, and where the memfd is. Threads end with the old program: a descriptor that one was still closing is
 *          closed by exec then, which takes as long as it takes; nobody forwards the slower for it.
 * Trust    It is our own; but the build that wrote it was another one: head and sizes must be ours, and were
 *          compared before anything began (TAKEOVER_IMAGE).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define MAGIC	 "LANYKEE"
#define ARGS_MAX 64

enum image_fd { IMAGE_CHANNEL, IMAGE_PIDFD, IMAGE_PULSE, IMAGE_PATHS, IMAGE_LISTEN, IMAGE_CLIENT, IMAGE_HELPER, IMAGE_HELPER_PIDFD, IMAGE_HELPER_NEXT, IMAGE_FDS };

struct image_head {
	char magic[8];
	uint32_t version, head_bytes, n_entries;
	int32_t active_pid, helper_pid; /* 0: no helper */
	int32_t fds[IMAGE_FDS]; /* -1: there is none */
	uint64_t handed_ns, ready_ns;
	struct channel_go go;
	char was[64]; /* the version of the build before */
};

struct image_entry {
	struct keep_key key;
	int32_t fd;
};

/* ---- the old keeper ---- */

static void head_fill(const struct keeper *k, struct image_head *h)
{
	struct helper_image helper;

	*h = (struct image_head){
		.magic = MAGIC,
		.version = TAKEOVER_IMAGE,
		.head_bytes = sizeof(*h),
		.n_entries = fd_table_n(k->table),
		.active_pid = k->active->pid,
		.handed_ns = k->active->handed_ns,
		.ready_ns = k->active->ready_ns,
		.go = k->go,
	};
	h->fds[IMAGE_CHANNEL] = k->active->channel;
	h->fds[IMAGE_PIDFD] = k->active->pidfd;
	h->fds[IMAGE_PULSE] = k->pulse_fd;
	h->fds[IMAGE_PATHS] = paths_fd(k->paths);
	h->fds[IMAGE_LISTEN] = k->takeover.listen;
	h->fds[IMAGE_CLIENT] = k->takeover.client;
	helper_image(k->helper, &helper);
	h->fds[IMAGE_HELPER] = helper.fd;
	h->fds[IMAGE_HELPER_PIDFD] = helper.pidfd;
	h->fds[IMAGE_HELPER_NEXT] = helper.next;
	h->helper_pid = helper.pid;
	snprintf(h->was, sizeof(h->was), "%s", k->opts->version);
}

static int write_all(int fd, const void *data, size_t size)
{
	ssize_t n = write(fd, data, size);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int image_write(const struct keeper *k, const struct image_head *h)
{
	int fd = memfd_create("lanyard-keeper", MFD_CLOEXEC), rc = fd < 0 ? -errno : 0;
	const struct fd_entry *e = NULL;

	if (rc == 0)
		rc = write_all(fd, h, sizeof(*h));
	while (rc == 0 && (e = fd_table_next(k->table, e))) {
		struct image_entry entry = {fd_entry_key(e), fd_entry_fd(e)};

		rc = write_all(fd, &entry, sizeof(entry));
	}
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* cloexec: FD_CLOEXEC or 0. */
static void fds_mark(const struct keeper *k, const struct image_head *h, int cloexec)
{
	const struct fd_entry *e = NULL;

	for (unsigned i = 0; i < IMAGE_FDS; i++)
		if (h->fds[i] >= 0)
			fcntl(h->fds[i], F_SETFD, cloexec);
	while ((e = fd_table_next(k->table, e)))
		fcntl(fd_entry_fd(e), F_SETFD, cloexec);
}

int image_exec(struct keeper *k)
{
	char *program = k->takeover.request.program;
	char *args[ARGS_MAX], number[16];
	struct image_head h;
	unsigned n = 0;
	int fd, rc;

	for (; k->opts->own_argv[n]; n++) {
		if (n + 3 >= ARGS_MAX)
			return -E2BIG;
		args[n] = n ? k->opts->own_argv[n] : program;
	}
	stored_flush(k);
	head_fill(k, &h);
	fd = image_write(k, &h);
	if (fd < 0)
		return fd;
	snprintf(number, sizeof(number), "%d", fd);
	args[n++] = (char *)"--image";
	args[n++] = number;
	args[n] = NULL;
	fds_mark(k, &h, 0);
	fcntl(fd, F_SETFD, 0);
	execv(program, args);
	rc = -errno;
	fds_mark(k, &h, FD_CLOEXEC);
	close(fd);
	return rc;
}

/* ---- the new one ---- */

static int read_all(int fd, void *data, size_t size, off_t at)
{
	return pread(fd, data, size, at) == (ssize_t)size ? 0 : -EPROTO;
}

static int entries_take(struct keeper *k, int fd, unsigned n)
{
	struct image_entry e;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = read_all(fd, &e, sizeof(e), (off_t)(sizeof(struct image_head) + i * sizeof(e)));
		if (rc == 0)
			rc = fd_table_put(k->table, e.key, e.fd);
	}
	return rc;
}

static int active_take(struct keeper *k, const struct image_head *h)
{
	struct packet *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pid = h->active_pid;
	p->pidfd = h->fds[IMAGE_PIDFD];
	p->channel = h->fds[IMAGE_CHANNEL];
	p->handed_ns = h->handed_ns;
	p->ready_ns = h->ready_ns;
	p->warm = p->ready = true;
	k->active = p;
	return packet_watch(p, k->loop, on_active_exit, on_active_channel, k);
}

static int helper_take(struct keeper *k, const struct image_head *h)
{
	const struct helper_opts opts = {.program = k->opts->helper,
					 .run_dir = k->opts->run_dir,
					 .lock_fds = k->lock_fds,
					 .n_locks = 2};
	const struct helper_image was = {
		.fd = h->fds[IMAGE_HELPER],
		.pidfd = h->fds[IMAGE_HELPER_PIDFD],
		.next = h->fds[IMAGE_HELPER_NEXT],
		.pid = h->helper_pid};

	for (uint16_t i = 0; i < 2; i++)
		k->lock_fds[i] = fd_table_look(k->table, (struct keep_key){KEEP_PROCESS, OWN_LOCK, i});
	return helper_adopt(k->loop, &opts, &was, &k->helper);
}

static void success_tell(struct keeper *k, const struct image_head *h)
{
	char text[400], gap[64];
	unsigned n = 0;

	for (const struct fd_entry *e = NULL; (e = fd_table_next(k->table, e));)
		n += fd_entry_key(e).kind == KEEP_CONNECTION;
	snprintf(gap, sizeof(gap), "%.1f ms", (double)k->go.planned.gap_ns / 1e6);
	snprintf(text, sizeof(text), "lanyard-switch %s -> %s: %u connected front end%s, %s without forwarding", h->was,
		 k->opts->version, n, n == 1 ? "" : "s", gap);
	LOG_INFO("switch: taken over: %s", text);
	takeover_answer(k, 0, text);
}

int image_take(struct keeper *k, struct err *err)
{
	int fd = k->opts->image_fd, rc;
	struct image_head h;

	rc = read_all(fd, &h, sizeof(h), 0);
	if (rc == 0 && (memcmp(h.magic, MAGIC, sizeof(h.magic)) || h.version != TAKEOVER_IMAGE ||
			h.head_bytes != sizeof(h)))
		rc = -EPROTO;
	if (rc == 0)
		rc = entries_take(k, fd, h.n_entries);
	close(fd);
	if (rc < 0)
		return err_set(err, rc, "what the keeper before has left cannot be taken over: %s", strerror(-rc));
	k->go = h.go;
	k->pulse_fd = h.fds[IMAGE_PULSE];
	k->takeover.listen = h.fds[IMAGE_LISTEN];
	k->takeover.client = h.fds[IMAGE_CLIENT];
	k->listening = k->was_ready = k->told_ready = true;
	rc = pulse_map(k);
	if (rc == 0)
		rc = paths_adopt(k->loop, h.fds[IMAGE_PATHS], &k->paths);
	if (rc == 0)
		rc = helper_take(k, &h);
	if (rc == 0)
		rc = active_take(k, &h);
	if (rc < 0)
		return err_set(err, rc, "the keeper cannot go on: %s", strerror(-rc));
	fds_mark(k, &h, FD_CLOEXEC);
	stored_go_on(k);
	watch_over(k);
	spare_later(k);
	success_tell(k, &h);
	return 0;
}
