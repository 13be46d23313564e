/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/switch_find.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/dirs.h"

/* True when nobody has said where to look, so that the host's own switch may be meant. */
static bool is_default(const char *run_dir)
{
	char dir[PATH_MAX];

	return geteuid() != 0 && !getenv("LANYARD_RUN_DIR") &&
	       dir_run(NULL, dir, sizeof(dir), NULL) == 0 && !strcmp(dir, run_dir);
}

int switch_connect(const char *run_dir, int timeout_ms, struct rpc_client **out, struct err *err)
{
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%.480s/" SWITCH_SOCKET, run_dir);
	rc = rpc_connect(path, timeout_ms, out, err);
	if ((rc == -ENOENT || rc == -ECONNREFUSED) && is_default(run_dir)) {
		struct err hosts = ERR_NONE;
		int other = rpc_connect(DIR_ROOT_RUN "/" SWITCH_SOCKET, timeout_ms, out, &hosts);

		if (other == 0)
			return 0;
		/* One that runs and may not be used is what there is to say; there is none to use all the same. */
		if (other == -EACCES && err)
			*err = hosts;
	}
	return rc;
}
