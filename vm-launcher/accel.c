/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot_id.h"
#include "vm-launcher/file.h"

#define VERDICT_BYTES_MAX 4096

const char *accel_name(enum accel accel)
{
	return accel == ACCEL_KVM ? "kvm" : "tcg";
}

/* What the verdict depends on: the boot, and who may open the device. */
static void verdict_key(char *key, size_t size)
{
	char boot[BOOT_ID_BYTES];
	struct stat st = {0};

	boot_id(boot);
	if (stat("/dev/kvm", &st) < 0)
		memset(&st, 0, sizeof(st));
	snprintf(key, size, "%s %o %u %u %u", boot, (unsigned)st.st_mode, (unsigned)st.st_uid,
		 (unsigned)st.st_gid, (unsigned)geteuid());
}

/* 1 and the verdict when one is remembered that still holds; else 0. */
static int verdict_load(const char *path, const char *key, int *rc, struct err *err)
{
	json_t *doc = NULL;
	const char *k, *text;
	int code, found = 0;

	if (file_read_json(path, VERDICT_BYTES_MAX, &doc, NULL) < 0)
		return 0;
	if (!json_unpack(doc, "{s:s,s:i,s:s}", "key", &k, "code", &code, "text", &text) &&
	    !strcmp(k, key) && code <= 0) {
		*rc = code ? err_set(err, code, "%s", text) : 0;
		found = 1;
	}
	json_decref(doc);
	return found;
}

int accel_kvm_prove(const char *cache_dir, const struct kvm_ops *ops, struct err *err)
{
	char path[512], key[160];
	json_t *doc;
	int rc;

	if (!cache_dir)
		return kvm_prove(ops, KVM_DEADLINE_MS, err);
	snprintf(path, sizeof(path), "%s/kvm-verdict.json", cache_dir);
	verdict_key(key, sizeof(key));
	if (verdict_load(path, key, &rc, err))
		return rc;
	rc = kvm_prove(ops, KVM_DEADLINE_MS, err);
	/* To see that a device is not there, or not for this user, takes no time; and the cure is near. */
	if (rc == -ENOENT || rc == -EACCES || rc == -EPERM)
		return rc;
	doc = json_pack("{s:s,s:i,s:s}", "key", key, "code", rc, "text", rc ? err->text : "");
	/* A verdict that cannot be kept costs the next VM half a second, no more. */
	if (doc)
		file_write_json(path, doc, NULL);
	json_decref(doc);
	return rc;
}

int accel_choose(const char *want, const char *cache_dir, const struct kvm_ops *ops,
		 struct accel_choice *out, struct err *err)
{
	struct err why = ERR_NONE;
	int rc;

	if (!strcmp(want, "tcg")) {
		out->accel = ACCEL_TCG;
		snprintf(out->reason, sizeof(out->reason), "asked for");
		return 0;
	}
	rc = accel_kvm_prove(cache_dir, ops, &why);
	if (rc == 0) {
		out->accel = ACCEL_KVM;
		snprintf(out->reason, sizeof(out->reason), "KVM ran a test guest in time");
		return 0;
	}
	if (!strcmp(want, "kvm")) {
		err_set(err, -ENOTSUP, "accelerator \"kvm\": %.300s", why.text);
		return err_hint(err, "%s",
				why.hint[0] ? why.hint
					    : "use --accel tcg, which is "
					      "slower and runs anywhere");
	}
	out->accel = ACCEL_TCG;
	snprintf(out->reason, sizeof(out->reason), "%.300s%s%.200s", why.text, why.hint[0] ? "; " : "",
		 why.hint);
	return 0;
}
