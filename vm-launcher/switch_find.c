/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/switch_find.h"

#include <stdio.h>
#include <unistd.h>

#define HOST_SOCKET "/run/lanyard/switch.sock"

int switch_connect(const char *run_dir, int timeout_ms, struct rpc_client **out, struct err *err)
{
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%.480s/switch.sock", run_dir);
	rc = rpc_connect(path, timeout_ms, out, err);
	if (rc == 0 || geteuid() == 0)
		return rc;
	return rpc_connect(HOST_SOCKET, timeout_ms, out, NULL) == 0 ? 0 : rc;
}
