/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/file.h"
#include "vm-launcher/process.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_status.h"

#define CONNECT_TIMEOUT_MS 2000
#define PAUSE_MS	   20
#define START_TRIES	   500 /* 10 s, for a host that is busy */
#define END_TRIES	   500
#define NEEDED_TRIES	   25 /* a supervisor lets go of its lease a moment after its VM's end */

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

/* Whether a switch holds its folder. One that is not ours to ask is none. */
static bool is_locked(const char *run_dir)
{
	char path[PATH_MAX];
	bool locked;
	int fd;

	snprintf(path, sizeof(path), "%s/switch.lock", run_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

/* Of a switch that answers: whether it stays, as nobody started it for a VM or lab, or as others need it. */
static bool stays(const char *run_dir, bool *is_needed)
{
	struct rpc_client *c = NULL;
	json_t *status = NULL;
	const json_t *daemon;
	bool permanent = false;

	*is_needed = false;
	if (switch_connect(run_dir, CONNECT_TIMEOUT_MS, &c, NULL) < 0)
		return false;
	rpc_timeout_set(c, CONNECT_TIMEOUT_MS);
	if (rpc_call(c, "daemon.status", NULL, &status, NULL) == 0) {
		daemon = json_object_get(status, "daemon");
		permanent = !json_is_true(json_object_get(daemon, "until_unused"));
		*is_needed = json_integer_value(json_object_get(daemon, "leases")) > 0;
	}
	json_decref(status);
	rpc_close(c);
	return permanent;
}

static bool any_vm_lives(const char *run_dir)
{
	json_t *vms = NULL;
	bool lives = false;

	if (vm_client_list(run_dir, NULL, &vms, NULL) < 0)
		return false;
	for (size_t i = 0; i < json_array_size(vms); i++)
		lives |= !vm_status_is_over(json_array_get(vms, i));
	json_decref(vms);
	return lives;
}

void switch_await_end(const char *run_dir)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000 * 1000};
	bool is_needed = false;

	if (any_vm_lives(run_dir))
		return;
	for (int i = 0, n_needed = 0; i < END_TRIES; i++) {
		if (!is_locked(run_dir) || stays(run_dir, &is_needed))
			return;
		if (is_needed && ++n_needed >= NEEDED_TRIES)
			return;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "lanyard: the switch that was started for it is still ending after %d s; see %s/switch.log\n",
		END_TRIES * PAUSE_MS / 1000, run_dir);
}
