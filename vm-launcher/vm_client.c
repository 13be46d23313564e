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
#include "vm-launcher/vm_file.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_status.h"
#include "vm-launcher/vm_store.h"
#include "vm-launcher/vm_supervise.h"

#define LOCK_TRIES	   100 /* every 20 ms: a supervisor lives a moment after its VM */
#define STORE_TRIES	   50  /* so does QEMU */
#define END_TIMEOUT_MS	   2000

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
	rc = vm_file_status(run_dir, id, out, NULL);
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

		if (!is_vm_file(de->d_name, id) || vm_file_status(run_dir, id, &status, NULL) < 0)
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
	rc = vm_file_call(run_dir, id, method, json_incref(params), timeout_ms, result, err);
	if (vm_file_is_nobody(rc)) {
		rc = vm_client_status(run_dir, name, &status, err);
		/* By now there may be another supervisor. */
		if (rc == 0 && !vm_status_is_over(status))
			rc = vm_file_call(run_dir, id, method, json_incref(params), timeout_ms, result,
				     err);
		else if (rc == 0)
			rc = -ENOENT;
	}
	json_decref(params);
	if (!status || !vm_file_is_nobody(rc)) {
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
	rc = vm_file_load(run_dir, id, &doc, err);
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
	lock = vm_file_lock(run_dir, id, 1);
	if (lock == -EWOULDBLOCK) {
		json_t *status = NULL;
		int over = vm_client_status(run_dir, spec->name, &status, NULL) == 0 &&
			   vm_status_is_over(status);

		json_decref(status);
		lock = vm_file_lock(run_dir, id, over ? LOCK_TRIES : 1);
	}
	if (lock == -EWOULDBLOCK)
		return err_set(err, -EEXIST, "vm \"%s\" is running already", spec->name);
	if (lock < 0)
		return err_set(err, lock, "vm \"%s\": its lock file: %s", spec->name,
			       strerror(-lock));
	if (vm_file_load(run_dir, id, &doc, NULL) == 0 && vm_qemu_lives(doc)) {
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
	lock = vm_file_lock(run_dir, id, LOCK_TRIES);
	/* RUN_DIR/vm comes with the first VM: without it there is none, nor anything of one. */
	if (lock == -ENOENT)
		return store_remove(state_dir, name, err);
	if (lock < 0 && lock != -EWOULDBLOCK)
		return err_set(err, lock, "vm \"%s\": its lock file: %s", name, strerror(-lock));
	if (lock >= 0 && vm_file_load(run_dir, id, &doc, NULL) == 0 && vm_qemu_lives(doc)) {
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
	rc = vm_file_call(run_dir, id, "vm.status", NULL, VM_FILE_TIMEOUT_MS, &status, NULL);
	json_decref(status);
	if (rc != -ETIMEDOUT)
		return 0;
	rc = vm_file_load(run_dir, id, &doc, err);
	if (rc < 0)
		return rc;
	/* The guard first: the next supervisor shall be ours to await. */
	rc = end_process(doc, "guard", name, err);
	if (rc == 0)
		rc = end_process(doc, "supervisor", name, err);
	json_decref(doc);
	return rc < 0 ? rc : 1;
}
