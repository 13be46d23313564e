/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/lab_network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "vm-launcher/file.h"
#include "vm-launcher/lock_file.h"

#define LAB_FILE_BYTES_MAX (16 << 20)
#define LOCK_TRIES	   25 /* every 20 ms */

char *lab_file_path(char *path, size_t size, const char *run_dir, const char *lab)
{
	snprintf(path, size, "%.400s/lab/%.72s.json", run_dir, lab);
	return path;
}

static char *lock_path(char *path, size_t size, const char *run_dir, const char *lab)
{
	snprintf(path, size, "%.400s/lab/%.72s.lock", run_dir, lab);
	return path;
}

/* The folder of the labs' files. */
static int folder_make(const char *run_dir, struct err *err)
{
	char path[512];

	snprintf(path, sizeof(path), "%.400s/lab", run_dir);
	return dir_make(path, 0755, err);
}

int lab_lock_take(const char *run_dir, const char *lab, struct err *err)
{
	char path[512];
	int rc = folder_make(run_dir, err);

	if (rc < 0)
		return rc;
	rc = lock_file_take(lock_path(path, sizeof(path), run_dir, lab), LOCK_TRIES);
	if (rc == -EWOULDBLOCK) {
		err_set(err, -EBUSY, "lab \"%s\" is being brought up or taken down just now", lab);
		return err_hint(err, "wait for that `lanyard up` or `down`, or interrupt it");
	}
	return rc < 0 ? err_set(err, rc, "lab \"%s\": its lock file: %s", lab, strerror(-rc)) : rc;
}

void lab_lock_release(const char *run_dir, const char *lab, int lock)
{
	char path[512];

	/* A lab that is not there leaves no lock behind. */
	if (access(lab_file_path(path, sizeof(path), run_dir, lab), F_OK) < 0)
		unlink(lock_path(path, sizeof(path), run_dir, lab));
	close(lock);
}

int lab_file_load(const char *run_dir, const char *lab, json_t **doc, struct err *err)
{
	char path[512];
	int rc;

	lab_file_path(path, sizeof(path), run_dir, lab);
	if (access(path, F_OK) < 0) {
		err_set(err, -ENOENT, "lab \"%s\" is not up", lab);
		err_hint(err, "lanyard labs shows those that are");
		return -ENOENT;
	}
	rc = file_read_json(path, LAB_FILE_BYTES_MAX, doc, err);
	if (rc == 0)
		return 0;
	err_hint(err, "without it the lab is not known any more: end its VMs (`lanyard vm list`), remove the file, and start "
		      "the switch anew");
	return rc == -EINVAL ? -EBADMSG : rc; /* nobody has used a command wrongly */
}

int lab_file_save(const char *run_dir, const char *lab, const json_t *doc, struct err *err)
{
	char path[512];
	int rc = folder_make(run_dir, err);

	if (rc < 0)
		return rc;
	return file_write_json(lab_file_path(path, sizeof(path), run_dir, lab), doc, err);
}

void lab_file_remove(const char *run_dir, const char *lab)
{
	char path[512];

	unlink(lab_file_path(path, sizeof(path), run_dir, lab));
}

int lab_network_make(struct rpc_client *c, const json_t *doc, int keep_existing, struct err *err)
{
	const json_t *network = json_object_get(doc, "network");

	for (size_t i = 0; i < json_array_size(network); i++) {
		const json_t *step = json_array_get(network, i);
		const char *method = json_string_value(json_object_get(step, "method"));
		int rc;

		if (!method)
			return err_set(err, -EINVAL,
				       "the lab's file is damaged: a step has no method");
		rc = rpc_call(c, method, json_deep_copy(json_object_get(step, "params")), NULL,
			      err);
		if (rc < 0 && !(rc == -EEXIST && keep_existing))
			return rc;
	}
	return 0;
}

int lab_network_restore(struct rpc_client *c, const char *run_dir, const char *lab, struct err *err)
{
	json_t *doc;
	int rc = lab_file_load(run_dir, lab, &doc, err);

	if (rc < 0)
		return rc;
	rc = lab_network_make(c, doc, 1, err);
	json_decref(doc);
	return rc;
}

int lab_network_delete(struct rpc_client *c, const json_t *doc, struct err *err)
{
	const json_t *network = json_object_get(doc, "network");
	struct err one = ERR_NONE;
	int first = 0;

	for (size_t i = json_array_size(network); i-- > 0;) {
		const json_t *step = json_array_get(network, i);
		const char *method = json_string_value(json_object_get(step, "method"));
		const json_t *name = json_object_get(json_object_get(step, "params"), "name");
		int rc;

		if (!method || !name)
			continue;
		rc = rpc_call(c, strcmp(method, "port.add") ? "bridge.del" : "port.del",
			      json_pack("{s:O}", "name", name), NULL, &one);
		if (rc < 0 && rc != -ENOENT && !first) {
			first = rc;
			*err = one;
		}
	}
	return first;
}
