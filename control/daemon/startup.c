/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/startup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "control/daemon/priv.h"
#include "control/rpc/dirs.h"

static void signals_of_end(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int startup_signals_leave(int fd, struct err *err)
{
	sigset_t set;

	signals_of_end(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signalfd(fd, &set, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

int startup_signals(int *fd, struct err *err)
{
	sigset_t set;

	signals_of_end(&set);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, -errno, "cannot block signals");
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*fd < 0)
		return err_set(err, -errno, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

int startup_locks(const struct options *o, int fds[2], struct err *err)
{
	int rc = priv_dir_lock(o->run_dir, "switch.lock", &fds[0], err);

	if (rc == 0)
		rc = priv_dir_lock(o->state_dir, "switch.lock", &fds[1], err);
	if (rc == -EBUSY)
		err_hint(err, "stop it with `lanyard stop`, or give this one folders of its own: "
			      "--run-dir, --state-dir");
	return rc;
}

int startup_failed(int rc, const struct err *err)
{
	LOG_ERR("%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
	return rc == -EBUSY ? SWITCH_EXIT_BUSY : EXIT_FAILURE;
}
