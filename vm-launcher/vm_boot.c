/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "vm-launcher/accel.h"
#include "vm-launcher/file.h"
#include "vm-launcher/host_memory.h"
#include "vm-launcher/image.h"
#include "vm-launcher/nic_model.h"
#include "vm-launcher/process.h"
#include "vm-launcher/vm_user.h"

/*
 * Under TCG the boot of a guest is a matter of seconds: no mitigations for a processor that does
 * not speculate, no calibration of a clock that is the host's, no wait for entropy, no patching of
 * code that QEMU has translated already, no tests of ciphers.
 */
#define APPEND_TCG                                                                                  \
	"mitigations=off tsc=reliable no_timer_check rcupdate.rcu_expedited=1 random.trust_cpu=on " \
	"noreplace-smp cryptomgr.notests"
#define APPEND_BUSYBOX "console=ttyS0 quiet"

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a folder";
	if (S_ISFIFO(mode))
		return "a pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	return S_ISBLK(mode) ? "a block device" : "a character device";
}

/* What would have QEMU wait for ever, or end with a riddle. */
static int check_kind(const struct vm_spec *s, const char *what, const char *path,
		      const char *absolute, struct err *err)
{
	bool is_disk = !strcmp(what, "disk");
	struct stat st;

	if (stat(absolute, &st) < 0)
		return err_set(err, -errno, "vm \"%s\": %s \"%.200s\": %s", s->name, what, path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode) && !(is_disk && S_ISBLK(st.st_mode))) {
		err_set(err, -EINVAL, "vm \"%s\": %s \"%.200s\" is %s", s->name, what, path,
			kind_of(st.st_mode));
		return err_hint(err, "%s %s is a file%s", *what == 'i' ? "an" : "a", what, is_disk ? ", or a block device" : "");
	}
	if (S_ISREG(st.st_mode) && !st.st_size)
		return err_set(err, -EINVAL, "vm \"%s\": %s \"%.200s\" is empty", s->name, what,
			       path);
	return 0;
}

static int check_file(const struct vm_spec *s, const char *what, char *path, struct err *err)
{
	char *absolute;
	int rc;

	if (!path[0])
		return 0;
	absolute = realpath(path, NULL);
	if (!absolute || access(absolute, R_OK) < 0) {
		rc = err_set(err, -errno, "vm \"%s\": %s \"%.200s\" cannot be read: %s",
				 s->name, what, path, strerror(errno));

		free(absolute);
		return rc;
	}
	rc = check_kind(s, what, path, absolute, err);
	if (rc < 0) {
		free(absolute);
		return rc;
	}
	if (strlen(absolute) >= VM_PATH_BYTES) {
		free(absolute);
		return err_set(err, -ENAMETOOLONG, "vm \"%s\": the path of its %s is too long",
			       s->name, what);
	}
	/* The supervisor has another working folder. */
	snprintf(path, VM_PATH_BYTES, "%s", absolute);
	free(absolute);
	return 0;
}

/* raw or qcow2, never guessed from contents alone: those are the guest's. */
static int disk_format(struct vm_spec *s, struct err *err)
{
	const char *end = strrchr(s->disk, '.');
	char magic[5] = "";

	if (!s->disk[0] || s->disk_format[0])
		return 0;
	if (end && !strcmp(end, ".qcow2")) {
		snprintf(s->disk_format, sizeof(s->disk_format), "qcow2");
		return 0;
	}
	if (file_read_text(s->disk, magic, sizeof(magic)) == 4 && !memcmp(magic, "QFI\xfb", 4)) {
		err_set(err, -EINVAL,
			"vm \"%s\": disk \"%.200s\" has qcow2 inside, but not in its name", s->name,
			s->disk);
		return err_hint(err, "name it .qcow2, or say --disk-format qcow2 or raw");
	}
	snprintf(s->disk_format, sizeof(s->disk_format), "raw");
	return 0;
}

/* Adds what the card needs to a NULL-ended list, once. */
static void add_driver(const char **drivers, const struct vm_nic *n)
{
	const struct nic_model *m = nic_model_find(n->model, NULL);

	if (!m || !m->driver)
		return;
	while (*drivers && strcmp(*drivers, m->driver))
		drivers++;
	*drivers = m->driver;
}

static int resolve_image(struct vm_spec *s, const char *state_dir, struct err *err)
{
	const char *drivers[VM_NICS_MAX + 1] = {NULL};
	struct image_files files;
	int rc;

	if (!s->image[0]) {
		for (unsigned i = 0; i < s->n_nics; i++)
			if (s->nics[i].dhcp)
				return err_set(err, -EINVAL,
					       "vm \"%s\": ip: dhcp is what the busybox image does; a guest of "
					       "one's own asks by itself: leave it out", s->name);
		snprintf(s->boot_kernel, sizeof(s->boot_kernel), "%s", s->kernel);
		snprintf(s->boot_initrd, sizeof(s->boot_initrd), "%s", s->initrd);
		snprintf(s->boot_append, sizeof(s->boot_append), "%s", s->append);
		return 0;
	}
	if (strcmp(s->image, "busybox")) {
		err_set(err, -EINVAL,
			"vm \"%s\": image \"%s\" is not known, the only one is \"busybox\"",
			s->name, s->image);
		return err_hint(err, "boot a disk image of your own with --disk");
	}
	for (unsigned i = 0; i < s->n_nics; i++)
		add_driver(drivers, &s->nics[i]);
	rc = image_busybox(&image_sources_host, state_dir, drivers, &files, err);
	if (rc < 0)
		return rc;
	snprintf(s->boot_kernel, sizeof(s->boot_kernel), "%s",
		 s->kernel[0] ? s->kernel : files.kernel);
	snprintf(s->boot_initrd, sizeof(s->boot_initrd), "%s",
		 s->initrd[0] ? s->initrd : files.initrd);
	snprintf(s->boot_append, sizeof(s->boot_append), APPEND_BUSYBOX " lanyard.host=%s%s%s%s",
		 vm_spec_host(s), strcmp(s->accel, "tcg") ? "" : " " APPEND_TCG,
		 s->append[0] ? " " : "", s->append);
	if (drivers[0] && s->n_nics > 1)
		strncat(s->boot_append, " lanyard.sort",
			sizeof(s->boot_append) - strlen(s->boot_append) - 1);
	/* QEMU's user network has a DHCP server. */
	for (unsigned i = 0; i < s->n_nics; i++)
		if (s->nics[i].user || s->nics[i].dhcp) {
			size_t n = strlen(s->boot_append);

			snprintf(s->boot_append + n, sizeof(s->boot_append) - n,
				 " lanyard.dhcp=eth%u", i);
		}
	return 0;
}

int vm_boot_resolve(struct vm_spec *s, const char *run_dir, const char *state_dir, struct err *err)
{
	struct accel_choice choice;
	int rc;

	if (!process_in_path("qemu-system-x86_64")) {
		err_set(err, -ENOENT, "there is no qemu-system-x86_64 on this host");
		return err_hint(err, "apt-get install qemu-system-x86");
	}
	if (!s->image[0] && !s->disk[0] && !s->kernel[0])
		snprintf(s->image, sizeof(s->image), "busybox");
	if (s->image[0] && s->disk[0])
		return err_set(err, -EINVAL, "vm \"%s\": an image and a disk exclude each other",
			       s->name);
	rc = check_file(s, "kernel", s->kernel, err);
	if (rc == 0)
		rc = check_file(s, "initrd", s->initrd, err);
	if (rc == 0)
		rc = check_file(s, "disk", s->disk, err);
	if (rc == 0)
		rc = disk_format(s, err);
	if (rc == 0)
		rc = vm_user_check(s, err);
	if (rc == 0)
		rc = host_memory_check("/proc/meminfo", s, err);
	if (rc == 0)
		rc = dir_make(run_dir, 0755, err);
	if (rc == 0)
		rc = accel_choose(s->accel_wanted, run_dir, &kvm_ops_host, &choice, err);
	if (rc < 0)
		return rc;
	snprintf(s->accel, sizeof(s->accel), "%s", accel_name(choice.accel));
	snprintf(s->accel_reason, sizeof(s->accel_reason), "%s", choice.reason);
	return resolve_image(s, state_dir, err);
}
