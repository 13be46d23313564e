/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "control/rpc/method.h"
#include "vm-launcher/file.h"
#include "vm-launcher/lock_file.h"
#include "vm-launcher/vm_path.h"
#include "vm-launcher/vm_status.h"

#define FILE_BYTES_MAX (1 << 20)
#define PATH_BYTES     640

static const char never_reason[] = "not started since the host was";

static char *store_path(char path[PATH_BYTES], const char *state_dir, const char *name)
{
	snprintf(path, PATH_BYTES, "%.500s/vm/%.40s.json", state_dir, name);
	return path;
}

int vm_store_save(const char *state_dir, const struct vm_spec *s, struct err *err)
{
	char path[PATH_BYTES];
	json_t *doc;
	int rc;

	if (s->lab[0])
		return 0;
	snprintf(path, sizeof(path), "%.500s/vm", state_dir);
	rc = dir_make(path, 0755, err);
	if (rc < 0)
		return rc;
	doc = json_pack("{s:o}", "spec", vm_spec_to_json(s));
	rc = file_write_json_durable(store_path(path, state_dir, s->name), doc, err);
	json_decref(doc);
	return rc;
}

static char *lock_path(char path[PATH_BYTES], const char *state_dir, const char *name)
{
	snprintf(path, PATH_BYTES, "%.500s/vm/%.40s.lock", state_dir, name);
	return path;
}

int vm_store_lock(const char *state_dir, const char *name, int tries)
{
	char path[PATH_BYTES];
	int rc;

	snprintf(path, sizeof(path), "%.500s/vm", state_dir);
	rc = dir_make(path, 0755, NULL);
	return rc < 0 ? rc : lock_file_take(lock_path(path, state_dir, name), tries);
}

int vm_store_remove(const char *state_dir, const char *name)
{
	char path[PATH_BYTES];
	int rc;

	if (!name_is_plain(name))
		return -ENOENT;
	rc = unlink(store_path(path, state_dir, name)) < 0 ? -errno : 0;
	unlink(lock_path(path, state_dir, name));
	return rc;
}

static int load(const char *state_dir, const char *name, struct vm_spec *s, struct err *err)
{
	char path[PATH_BYTES];
	json_t *doc;
	int rc = file_read_json(store_path(path, state_dir, name), FILE_BYTES_MAX, &doc, err);

	if (rc < 0)
		return rc;
	rc = vm_spec_from_json(s, json_object_get(doc, "spec"), err);
	json_decref(doc);
	if (rc == 0 && strcmp(s->name, name))
		rc = err_set(err, -EINVAL, "it is of another VM, \"%s\"", s->name);
	if (rc < 0)
		err_prefix(err, "vm \"%s\": its definition %s is damaged", name, path);
	return rc;
}

/* The lock is held: nobody starts, deletes or restores the VM meanwhile. */
static int enter(const char *state_dir, const char *run_dir, const char *id, const char *name,
		 struct err *err)
{
	char path[VM_FILE_BYTES];
	struct vm_spec spec;
	json_t *status, *doc;
	int rc;

	if (access(vm_path(path, run_dir, id, "json"), F_OK) == 0)
		return 0;
	rc = load(state_dir, name, &spec, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	status = vm_status_of_spec(&spec);
	json_object_update_new(status, json_pack("{s:s,s:s,s:n,s:b}", "state", "stopped", "reason",
						 never_reason, "pid", "ready", 0));
	doc = json_pack("{s:o,s:o}", "spec", vm_spec_to_json(&spec), "status", status);
	rc = file_write_json(path, doc, err);
	json_decref(doc);
	return rc;
}

static int restore_one(const char *state_dir, const char *run_dir, const char *name,
		       struct err *err)
{
	char path[VM_FILE_BYTES], id[VM_ID_BYTES];
	int rc, lock;

	vm_id(name, id);
	if (access(vm_path(path, run_dir, id, "json"), F_OK) == 0)
		return 0;
	snprintf(path, sizeof(path), "%.480s/vm", run_dir);
	rc = dir_make(path, 0755, err);
	if (rc < 0)
		return rc;
	lock = lock_file_take(vm_path(path, run_dir, id, "lock"), 1);
	if (lock < 0) /* it is being started or deleted just now */
		return lock == -EWOULDBLOCK ? 0 : lock;
	rc = enter(state_dir, run_dir, id, name, err);
	close(lock);
	return rc;
}

void vm_store_restore(const char *state_dir, const char *run_dir, void (*warn)(const char *text))
{
	char path[PATH_BYTES], name[64];
	struct dirent *de;
	DIR *dir;

	snprintf(path, sizeof(path), "%.500s/vm", state_dir);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		struct err err = ERR_NONE;
		size_t len = strlen(de->d_name);

		if (len < 6 || len - 5 >= sizeof(name) || strcmp(de->d_name + len - 5, ".json"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), de->d_name);
		if (name_is_plain(name) && restore_one(state_dir, run_dir, name, &err) == -EINVAL)
			warn(err.text);
	}
	if (dir)
		closedir(dir);
}
