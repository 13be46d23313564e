/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's machine protocol: the greeting, commands with their answers, events.
 *
 * How      Commands are answered in their order; each carries an id all the same. The greeting
 *          comes when QEMU has reached its main loop, that is, when its vhost-user sockets are served.
 *          It may be destroyed from its own callbacks.
 * Threads  the loop's thread.
 * Trust    QEMU may have been taken over by its guest: lines are bounded (1 MiB), answers nobody
 *          waits for are ignored, what is no JSON ends the connection.
 */
#ifndef VM_LAUNCHER_QMP_H
#define VM_LAUNCHER_QMP_H

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"

struct qmp;

struct qmp_opts {
	void (*ready)(void *arg); /* capabilities are negotiated: commands may be sent */
	void (*event)(void *arg, const char *name, const json_t *data); /* data may be NULL */
	void (*ended)(void *arg, const char *why); /* once; all waiting commands have failed */
	void *arg;
};

/* result is borrowed, NULL on failure, when err says why. */
typedef void (*qmp_fn)(void *arg, const json_t *result, const struct err *err);

/* fd becomes the connection's, on failure too. */
int qmp_create(struct loop *loop, int fd, const struct qmp_opts *opts, struct qmp **out);
void qmp_destroy(struct qmp *q); /* accepts NULL; no more calls, not even of waiting commands */

/* args is stolen and may be NULL; fn may be NULL. */
void qmp_call(struct qmp *q, const char *command, json_t *args, qmp_fn fn, void *arg);

#endif
