/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define FDS_RESERVE 64 /* descriptors that no packet process can have us use up */
#define END_MAX (5 * S_NS) /* from SIGTERM to SIGKILL */

/* ---- the end ---- */

static void spare_kill(struct keeper *k)
{
	packet_kill(k->spare);
	k->spare = NULL;
}

static void active_late(void *arg)
{
	struct keeper *k = arg;

	LOG_WARN("switch: process %d does not end; it is killed", (int)k->active->pid);
	kill(k->active->pid, SIGKILL);
}

void keeper_stop(struct keeper *k, const char *why, bool tell)
{
	if (k->stopping)
		return;
	k->stopping = true;
	if (why)
		LOG_INFO("switch: stopping: %s", why);
	k->opts->on_stopping(k->opts->arg);
	takeover_fail(k, -ESHUTDOWN, "the switch is about to end");
	succession_forget(k);
	opening_forget(k);
	loop_timer_del(k->spare_timer);
	loop_timer_del(k->tick_timer);
	loop_timer_del(k->deadline_timer);
	spare_kill(k);
	if (!k->active) {
		loop_stop(k->loop, k->status);
		return;
	}
	if (tell)
		kill(k->active->pid, SIGTERM);
	loop_timer_add(k->loop, END_MAX, active_late, k, &k->deadline_timer);
}

void keeper_fail(struct keeper *k)
{
	k->status = EXIT_FAILURE;
	keeper_stop(k, NULL, false);
}

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	struct signalfd_siginfo info;
	char why[64];

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	snprintf(why, sizeof(why), "%s from process %u", strsignal((int)info.ssi_signo),
		 info.ssi_pid);
	if (info.ssi_signo == SIGUSR1)
		stored_leave(k, why);
	else
		keeper_stop(k, why, true);
}

/* ---- begin ---- */

/* The table owns a copy of fd. */
static int own_put(struct keeper *k, enum channel_own which, uint16_t index, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno :
			  fd_table_put(k->table,
				       (struct keep_key){KEEP_PROCESS, (uint16_t)which, index},
				       copy);
}

int servants_renew(struct keeper *k)
{
	int fd, rc;

	paths_destroy(k->paths);
	k->paths = NULL;
	rc = paths_create(k->loop, &k->paths, &fd);
	if (rc == 0)
		rc = fd_table_put(k->table, (struct keep_key){KEEP_PROCESS, OWN_PATHS, 0}, fd);
	if (rc == 0)
		rc = helper_renew(k->helper, &fd);
	return rc < 0 ? rc : fd_table_put(k->table, (struct keep_key){KEEP_PROCESS, OWN_HOST, 0}, fd);
}

static int begin(struct keeper *k)
{
	const struct keeper_opts *o = k->opts;
	const struct helper_opts host = {
		.program = o->helper, .run_dir = o->run_dir, .lock_fds = o->lock_fds, .n_locks = 2};
	int rc = helper_create(k->loop, &host, &k->helper);

	for (uint16_t i = 0; rc == 0 && i < 2; i++)
		rc = own_put(k, OWN_LOCK, i, o->lock_fds[i]);
	if (rc == 0 && o->metrics_fd >= 0)
		rc = own_put(k, OWN_METRICS, 0, o->metrics_fd);
	if (rc < 0)
		return rc;
	stored_begin(k);
	k->go.keeper_pid = getpid();
	k->go.start_ns = k->go.start_ns ?: loop_now_ns();
	spare_start(k);
	return 0;
}

static int fds_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return limit.rlim_cur > 2 * FDS_RESERVE ? (int)limit.rlim_cur - FDS_RESERVE : (int)limit.rlim_cur / 2;
}

/* From nothing, or as what this process was before it became another build's. */
static int begin_or_go_on(struct keeper *k, struct err *err)
{
	int rc = loop_create(&k->loop);

	k->table = fd_table_create();
	if (rc == 0 && !k->table)
		rc = -ENOMEM;
	if (rc == 0)
		rc = loop_fd_add(k->loop, k->opts->signal_fd, EPOLLIN, on_signal, k, &k->signal_watch);
	if (rc == 0 && k->opts->image_fd >= 0)
		return image_take(k, err);
	if (rc == 0)
		rc = begin(k);
	return rc < 0 ? err_set(err, rc, "the keeper cannot start: %s", strerror(-rc)) : 0;
}

int keeper_run(const struct keeper_opts *opts, struct err *err)
{
	struct keeper k = {
		.opts = opts,
		.packet_program = opts->program,
		.takeover = {.listen = -1, .client = -1},
		.pulse_fd = -1,
		.mourner_fd = -1,
		.fds_max = fds_most(),
	};
	int rc = begin_or_go_on(&k, err);

	if (rc == 0)
		takeover_listen(&k);
	if (rc == 0)
		rc = k.stopping ? k.status : loop_run(k.loop);
	if (k.loop) {
		takeover_end(&k);
		packet_kill(k.active);
		packet_kill(k.dying);
		mourner_end(&k);
		spare_kill(&k);
	}
	helper_destroy(k.helper, k.leaving);
	paths_destroy(k.paths);
	stored_end(&k, rc);
	loop_destroy(k.loop);
	fd_table_destroy(k.table);
	pulse_end(&k);
	return rc;
}
