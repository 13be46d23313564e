/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/guest_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/file.h"

#define DEP_BYTES_MAX (16 << 20)
#define PREFIX	      "vmlinuz-"

struct wanted {
	const char *name;
	bool required; /* as a module or built in; without it the kernel is no guest of ours */
};

/* Loaded at boot. The power button takes two modules: one hears it, one tells acpid. */
static const struct wanted at_boot[] = {
	{"virtio_pci", true}, {"virtio_net", true}, {"virtio_console", true},
	{"button", false},    {"evdev", false},
};

/* There for modprobe, since a networking class wants them. */
static const char *const on_demand[] = {"8021q",      "bridge", "bonding", "veth",
					"virtio_blk", "ext4",	"dummy"};

static bool built_in(const char *builtin, const char *name)
{
	struct module_list *list = calloc(1, sizeof(*list));
	char *as_dep, *p;
	bool found = false;

	/* modules.builtin has the form of modules.dep without the colons. */
	as_dep = list ? malloc(strlen(builtin) * 2 + 1) : NULL;
	if (as_dep) {
		p = as_dep;
		for (const char *s = builtin; *s; s++) {
			if (*s == '\n')
				*p++ = ':';
			*p++ = *s;
		}
		*p = '\0';
		found = modules_closure(as_dep, name, list) == 0;
	}
	free(as_dep);
	free(list);
	return found;
}

/* The drivers of the guest's cards come last, so that the boot of others does not change. */
static int collect_drivers(struct guest_kernel *k, const char *dep, const char *builtin,
			   const char *const *drivers)
{
	for (; drivers && *drivers; drivers++)
		if (modules_closure(dep, *drivers, &k->files) < 0 && !built_in(builtin, *drivers))
			return -ENOENT;
	return 0;
}

static int collect(struct guest_kernel *k, const char *dep, const char *builtin,
		   const char *const *drivers)
{
	k->files.n = 0;
	for (size_t i = 0; i < sizeof(at_boot) / sizeof(at_boot[0]); i++)
		if (modules_closure(dep, at_boot[i].name, &k->files) < 0 && at_boot[i].required &&
		    !built_in(builtin, at_boot[i].name))
			return -ENOENT;
	if (collect_drivers(k, dep, builtin, drivers) < 0)
		return -ENOENT;
	k->n_boot = k->files.n;
	for (size_t i = 0; i < sizeof(on_demand) / sizeof(on_demand[0]); i++)
		modules_closure(dep, on_demand[i], &k->files);
	return 0;
}

static int load(struct guest_kernel *k, const char *const *drivers)
{
	char path[600], *dep = NULL, *builtin = NULL;
	size_t len;
	int rc;

	snprintf(k->dep_path, sizeof(k->dep_path), "%s/modules.dep", k->modules_dir);
	rc = file_read_all(k->dep_path, DEP_BYTES_MAX, &dep, &len, NULL);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/modules.builtin", k->modules_dir);
	if (file_read_all(path, DEP_BYTES_MAX, &builtin, &len, NULL) < 0)
		builtin = strdup("");
	rc = builtin ? collect(k, dep, builtin, drivers) : -ENOMEM;
	free(dep);
	free(builtin);
	return rc;
}

static bool better(const char *a, const char *than)
{
	bool a_cloud = strstr(a, "cloud") != NULL, than_cloud = strstr(than, "cloud") != NULL;

	if (a_cloud != than_cloud)
		return a_cloud;
	return strverscmp(a, than) > 0;
}

static int none_found(const char *boot_dir, const char *unreadable, const char *const *drivers,
		      struct err *err)
{
	char names[128] = "";

	if (unreadable[0]) {
		err_set(err, -EACCES, "kernel \"%s/%s\" can be read by root only", boot_dir,
			unreadable);
		err_hint(err, "chmod 0644 %s/%s, or use --kernel", boot_dir, unreadable);
		return -EACCES;
	}
	for (; drivers && *drivers; drivers++) {
		size_t len = strlen(names);

		snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", *drivers);
	}
	if (names[0]) {
		err_set(err, -ENOENT,
			"image \"busybox\": %s has no kernel with virtio_net and the driver of the "
			"guest's cards, %s",
			boot_dir, names);
		err_hint(err, "apt-get install linux-image-amd64: the cloud kernels have virtio only");
		return -ENOENT;
	}
	err_set(err, -ENOENT,
		"image \"busybox\": %s has no kernel whose modules include virtio_net", boot_dir);
	err_hint(err, "apt-get install linux-image-cloud-amd64");
	return -ENOENT;
}

int guest_kernel_find(const char *boot_dir, const char *modules_dir, const char *const *drivers,
		      struct guest_kernel *out, struct err *err)
{
	struct guest_kernel *k = calloc(1, sizeof(*k));
	char unreadable[256] = "";
	DIR *dir = opendir(boot_dir);
	bool found = false;
	struct dirent *de;

	while (k && dir && (de = readdir(dir))) {
		const char *release = de->d_name + sizeof(PREFIX) - 1;

		if (strncmp(de->d_name, PREFIX, sizeof(PREFIX) - 1) || strlen(release) >= 128)
			continue;
		snprintf(k->release, sizeof(k->release), "%s", release);
		snprintf(k->path, sizeof(k->path), "%s/%s", boot_dir, de->d_name);
		snprintf(k->modules_dir, sizeof(k->modules_dir), "%s/%s", modules_dir, release);
		if (load(k, drivers) < 0 || (found && !better(k->release, out->release)))
			continue;
		if (access(k->path, R_OK) < 0) {
			snprintf(unreadable, sizeof(unreadable), "%s", de->d_name);
			continue;
		}
		*out = *k;
		found = true;
	}
	if (dir)
		closedir(dir);
	free(k);
	return found ? 0 : none_found(boot_dir, unreadable, drivers, err);
}
