/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vm-launcher/lab_network.h"
#include "vm-launcher/lab_run.h"
#include "vm-launcher/switch_leave.h"
#include "vm-launcher/vm_client.h"

#define DISK_STOP_S	   20  /* a guest with a disk may have something to write */
#define REMOVE_TRIES	   15  /* of two seconds each: longer than DISK_STOP_S */
#define ASK_MS		   100 /* the end is awaited elsewhere, so that all end at once */

/* Asks one VM to end. It is told and not waited for. */
static void end_vm(struct cli *cli, const char *name)
{
	struct vm_spec spec;
	struct err err = ERR_NONE;
	bool has_disk = vm_client_spec(cli->run_dir, name, &spec, &err) == 0 && spec.disk[0];

	vm_client_call(cli->run_dir, name, has_disk ? "vm.stop" : "vm.kill",
		       has_disk ? json_pack("{s:i}", "within", DISK_STOP_S) : NULL, ASK_MS, NULL,
		       &err);
}

static int remove_vm(struct cli *cli, const char *name, struct err *err)
{
	int rc = -EBUSY;

	for (int i = 0; rc == -EBUSY && i < REMOVE_TRIES; i++) {
		rc = vm_client_remove(cli->run_dir, cli->state_dir, name, err);
		if (rc == -EBUSY && i == 0 && vm_client_revive(cli->run_dir, name, NULL) > 0) {
			fprintf(stderr,
				"lanyard: vm \"%s\": its supervisor did not answer and was replaced\n",
				name);
			end_vm(cli, name);
		}
	}
	return rc;
}

static int take_down(struct cli *cli, const char *name, const json_t *doc, struct rpc_client *c,
		     struct err *err)
{
	const json_t *vms = json_object_get(doc, "vms");
	int rc = 0;

	for (size_t i = 0; i < json_array_size(vms); i++)
		end_vm(cli, json_string_value(json_array_get(vms, i)));
	for (size_t i = 0; i < json_array_size(vms); i++) {
		int one = remove_vm(cli, json_string_value(json_array_get(vms, i)), err);

		if (one < 0)
			rc = one;
	}
	/* Without a switch there is no network to delete. */
	if (rc == 0 && c)
		rc = lab_network_delete(c, doc, err);
	if (rc == 0)
		lab_file_remove(cli->run_dir, name);
	return rc;
}

int lab_down_locked(struct cli *cli, const char *name, struct err *err)
{
	struct switch_leave leave;
	json_t *doc;
	int rc = lab_file_load(cli->run_dir, name, &doc, err);

	if (rc < 0)
		return rc;
	switch_leave_begin(&leave, cli->run_dir, name);
	rc = take_down(cli, name, doc, leave.c, err);
	switch_leave_end(&leave, cli->run_dir);
	json_decref(doc);
	return rc;
}

int lab_down(struct cli *cli, const char *name, struct err *err)
{
	json_t *doc;
	int rc = lab_file_load(cli->run_dir, name, &doc, err), lock;

	if (rc < 0)
		return rc;
	json_decref(doc);
	lock = lab_lock_take(cli->run_dir, name, err);
	if (lock < 0)
		return lock;
	rc = lab_down_locked(cli, name, err);
	lab_lock_release(cli->run_dir, name, lock);
	return rc;
}
