/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/port_add.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/call.h"
#include "control/rpc/methods.h"

/* The daemon works in another folder: puts ours before a path that is relative. */
static int path_make_whole(json_t *params, const char *key, struct err *err)
{
	const char *path = json_string_value(json_object_get(params, key));
	char *cwd;

	if (!path || path[0] == '/')
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_set(err, -errno, "the working folder cannot be read: %s",
			       strerror(errno));
	json_object_set_new(params, key,
			    json_sprintf("%s/%s", strcmp(cwd, "/") ? cwd : "", path));
	free(cwd);
	return 0;
}

int port_add_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *whole = cli_params(&m_port_add, params);
	int rc = path_make_whole(whole, "path", err);

	if (rc == 0)
		rc = path_make_whole(whole, "peer", err);
	if (rc < 0) {
		json_decref(whole);
		return cli_exit_code(rc);
	}
	return cli_call(cli, &m_port_add, whole, result, err);
}
