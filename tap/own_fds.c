/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/own_fds.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct own_fds_before {
	uint8_t open[OWN_FDS_MAX / 8]; /* a bit a descriptor */
};

static bool is_socket(int fd, int domain)
{
	int family;
	socklen_t len = sizeof(family);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == domain;
}

static bool is_bpf(int fd)
{
	static const char bpf[] = "anon_inode:bpf-";
	char path[48], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n > (ssize_t)sizeof(bpf) && !memcmp(target, bpf, sizeof(bpf) - 1);
}

/* Calls fn for each that is open. */
static void each(void (*fn)(void *arg, int fd), void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (e->d_name[0] != '.' && fd != dirfd(dir) && fd < OWN_FDS_MAX)
			fn(arg, fd);
	}
	if (dir)
		closedir(dir);
}

static void note(void *arg, int fd)
{
	struct own_fds_before *before = arg;

	before->open[fd / 8] |= (uint8_t)(1u << fd % 8);
}

struct own_fds_before *own_fds_before(void)
{
	struct own_fds_before *before = calloc(1, sizeof(*before));

	if (before)
		each(note, before);
	return before;
}

struct search {
	const struct own_fds_before *before;
	int domain;
	struct own_fds *sockets, *bpf;
};

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void add(struct own_fds *o, int fd)
{
	if (o->n < OWN_FD_SOCKETS)
		o->fd[o->n++] = fd;
}

static void find(void *arg, int fd)
{
	const struct search *s = arg;

	if (s->before->open[fd / 8] >> fd % 8 & 1)
		return;
	if (is_socket(fd, s->domain))
		add(s->sockets, fd);
	else if (is_bpf(fd))
		add(s->bpf, fd);
}

void own_fds_new(struct own_fds_before *before, int domain, struct own_fds *sockets,
		 struct own_fds *bpf)
{
	struct search s = {before, domain, sockets, bpf};

	sockets->n = bpf->n = 0;
	if (before)
		each(find, &s);
	qsort(sockets->fd, sockets->n, sizeof(sockets->fd[0]), by_number);
	free(before);
}

void own_fds_close(struct own_fds *sockets, int domain, struct own_fds *bpf)
{
	for (unsigned i = 0; i < sockets->n; i++)
		if (is_socket(sockets->fd[i], domain))
			close(sockets->fd[i]);
	for (unsigned i = 0; i < bpf->n; i++)
		if (is_bpf(bpf->fd[i]))
			close(bpf->fd[i]);
	sockets->n = bpf->n = 0;
}
