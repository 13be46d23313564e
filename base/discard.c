/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/discard.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/detached.h"

struct job {
	struct job *next;
	int fd; /* -1: a mapping */
	void *at;
	size_t size;
};

struct discard {
	pthread_mutex_t lock;
	struct job *first, **last;
	unsigned n;
	bool running; /* a thread is at work */
	bool orphan;  /* nobody will put anything in any more: the thread frees it */
};

struct discard *discard_create(void)
{
	struct discard *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->last = &d->first;
	return d;
}

static void bin_free(struct discard *d)
{
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void work(int fd, void *at, size_t size)
{
	if (fd >= 0)
		close(fd);
	else
		munmap(at, size);
}

static void *empty(void *arg)
{
	struct discard *d = arg;
	bool orphan;

	pthread_mutex_lock(&d->lock);
	while (d->first) {
		struct job *j = d->first;

		d->first = j->next;
		if (!d->first)
			d->last = &d->first;
		pthread_mutex_unlock(&d->lock);
		work(j->fd, j->at, j->size);
		free(j);
		pthread_mutex_lock(&d->lock);
		d->n--;
	}
	d->running = false;
	orphan = d->orphan;
	pthread_mutex_unlock(&d->lock);
	if (orphan)
		bin_free(d);
	return NULL;
}

static void put(struct discard *d, int fd, void *at, size_t size)
{
	struct job *j = d ? malloc(sizeof(*j)) : NULL;
	bool start;

	if (!j) {
		work(fd, at, size);
		return;
	}
	*j = (struct job){.fd = fd, .at = at, .size = size};
	pthread_mutex_lock(&d->lock);
	*d->last = j;
	d->last = &j->next;
	d->n++;
	start = !d->running;
	d->running = true;
	pthread_mutex_unlock(&d->lock);
	if (start && detached_start(empty, d) < 0)
		empty(d);
}

void discard_fd(struct discard *d, int fd)
{
	if (fd >= 0)
		put(d, fd, NULL, 0);
}

void discard_socket(struct discard *d, int fd)
{
	int n_unread = 0;

	if (fd < 0)
		return;
	shutdown(fd, SHUT_RDWR); /* nothing more comes */
	if (ioctl(fd, FIONREAD, &n_unread) == 0 && !n_unread)
		close(fd);
	else
		discard_fd(d, fd);
}

void discard_map(struct discard *d, void *at, size_t size)
{
	put(d, -1, at, size);
}

unsigned discard_pending(struct discard *d)
{
	unsigned n;

	if (!d)
		return 0;
	pthread_mutex_lock(&d->lock);
	n = d->n;
	pthread_mutex_unlock(&d->lock);
	return n;
}

void discard_destroy(struct discard *d)
{
	bool running;

	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	running = d->running;
	d->orphan = true;
	pthread_mutex_unlock(&d->lock);
	if (!running)
		bin_free(d);
}
