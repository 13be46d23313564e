/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard vm nic up, vm nic down: the cable of a guest's NIC.
 *
 * How      A NIC's port has its name, and is what is set; the VM's supervisor hears of it and shows the
 *          guest its carrier. A NIC on QEMU's user network has no port: its supervisor is asked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc/client.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"

#define CALL_MS 5000

static const struct param nic_params[] = {
	{"nic", PARAM_STRING, PARAM_POSITIONAL | PARAM_REQUIRED, 1, 111, "VM.NIC",
	 "the NIC, like h1.eth0"},
	{.name = NULL},
};

const struct method m_cli_nic_up = {
	"vm.nic.up", "vm nic up", "Plug a guest's NIC in: it sees a carrier again",
	nic_params,  METHOD_LOCAL, "The same as port up for the port of that name."};
const struct method m_cli_nic_down = {
	"vm.nic.down", "vm nic down", "Pull the cable of a guest's NIC: it loses its carrier",
	nic_params,    METHOD_LOCAL,  "The same as port down for the port of that name."};

/* The status of VM.NIC's VM, and where NIC begins in text. */
static int find(struct cli *cli, const char *text, json_t **vm, const char **nic, struct err *err)
{
	const char *dot = strrchr(text, '.');
	char name[VM_NAME_BYTES], full[VM_NAME_BYTES];
	int rc;

	if (!dot || dot == text || !dot[1])
		return err_set(err, -EINVAL, "\"%.60s\" is no NIC like h1.eth0", text);
	snprintf(name, sizeof(name), "%.*s", (int)(dot - text), text);
	*nic = dot + 1;
	cmd_vm_restore(cli);
	rc = vm_client_find(cli->run_dir, name, full, err);
	return rc < 0 ? rc : vm_client_status(cli->run_dir, full, vm, err);
}

static const json_t *nic_of(const json_t *vm, const char *name)
{
	const json_t *nics = json_object_get(vm, "nics"), *nic;
	size_t i;

	json_array_foreach (nics, i, nic)
		if (!strcmp(json_string_value(json_object_get(nic, "name")), name))
			return nic;
	return NULL;
}

static int port_set(struct cli *cli, bool up, const json_t *port, json_t **result, struct err *err)
{
	struct rpc_client *c;
	int rc = cli_connect(cli, &c, err);

	if (rc < 0)
		return rc == -ENOENT ? EXIT_NOT_RUNNING : cli_exit_code(rc);
	rc = rpc_call(c, up ? "port.up" : "port.down", json_pack("{s:O}", "name", port), result,
		      err);
	rpc_close(c);
	return cli_exit_code(rc);
}

static int set(struct cli *cli, const json_t *params, bool up, json_t **result, struct err *err)
{
	const char *text = json_string_value(json_object_get(params, "nic")), *name = NULL;
	json_t *vm = NULL;
	const json_t *nic, *port;
	int rc = find(cli, text, &vm, &name, err);

	if (rc < 0)
		return cmd_vm_exit(rc);
	nic = nic_of(vm, name);
	port = json_object_get(nic, "port");
	if (!nic) {
		rc = err_set(err, -ENOENT, "vm \"%s\" has no NIC \"%.20s\"",
			     json_string_value(json_object_get(vm, "name")), name);
		rc = cmd_vm_exit(rc);
	} else if (json_is_string(port)) {
		rc = port_set(cli, up, port, result, err);
	} else {
		rc = vm_client_call(cli->run_dir, json_string_value(json_object_get(vm, "name")),
				    "vm.link", json_pack("{s:s,s:b}", "nic", name, "up", up),
				    CALL_MS, result, err);
		rc = rc < 0 ? cmd_vm_exit(rc) : EXIT_DONE;
	}
	json_decref(vm);
	return rc;
}

int cmd_nic_up(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return set(cli, params, true, result, err);
}

int cmd_nic_down(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	return set(cli, params, false, result, err);
}

void cmd_nic_complete(struct cli *cli, const char *param)
{
	const json_t *vm, *nic, *nics;
	json_t *list;
	size_t i, j;

	cmd_vm_restore(cli);
	if (strcmp(param, "nic") || vm_client_list(cli->run_dir, NULL, &list, NULL) < 0)
		return;
	json_array_foreach (list, i, vm) {
		nics = json_object_get(vm, "nics");
		json_array_foreach (nics, j, nic)
			printf("%s.%s\n", json_string_value(json_object_get(vm, "name")),
			       json_string_value(json_object_get(nic, "name")));
	}
	json_decref(list);
}
