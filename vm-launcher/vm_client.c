/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/file.h"
#include "vm-launcher/lock_file.h"
#include "vm-launcher/process_id.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_status.h"
#include "vm-launcher/vm_store.h"
#include "vm-launcher/vm_supervise.h"

#define FILE_BYTES_MAX	   (1 << 20)
#define CONNECT_TIMEOUT_MS 1000
#define STATUS_TIMEOUT_MS  5000 /* a supervisor may be waiting two seconds for the switch */
#define LOCK_TRIES	   100 /* every 20 ms: a supervisor lives a moment after its VM */
#define STORE_TRIES	   50  /* so does QEMU */
#define RETURN_TRIES	   150 /* a guard starts another supervisor within milliseconds */
#define END_TIMEOUT_MS	   2000

static const char lost_reason[] = "QEMU and its supervisor ended without a word";

static int lock_take(const char *run_dir, const char *id, int tries)
{
	char path[VM_FILE_BYTES];

	return lock_file_take(vm_path(path, run_dir, id, "lock"), tries);
}

static int file_load(const char *run_dir, const char *id, json_t **doc, struct err *err)
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

static int call_id(const char *run_dir, const char *id, const char *method, json_t *params,
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

/* A VM whose supervisor does not answer: what its file says, and failed if that says it runs. */
static json_t *status_of_dead(const char *run_dir, const char *id, json_t *doc)
{
	json_t *status = json_object_get(doc, "status");
	struct vm_spec spec;
	char path[VM_FILE_BYTES];
	int lock;

	if (json_is_object(status) && vm_client_is_over(status))
		return json_incref(status);
	lock = lock_take(run_dir, id, 1);
	if (lock < 0) /* it lives and is busy, or is just beginning */
		return json_is_object(status) ? json_incref(status)
					      : status_from_spec(doc, "starting");
	if (access(vm_path(path, run_dir, id, "json"), F_OK) < 0) { /* deleted meanwhile */
		vm_path_clean(run_dir, id, 1);
		close(lock);
		return NULL;
	}
	if (vm_qemu_lives(doc)) {
		vm_adopt_start(run_dir, id, doc, lock, NULL);
		close(lock);
		if (call_id(run_dir, id, "vm.status", NULL, STATUS_TIMEOUT_MS, &status, NULL) == 0)
			return status;
		return json_is_object(status) ? json_incref(status) : NULL;
	}
	status = json_is_object(status) ? json_incref(status) : status_from_spec(doc, "failed");
	if (!status || vm_spec_from_json(&spec, json_object_get(doc, "spec"), NULL) < 0) {
		json_decref(status);
		close(lock);
		return NULL;
	}
	json_object_update_new(status, json_pack("{s:s,s:s,s:n,s:b}", "state", "failed", "reason",
						 lost_reason, "pid", "ready", 0));
	json_object_set(doc, "status", status);
	ports_delete(run_dir, &spec);
	vm_path_clean(run_dir, id, 0);
	file_write_json(path, doc, NULL);
	close(lock);
	return status;
}

static bool is_nobody(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

/* QEMU runs, nobody answers, yet somebody has the lock: a guard, or a CLI that starts one. */
static bool is_being_replaced(const char *run_dir, const char *id, const json_t *doc)
{
	int lock = vm_qemu_lives(doc) ? lock_take(run_dir, id, 1) : -ENOENT;

	if (lock >= 0)
		close(lock);
	return lock == -EWOULDBLOCK;
}

static int status_of_id(const char *run_dir, const char *id, json_t **out, struct err *err)
{
	json_t *doc;
	int rc = file_load(run_dir, id, &doc, err);

	if (rc < 0)
		return rc;
	rc = call_id(run_dir, id, "vm.status", NULL, STATUS_TIMEOUT_MS, out, NULL);
	for (int i = 0; is_nobody(rc) && i < RETURN_TRIES && is_being_replaced(run_dir, id, doc); i++) {
		usleep(20 * 1000);
		rc = call_id(run_dir, id, "vm.status", NULL, STATUS_TIMEOUT_MS, out, NULL);
	}
	if (rc < 0) {
		json_decref(doc);
		/* It may have ended, and written so, since the file was read. */
		rc = file_load(run_dir, id, &doc, err);
		if (rc < 0)
			return rc;
		*out = status_of_dead(run_dir, id, doc);
	}
	json_decref(doc);
	return *out ? 0 : err_set(err, -EINVAL, "vm file %s.json is damaged", id);
}

int vm_client_is_over(const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));

	return !state || !strcmp(state, "stopped") || !strcmp(state, "failed");
}

int vm_client_end_code(const json_t *status)
{
	if (json_is_true(json_object_get(status, "timed_out")))
		return -ETIMEDOUT;
	return json_is_true(json_object_get(status, "no_memory")) ? -ENOMEM : -EIO;
}

int vm_client_status(const char *run_dir, const char *name, json_t **out, struct err *err)
{
	char id[VM_ID_BYTES];
	int rc;

	vm_id(name, id);
	*out = NULL;
	rc = status_of_id(run_dir, id, out, NULL);
	if (rc == -ENOENT)
		err_set(err, rc, "there is no vm \"%s\"", name);
	else if (rc < 0)
		err_set(err, rc, "vm \"%s\": its file is damaged", name);
	return rc;
}

static const char *name_of(const json_t *status)
{
	const char *name = json_string_value(json_object_get(status, "name"));

	return name ? name : "";
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(name_of(*(json_t *const *)a), name_of(*(json_t *const *)b));
}

static void sort(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **items = calloc(n ? n : 1, sizeof(*items));

	if (!items)
		return; /* unsorted is better than none */
	for (size_t i = 0; i < n; i++)
		items[i] = json_incref(json_array_get(list, i));
	qsort(items, n, sizeof(*items), by_name);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, items[i]);
	free(items);
}

/* Names of the files <id>.json. */
static int is_vm_file(const char *name, char id[VM_ID_BYTES])
{
	if (strlen(name) != VM_ID_BYTES - 1 + 5 || strcmp(name + VM_ID_BYTES - 1, ".json"))
		return 0;
	memcpy(id, name, VM_ID_BYTES - 1);
	id[VM_ID_BYTES - 1] = '\0';
	return 1;
}

int vm_client_list(const char *run_dir, const char *lab, json_t **out, struct err *err)
{
	char path[VM_FILE_BYTES], id[VM_ID_BYTES];
	json_t *list = json_array();
	struct dirent *de;
	DIR *dir;

	snprintf(path, sizeof(path), "%.480s/vm", run_dir);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		json_t *status = NULL;
		const char *of;

		if (!is_vm_file(de->d_name, id) || status_of_id(run_dir, id, &status, NULL) < 0)
			continue;
		of = json_string_value(json_object_get(status, "lab"));
		if (!lab || (of && !strcmp(of, lab)))
			json_array_append(list, status);
		json_decref(status);
	}
	if (dir)
		closedir(dir);
	sort(list);
	*out = list;
	return 0;
}

int vm_client_find(const char *run_dir, const char *name, char full[VM_NAME_BYTES], struct err *err)
{
	char id[VM_ID_BYTES], path[VM_FILE_BYTES], others[200] = "";
	unsigned n = 0;
	json_t *list;

	snprintf(full, VM_NAME_BYTES, "%s", name);
	vm_id(name, id);
	if (access(vm_path(path, run_dir, id, "json"), F_OK) == 0)
		return 0;
	if (strchr(name, '/') || vm_client_list(run_dir, NULL, &list, NULL) < 0)
		return err_set(err, -ENOENT, "there is no vm \"%s\"", name);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *candidate = name_of(json_array_get(list, i));
		const char *slash = strrchr(candidate, '/');
		size_t len = strlen(others);

		if (!slash || strcmp(slash + 1, name))
			continue;
		snprintf(full, VM_NAME_BYTES, "%s", candidate);
		snprintf(others + len, sizeof(others) - len, "%s%s", n ? ", " : "", candidate);
		n++;
	}
	json_decref(list);
	if (n > 1)
		return err_set(err, -EINVAL, "vm \"%s\" may be one of %s", name, others);
	return n ? 0 : err_set(err, -ENOENT, "there is no vm \"%s\"", name);
}

int vm_client_call(const char *run_dir, const char *name, const char *method, json_t *params,
		   int timeout_ms, json_t **result, struct err *err)
{
	char id[VM_ID_BYTES];
	json_t *status = NULL;
	const char *reason;
	int rc;

	vm_id(name, id);
	rc = call_id(run_dir, id, method, json_incref(params), timeout_ms, result, err);
	if (is_nobody(rc)) {
		rc = vm_client_status(run_dir, name, &status, err);
		/* By now there may be another supervisor. */
		if (rc == 0 && !vm_client_is_over(status))
			rc = call_id(run_dir, id, method, json_incref(params), timeout_ms, result,
				     err);
		else if (rc == 0)
			rc = -ENOENT;
	}
	json_decref(params);
	if (!status || !is_nobody(rc)) {
		json_decref(status);
		return rc;
	}
	reason = json_string_value(json_object_get(status, "reason"));
	err_set(err, -ESRCH, "vm \"%s\" is not running%s%.250s", name,
		reason && *reason ? ": " : "", reason ? reason : "");
	err_hint(err, "lanyard vm start %s", name);
	json_decref(status);
	return -ESRCH;
}

int vm_client_spec(const char *run_dir, const char *name, struct vm_spec *spec, struct err *err)
{
	char id[VM_ID_BYTES];
	json_t *doc;
	int rc;

	vm_id(name, id);
	rc = file_load(run_dir, id, &doc, err);
	if (rc == -ENOENT)
		return err_set(err, rc, "there is no vm \"%s\"", name);
	if (rc < 0)
		return rc;
	rc = vm_spec_from_json(spec, json_object_get(doc, "spec"), err);
	json_decref(doc);
	return rc;
}

/* VMs of labs are not kept in the state dir: *lock stays as it is. */
static int store_lock_take(const char *state_dir, const struct vm_spec *spec, int *lock,
			   struct err *err)
{
	int rc = spec->lab[0] ? 0 : vm_store_lock(state_dir, spec->name, STORE_TRIES);

	if (rc == -EWOULDBLOCK) {
		err_set(err, -EEXIST, "vm \"%s\" is running already, in another run dir", spec->name);
		err_hint(err, "both share state dir \"%.120s\": give one of them its own, --state-dir",
			 state_dir);
		return -EEXIST;
	}
	if (rc < 0)
		return err_set(err, rc, "vm \"%s\": its lock file in \"%.120s\": %s", spec->name,
			       state_dir, strerror(-rc));
	if (!spec->lab[0])
		*lock = rc;
	return 0;
}

int vm_client_start(const char *run_dir, const char *state_dir, const struct vm_spec *spec,
		    struct err *err)
{
	char path[VM_FILE_BYTES], id[VM_ID_BYTES];
	json_t *doc = NULL;
	int lock, store_lock = -1, rc;

	vm_id(spec->name, id);
	snprintf(path, sizeof(path), "%.480s/vm", run_dir);
	rc = dir_make(path, 0755, err);
	if (rc < 0)
		return rc;
	lock = lock_take(run_dir, id, 1);
	if (lock == -EWOULDBLOCK) {
		json_t *status = NULL;
		int over = vm_client_status(run_dir, spec->name, &status, NULL) == 0 &&
			   vm_client_is_over(status);

		json_decref(status);
		lock = lock_take(run_dir, id, over ? LOCK_TRIES : 1);
	}
	if (lock == -EWOULDBLOCK)
		return err_set(err, -EEXIST, "vm \"%s\" is running already", spec->name);
	if (lock < 0)
		return err_set(err, lock, "vm \"%s\": its lock file: %s", spec->name,
			       strerror(-lock));
	if (file_load(run_dir, id, &doc, NULL) == 0 && vm_qemu_lives(doc)) {
		rc = vm_adopt_start(run_dir, id, doc, lock, err);
		if (rc == 0)
			rc = err_set(err, -EEXIST, "vm \"%s\" is running already", spec->name);
		json_decref(doc);
		close(lock);
		return rc;
	}
	json_decref(doc);
	rc = store_lock_take(state_dir, spec, &store_lock, err);
	if (rc < 0) {
		close(lock);
		return rc;
	}
	vm_path_clean(run_dir, id, 0);
	unlink(vm_path(path, run_dir, id, "log"));
	unlink(vm_path(path, run_dir, id, "log.1"));
	doc = json_pack("{s:o}", "spec", vm_spec_to_json(spec));
	rc = file_write_json(vm_path(path, run_dir, id, "json"), doc, err);
	json_decref(doc);
	if (rc == 0)
		rc = vm_store_save(state_dir, spec, err);
	if (rc == 0)
		rc = vm_supervise(run_dir, id, spec, lock, store_lock, err);
	if (store_lock >= 0)
		close(store_lock);
	close(lock);
	return rc;
}

static int store_remove(const char *state_dir, const char *name, struct err *err)
{
	int lock = strchr(name, '/') ? -ENOENT : vm_store_lock(state_dir, name, STORE_TRIES);
	int rc = 0;

	if (lock == -EWOULDBLOCK)
		return err_set(err, -EBUSY, "vm \"%s\" is running in another run dir", name);
	rc = vm_store_remove(state_dir, name);
	if (lock >= 0)
		close(lock);
	if (rc < 0 && rc != -ENOENT)
		return err_set(err, rc, "vm \"%s\": its definition cannot be deleted: %s", name,
			       strerror(-rc));
	return 0;
}

int vm_client_remove(const char *run_dir, const char *state_dir, const char *name, struct err *err)
{
	char id[VM_ID_BYTES];
	json_t *doc = NULL;
	int lock, rc = 0;

	vm_id(name, id);
	lock = lock_take(run_dir, id, LOCK_TRIES);
	if (lock < 0 && lock != -EWOULDBLOCK)
		return err_set(err, lock, "vm \"%s\": its lock file: %s", name, strerror(-lock));
	if (lock >= 0 && file_load(run_dir, id, &doc, NULL) == 0 && vm_qemu_lives(doc)) {
		vm_adopt_start(run_dir, id, doc, lock, NULL);
		close(lock);
		lock = -EWOULDBLOCK;
	}
	json_decref(doc);
	if (lock == -EWOULDBLOCK) {
		err_set(err, -EBUSY, "vm \"%s\" is running", name);
		return err_hint(err, "lanyard vm stop %s, or vm kill %s", name, name);
	}
	rc = store_remove(state_dir, name, err);
	if (rc == 0)
		vm_path_clean(run_dir, id, 1);
	close(lock);
	return rc;
}

/* A process of the VM's file ends, at once. */
static int end_process(const json_t *doc, const char *key, const char *name, struct err *err)
{
	int fd = process_open_json(json_object_get(doc, key)), rc;

	if (fd == -ESRCH)
		return 0;
	rc = fd < 0 ? fd : process_kill(fd, END_TIMEOUT_MS);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? err_set(err, rc, "vm \"%s\": its %s does not answer, and cannot be ended: %s",
				name, key, strerror(-rc))
		      : 0;
}

int vm_client_revive(const char *run_dir, const char *name, struct err *err)
{
	char id[VM_ID_BYTES];
	json_t *status = NULL, *doc;
	int rc;

	vm_id(name, id);
	rc = call_id(run_dir, id, "vm.status", NULL, STATUS_TIMEOUT_MS, &status, NULL);
	json_decref(status);
	if (rc != -ETIMEDOUT)
		return 0;
	rc = file_load(run_dir, id, &doc, err);
	if (rc < 0)
		return rc;
	/* The guard first: the next supervisor shall be ours to await. */
	rc = end_process(doc, "guard", name, err);
	if (rc == 0)
		rc = end_process(doc, "supervisor", name, err);
	json_decref(doc);
	return rc < 0 ? rc : 1;
}
