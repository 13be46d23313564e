/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "control/cli/command.h"
#include "control/rpc/server.h"
#include "control/rpc/switch_find.h"

#define CONNECT_MS 5000

int cli_connect(struct cli *cli, struct rpc_client **out, struct err *err)
{
	struct err inner = ERR_NONE;
	int rc = switch_connect(cli->run_dir, CONNECT_MS, out, &inner);

	if (rc == 0)
		return 0;
	if ((rc == -ENOENT || rc == -ECONNREFUSED) && inner.code != -EACCES) {
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
