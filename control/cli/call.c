/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/call.h"

#include <errno.h>

#include "control/rpc/role.h"

#define TRIES	3
#define SLOW_MS (600 * 1000) /* some thousand ports take seconds; this is a switch that hangs */

static int connect_or(struct cli *cli, struct rpc_client **c, json_t *params, struct err *err)
{
	int rc = cli_connect(cli, c, err);

	if (rc == 0)
		return 0;
	json_decref(params);
	return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
}

/* The process that serves may have been another one's successor just now: what it never read, or only looks, is
 * asked again. */
static bool may_ask_again(const struct method *m, int rc)
{
	return rc == -ECONNRESET || (rc == -EPIPE && role_needed(m) == ROLE_VIEW);
}

int cli_call(struct cli *cli, const struct method *m, json_t *params, json_t **result,
	     struct err *err)
{
	int rc = -ECONNRESET;

	for (unsigned i = 0; i < TRIES && may_ask_again(m, rc); i++) {
		struct rpc_client *c;

		*err = (struct err)ERR_NONE;
		rc = connect_or(cli, &c, json_incref(params), err);
		if (rc) {
			json_decref(params);
			return rc;
		}
		if (m->flags & METHOD_SLOW)
			rpc_timeout_set(c, SLOW_MS);
		rc = rpc_call(c, m->rpc, json_incref(params), result, err);
		rpc_close(c);
	}
	json_decref(params);
	return cli_exit_code(rc);
}

int cli_call_all(struct cli *cli, const char *method, json_t *params, json_t **items,
		 struct err *err)
{
	struct rpc_client *c;
	int rc = connect_or(cli, &c, params, err);

	if (rc)
		return rc;
	rc = rpc_call_all(c, method, params, items, err);
	rpc_close(c);
	return cli_exit_code(rc);
}

json_t *cli_params(const struct method *m, const json_t *params)
{
	json_t *out = json_copy((json_t *)params);

	for (const struct param *p = m->params; p && p->name; p++)
		if (p->flags & PARAM_CLI_ONLY)
			json_object_del(out, p->name);
	return out;
}

int cli_carry_out(struct cli *cli, const struct cli_command *c, const json_t *params,
		  json_t **result, struct err *err)
{
	if (c->run)
		return c->run(cli, params, result, err);
	if (c->method->flags & METHOD_PAGED)
		return cli_call_all(cli, c->method->rpc, cli_params(c->method, params), result,
				    err);
	return cli_call(cli, c->method, cli_params(c->method, params), result, err);
}
