/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_start.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "control/rpc/dirs.h"
#include "vm-launcher/file.h"
#include "vm-launcher/process.h"
#include "vm-launcher/switch_find.h"

#define CONNECT_TIMEOUT_MS 2000
#define START_TRIES	   500 /* every 20 ms: 10 s, for a host that is busy */

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

/* Waits until it answers, or has ended. */
static int await(const char *run_dir, pid_t pid, struct rpc_client **out, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	int status, rc = -ETIMEDOUT;

	for (int i = 0; i < START_TRIES; i++) {
		rc = switch_connect(run_dir, CONNECT_TIMEOUT_MS, out, err);
		if (rc == 0)
			return 0;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			/* Somebody else's may have won. */
			if (switch_connect(run_dir, CONNECT_TIMEOUT_MS, out, err) == 0)
				return 0;
			err_set(err, -ECHILD, "the switch ended while it was starting (status %d)",
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
			return err_hint(err, "see %s/switch.log", run_dir);
		}
		nanosleep(&pause, NULL);
	}
	err_set(err, rc, "the switch was started but does not answer");
	return err_hint(err, "see %s/switch.log", run_dir);
}

int switch_ensure(const char *run_dir, const char *state_dir, const char *who,
		  struct rpc_client **out, int *started, struct err *err)
{
	int rc = switch_connect(run_dir, CONNECT_TIMEOUT_MS, out, err), mine = 0;
	pid_t pid;

	if (rc < 0) {
		mine = 1;
		rc = start(run_dir, state_dir, &pid, err);
		if (rc == 0)
			rc = await(run_dir, pid, out, err);
	}
	if (started)
		*started = mine;
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
