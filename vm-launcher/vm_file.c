/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/client.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/file.h"
#include "vm-launcher/lock_file.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_spec.h"
#include "vm-launcher/vm_status.h"
#include "vm-launcher/vm_supervise.h"

#define FILE_BYTES_MAX	   (1 << 20)
#define CONNECT_TIMEOUT_MS 1000
#define RETURN_TRIES	   150 /* every 20 ms: a guard starts another supervisor within milliseconds */

static const char lost_reason[] = "QEMU and its supervisor ended without a word";

int vm_file_lock(const char *run_dir, const char *id, int tries)
{
	char path[VM_FILE_BYTES];

	return lock_file_take(vm_path(path, run_dir, id, "lock"), tries);
}

int vm_file_load(const char *run_dir, const char *id, json_t **doc, struct err *err)
{
	char path[VM_FILE_BYTES];

	return file_read_json(vm_path(path, run_dir, id, "json"), FILE_BYTES_MAX, doc, err);
}

/* Ports that a dead supervisor could not delete. */
static void ports_delete(const char *run_dir, const struct vm_spec *spec)
{
	struct rpc_client *c;

	if (switch_connect(run_dir, CONNECT_TIMEOUT_MS, &c, NULL) < 0)
		return;
	rpc_timeout_set(c, CONNECT_TIMEOUT_MS);
	for (unsigned i = 0; i < spec->n_nics; i++)
		if (!spec->nics[i].user)
			rpc_call(c, "port.del", json_pack("{s:s}", "name", spec->nics[i].port),
				 NULL, NULL);
	rpc_close(c);
}

/* What follows from the spec in the file, with a state; NULL when that is damaged. */
static json_t *status_from_spec(const json_t *doc, const char *state)
{
	struct vm_spec spec;
	json_t *status;

	if (vm_spec_from_json(&spec, json_object_get(doc, "spec"), NULL) < 0)
		return NULL;
	status = vm_status_of_spec(&spec);
	json_object_update_new(status, json_pack("{s:s,s:s,s:n,s:b}", "state", state, "reason", "",
						 "pid", "ready", 0));
	return status;
}

int vm_file_call(const char *run_dir, const char *id, const char *method, json_t *params,
		   int timeout_ms, json_t **result, struct err *err)
{
	struct rpc_client *c;
	char path[VM_FILE_BYTES];
	int rc = rpc_connect(vm_path(path, run_dir, id, "sock"), CONNECT_TIMEOUT_MS, &c, err);

	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	rpc_timeout_set(c, timeout_ms);
	rc = rpc_call(c, method, params, result, err);
	rpc_close(c);
	return rc;
}

/* Nobody supervises it: whoever called has its lock. doc: its file as it is now. */
static json_t *status_of_left(const char *run_dir, const char *id, json_t *doc, int lock)
{
	json_t *status = json_object_get(doc, "status"), *adopted;
	struct vm_spec spec;
	char path[VM_FILE_BYTES];

	if (json_is_object(status) && vm_status_is_over(status))
		return json_incref(status);
	if (vm_qemu_lives(doc)) {
		vm_adopt_start(run_dir, id, doc, lock, NULL);
		if (vm_file_call(run_dir, id, "vm.status", NULL, VM_FILE_TIMEOUT_MS, &adopted, NULL) == 0)
			return adopted;
		return json_is_object(status) ? json_incref(status) : NULL;
	}
	status = json_is_object(status) ? json_incref(status) : status_from_spec(doc, "failed");
	if (!status || vm_spec_from_json(&spec, json_object_get(doc, "spec"), NULL) < 0) {
		json_decref(status);
		return NULL;
	}
	json_object_update_new(status, json_pack("{s:s,s:s,s:n,s:b}", "state", "failed", "reason",
						 lost_reason, "pid", "ready", 0));
	json_object_set(doc, "status", status);
	ports_delete(run_dir, &spec);
	vm_path_clean(run_dir, id, 0);
	file_write_json(vm_path(path, run_dir, id, "json"), doc, NULL);
	return status;
}

/* A VM whose supervisor does not answer: what its file says, and failed if that says it runs. */
static json_t *status_of_dead(const char *run_dir, const char *id, json_t *doc)
{
	json_t *status = json_object_get(doc, "status");
	char path[VM_FILE_BYTES];
	int lock;

	if (json_is_object(status) && vm_status_is_over(status))
		return json_incref(status);
	lock = vm_file_lock(run_dir, id, 1);
	if (lock < 0) /* it lives and is busy, or is just beginning */
		return json_is_object(status) ? json_incref(status)
					      : status_from_spec(doc, "starting");
	/* Since the file was read, it may have ended or been deleted, and another one of its name begun. */
	status = NULL;
	if (vm_file_load(run_dir, id, &doc, NULL) == 0) {
		status = status_of_left(run_dir, id, doc, lock);
		json_decref(doc);
	} else if (access(vm_path(path, run_dir, id, "json"), F_OK) < 0) {
		vm_path_clean(run_dir, id, 1);
	}
	close(lock);
	return status;
}

bool vm_file_is_nobody(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

/* QEMU runs, nobody answers, yet somebody has the lock: a guard, or a CLI that starts one. */
static bool is_being_replaced(const char *run_dir, const char *id, const json_t *doc)
{
	int lock = vm_qemu_lives(doc) ? vm_file_lock(run_dir, id, 1) : -ENOENT;

	if (lock >= 0)
		close(lock);
	return lock == -EWOULDBLOCK;
}

int vm_file_status(const char *run_dir, const char *id, json_t **out, struct err *err)
{
	json_t *doc;
	int rc = vm_file_load(run_dir, id, &doc, err);

	if (rc < 0)
		return rc;
	rc = vm_file_call(run_dir, id, "vm.status", NULL, VM_FILE_TIMEOUT_MS, out, NULL);
	for (int i = 0; vm_file_is_nobody(rc) && i < RETURN_TRIES && is_being_replaced(run_dir, id, doc); i++) {
		usleep(20 * 1000);
		rc = vm_file_call(run_dir, id, "vm.status", NULL, VM_FILE_TIMEOUT_MS, out, NULL);
	}
	if (rc < 0) {
		json_decref(doc);
		/* It may have ended, and written so, since the file was read. */
		rc = vm_file_load(run_dir, id, &doc, err);
		if (rc < 0)
			return rc;
		*out = status_of_dead(run_dir, id, doc);
	}
	json_decref(doc);
	return *out ? 0 : err_set(err, -EINVAL, "vm file %s.json is damaged", id);
}
