/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/command.h"
#include "control/rpc/dirs.h"
#include "control/rpc/server.h"

#define CONNECT_MS 5000

static int try_dir(const char *dir, struct rpc_client **out, struct err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, SWITCH_SOCKET);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the folder \"%.60s…\" has a name too long",
			       dir);
	return rpc_connect(path, CONNECT_MS, out, err);
}

/* True when nobody has said where to look, so that the system's own switch may be meant. */
static bool dir_is_default(const struct cli *cli)
{
	char dir[PATH_MAX];

	return geteuid() != 0 && !getenv("LANYARD_RUN_DIR") &&
	       dir_run(NULL, dir, sizeof(dir), NULL) == 0 && !strcmp(dir, cli->run_dir);
}

int cli_connect(struct cli *cli, struct rpc_client **out, struct err *err)
{
	struct err inner = ERR_NONE;
	int rc = try_dir(cli->run_dir, out, &inner);

	if ((rc == -ENOENT || rc == -ECONNREFUSED) && dir_is_default(cli))
		rc = try_dir(DIR_ROOT_RUN, out, &inner);
	if (rc == 0)
		return 0;
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		err_set(err, rc, "the switch is not running: %s", inner.text);
		err_hint(err, "start it with `lanyard-switch`");
	} else {
		*err = inner;
	}
	return rc;
}

int cli_exit_code(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case -EINVAL:
	case RPC_INVALID_PARAMS:
	case RPC_INVALID_REQUEST:
	case RPC_METHOD_NOT_FOUND:
		return EXIT_USAGE;
	case -ETIMEDOUT:
		return EXIT_NOT_READY;
	case -ENOMEM:
	case -ENOSPC:
	case -EMFILE:
	case -ENFILE:
	case -EAGAIN:
	case -EDQUOT:
		return EXIT_NO_RESOURCES;
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
	case -ESHUTDOWN:
		return EXIT_NOT_RUNNING;
	default:
		return EXIT_CHECK_FAILED;
	}
}
