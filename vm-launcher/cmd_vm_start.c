/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard vm start NAME.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vm-launcher/nic_model.h"
#include "vm-launcher/switch_start.h"
#include "vm-launcher/vm_boot.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"
#include "vm-launcher/vm_options.h"
#include "vm-launcher/vm_status.h"

/* Longer than the supervisor's own deadline, which has the better sentence. */
#define START_TRIES 700 /* every 50 ms: 35 s */

static const struct param start_params[] = {
	{"name", PARAM_NAME, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "NAME", "the VM"},
	VM_OPTION_ROWS,
	{"nic", PARAM_LIST, 0, 0, 0, "NIC",
	 "a NIC: BR[,access=10][,trunk=10,20-29][,native=1][,mac=..][,model=e1000][,mtu=9000]"
	 "[,guard=off][,ip=dhcp or 10.0.0.2/24][,gateway=10.0.0.1], or user[,ssh=2222]"},
	{.name = NULL},
};

const struct method m_cli_vm_start = {
	"vm.start",
	"vm start",
	"Start a VM",
	start_params,
	METHOD_LOCAL,
	"NAME alone starts a VM again that was started before, as it was.\n"
	"Where root starts it, QEMU is a user of the VM's own; --user root leaves it all rights.\n"
	"`--nic user` is QEMU's own network, through which a guest reaches the outside.\n"
	"Models are " NIC_MODEL_NAMES "; all but virtio are slower, for guests without its driver.",
};

/* True when there is more than a name. */
static bool describes(const json_t *params)
{
	return json_object_size(params) > 1;
}

static int spec_from_params(struct cli *cli, const json_t *params, struct vm_spec *spec,
			    struct err *err)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	const json_t *nics = json_object_get(params, "nic");
	char full[VM_NAME_BYTES];
	int rc;

	cmd_vm_restore(cli);
	if (!describes(params)) {
		rc = vm_client_find(cli->run_dir, name, full, err);
		if (rc == 0)
			return vm_client_spec(cli->run_dir, full, spec, err);
		if (rc != -ENOENT) /* one of several: not a new one */
			return rc;
	}
	if (!name_is_plain(name)) {
		err_set(err, -EINVAL, "name \"%.60s\": a VM of one's own has no prefix", name);
		return err_hint(err, "names are up to 32 of a-z A-Z 0-9 _ -");
	}
	vm_spec_init(spec, name);
	vm_options_apply(spec, params);
	for (size_t i = 0; i < json_array_size(nics); i++) {
		rc = vm_nic_parse(spec, json_string_value(json_array_get(nics, i)), "", err);
		if (rc < 0)
			return rc;
	}
	vm_spec_number(spec);
	return vm_options_check(spec, err);
}

/* Waits until QEMU runs or has failed. */
static int await_running(struct cli *cli, const char *name, json_t **result, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	const char *state, *reason;
	int code;

	for (int i = 0; i < START_TRIES; i++) {
		int rc = vm_client_status(cli->run_dir, name, result, err);

		if (rc < 0)
			return rc;
		state = json_string_value(json_object_get(*result, "state"));
		if (!state || strcmp(state, "starting")) {
			if (!vm_status_is_over(*result))
				return 0;
			break;
		}
		json_decref(*result);
		*result = NULL;
		nanosleep(&pause, NULL);
	}
	if (!*result)
		return err_set(err, -ETIMEDOUT, "vm \"%s\" is still starting", name);
	reason = json_string_value(json_object_get(*result, "reason"));
	code = vm_client_end_code(*result);
	err_set(err, code, "vm \"%s\" did not start: %.300s", name, reason ? reason : "");
	json_decref(*result);
	*result = NULL;
	return code;
}

static int start(struct cli *cli, struct vm_spec *spec, struct err *err)
{
	struct rpc_client *lease = NULL;
	bool needs_switch = false;
	char who[VM_NAME_BYTES + 16];
	int rc = vm_boot_resolve(spec, cli->run_dir, cli->state_dir, err);

	for (unsigned i = 0; i < spec->n_nics; i++)
		needs_switch |= !spec->nics[i].user;
	snprintf(who, sizeof(who), "start of vm %s", spec->name);
	if (rc == 0 && needs_switch)
		rc = switch_ensure(cli->run_dir, cli->state_dir, who, &lease, NULL, err);
	if (rc == 0)
		rc = vm_client_start(cli->run_dir, cli->state_dir, spec, err);
	if (rc == 0) {
		json_t *status = NULL;

		/* The lease is held until the VM's own is there. */
		rc = await_running(cli, spec->name, &status, err);
		json_decref(status);
	}
	rpc_close(lease);
	return rc;
}

int cmd_vm_start(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	struct vm_spec spec;
	int rc = spec_from_params(cli, params, &spec, err);

	if (rc == 0)
		rc = start(cli, &spec, err);
	if (rc == 0)
		rc = vm_client_status(cli->run_dir, spec.name, result, err);
	return rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
}
