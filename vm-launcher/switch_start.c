/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/file.h"
#include "vm-launcher/process.h"
#include "vm-launcher/vm_client.h"

#define CONNECT_TIMEOUT_MS 2000
#define PAUSE_MS	   20
#define START_TRIES	   500 /* 10 s, for a host that is busy */

static int start(const char *run_dir, const char *state_dir, pid_t *pid, struct err *err)
{
	char path[PATH_MAX], log[512];
	char *argv[] = {path,
			(char *)"--run-dir",
			(char *)run_dir,
			(char *)"--state-dir",
			(char *)state_dir,
			(char *)"--until-unused",
			NULL};
	int rc = process_find("lanyard-switch", path, sizeof(path), err);

	if (rc == 0)
		rc = dir_make(run_dir, 0755, err);
	if (rc < 0)
		return rc;
	snprintf(log, sizeof(log), "%.480s/switch.log", run_dir);
	return process_start(argv, log, NULL, 0, pid, err);
}

/* A lease of the switch that runs. -ENOENT and the like, see is_gone(), when none does. */
static int hold(const char *run_dir, const char *who, int mine, struct rpc_client **out,
		struct err *err)
{
	int rc = switch_connect(run_dir, CONNECT_TIMEOUT_MS, out, err);

	if (rc < 0)
		return rc;
	rc = rpc_call(*out, "lease.hold", json_pack("{s:s,s:b}", "name", who, "auto", mine), NULL,
		      err);
	if (rc < 0) {
		rpc_close(*out);
		*out = NULL;
	}
	return rc;
}

/* No switch is there, or one that is about to end and takes nobody any more. */
static bool is_gone(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED || rc == -ESHUTDOWN || rc == -EPIPE ||
	       rc == -ECONNRESET;
}

/* What became of the switch that was started: 0: it is on its way; 1: another one holds its folders,
 * which is just starting, or ending; -ECHILD with a sentence. */
static int look_after(pid_t pid, const char *run_dir, struct err *err)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SWITCH_EXIT_BUSY)
		return 1;
	err_set(err, -ECHILD, "the switch ended while it was starting (status %d)",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return err_hint(err, "see %s/switch.log", run_dir);
}

int switch_ensure(const char *run_dir, const char *state_dir, const char *who,
		  struct rpc_client **out, int *started, struct err *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000 * 1000};
	int rc = hold(run_dir, who, 0, out, err);
	pid_t pid = 0;

	for (int i = 0; i < START_TRIES && is_gone(rc); i++) {
		rc = pid ? look_after(pid, run_dir, err) : start(run_dir, state_dir, &pid, err);
		if (rc < 0)
			return rc;
		if (rc > 0)
			pid = 0;
		nanosleep(&pause, NULL);
		rc = hold(run_dir, who, pid != 0, out, err);
	}
	if (started)
		*started = pid != 0;
	if (is_gone(rc)) {
		err_set(err, rc, "the switch does not come up within %d s",
			START_TRIES * PAUSE_MS / 1000);
		err_hint(err, "see %s/switch.log", run_dir);
	}
	return rc;
}
