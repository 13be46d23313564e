/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "control/rpc/dirs.h"
#include "vm-launcher/cpio.h"
#include "vm-launcher/elf_libs.h"
#include "vm-launcher/file.h"
#include "vm-launcher/guest_init.h"
#include "vm-launcher/guest_kernel.h"
#include "vm-launcher/hash.h"

#define INPUT_BYTES_MAX (64 << 20)

const struct image_sources image_sources_host = {
	.boot_dir = "/boot",
	.modules_dir = "/lib/modules",
};

struct build {
	struct cpio cpio;
	struct guest_kernel kernel;
	struct elf_libs libs;
	const char *busybox, *agent;
	char last[IMAGE_PATH_BYTES]; /* the name added before: its folders are there */
	struct err *err;
};

static const char *first_readable(const char *forced, const char *const *paths)
{
	if (forced)
		return access(forced, R_OK) == 0 ? forced : NULL;
	for (; *paths; paths++)
		if (access(*paths, R_OK) == 0)
			return *paths;
	return NULL;
}

const char *image_find_busybox(const struct image_sources *src)
{
	static const char *const paths[] = {"/usr/lib/busybox/busybox-static", "/usr/bin/busybox",
					    "/bin/busybox", NULL};

	return first_readable(src->busybox, paths);
}

const char *image_find_agent(const struct image_sources *src)
{
	static const char *const paths[] = {"/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", NULL};

	return first_readable(src->agent, paths);
}

static int find_inputs(const struct image_sources *src, const char *const *drivers,
		       struct build *b)
{
	int rc = guest_kernel_find(src->boot_dir, src->modules_dir, drivers, &b->kernel, b->err);

	if (rc < 0)
		return rc;
	b->busybox = image_find_busybox(src);
	if (!b->busybox) {
		err_set(b->err, -ENOENT, "image \"busybox\": there is no busybox on this host");
		err_hint(b->err, "apt-get install busybox-static");
		return -ENOENT;
	}
	b->agent = image_find_agent(src);
	if (!b->agent) {
		err_set(b->err, -ENOENT, "image \"busybox\": there is no qemu-ga on this host");
		err_hint(b->err, "apt-get install qemu-guest-agent");
		return -ENOENT;
	}
	/* A busybox that is linked dynamically works too: its libraries go in. */
	rc = elf_libs_of(b->busybox, &b->libs, b->err);
	return rc < 0 ? rc : elf_libs_of(b->agent, &b->libs, b->err);
}

static void hash_file(struct hash *h, const char *path)
{
	struct stat st;

	hash_text(h, path);
	if (stat(path, &st) == 0) {
		hash_u64(h, (uint64_t)st.st_size);
		hash_u64(h, (uint64_t)st.st_mtim.tv_sec);
		hash_u64(h, (uint64_t)st.st_mtim.tv_nsec);
	}
}

static uint64_t hash_inputs(const struct build *b)
{
	struct hash h = HASH_INIT;

	hash_text(&h, LANYARD_VERSION);
	hash_text(&h, guest_init_script);
	hash_text(&h, guest_shutdown_script);
	hash_text(&h, guest_acpi_script);
	hash_text(&h, guest_dhcp_script);
	hash_file(&h, b->kernel.dep_path);
	for (unsigned i = 0; i < b->kernel.files.n; i++)
		hash_text(&h, b->kernel.files.paths[i]);
	hash_u64(&h, b->kernel.n_boot);
	hash_file(&h, b->busybox);
	hash_file(&h, b->agent);
	for (unsigned i = 0; i < b->libs.n; i++)
		hash_file(&h, b->libs.paths[i]);
	return hash_end(&h);
}

/* Adds a file of the host and the folders of `name` that are not there yet. */
static int add_file(struct build *b, const char *path, const char *name, unsigned mode)
{
	char *data;
	size_t len;
	int rc = file_read_all(path, INPUT_BYTES_MAX, &data, &len, b->err);

	if (rc < 0)
		return rc;
	cpio_file(&b->cpio, name, mode, data, len);
	free(data);
	return 0;
}

/* Adds the folders of name that the name before it does not have too. A folder that comes twice in
 * an archive does no harm. */
static void add_parents(struct build *b, const char *name)
{
	char part[IMAGE_PATH_BYTES];

	for (size_t i = 1; name[i] && i < sizeof(part); i++)
		if (name[i] == '/' && strncmp(name, b->last, i + 1)) {
			memcpy(part, name, i);
			part[i] = '\0';
			cpio_dir(&b->cpio, part, 0755);
		}
	snprintf(b->last, sizeof(b->last), "%s", name);
}

static int add_modules(struct build *b)
{
	const struct guest_kernel *k = &b->kernel;
	char path[IMAGE_PATH_BYTES + MODULE_PATH_BYTES], name[IMAGE_PATH_BYTES], *dep;
	char boot[MODULES_MAX * MODULE_PATH_BYTES];
	size_t len = 0;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < k->files.n; i++) {
		snprintf(path, sizeof(path), "%s/%s", k->modules_dir, k->files.paths[i]);
		snprintf(name, sizeof(name), "lib/modules/%s/%s", k->release, k->files.paths[i]);
		add_parents(b, name);
		rc = add_file(b, path, name, 0644);
		if (i < k->n_boot)
			len += (size_t)snprintf(boot + len, sizeof(boot) - len, "%s\n",
						k->files.paths[i]);
	}
	if (rc < 0)
		return rc;
	cpio_file(&b->cpio, "etc/modules.boot", 0644, boot, len);
	/* With the host's own list, modprobe works for the modules that are there. */
	rc = file_read_all(k->dep_path, INPUT_BYTES_MAX, &dep, &len, b->err);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "lib/modules/%s/modules.dep", k->release);
	cpio_file(&b->cpio, name, 0644, dep, len);
	free(dep);
	return 0;
}

static void add_script(struct build *b, const char *name, const char *text)
{
	add_parents(b, name);
	cpio_file(&b->cpio, name, 0755, text, strlen(text));
}

static int add_programs(struct build *b)
{
	int rc = add_file(b, b->busybox, "bin/busybox", 0755);

	if (rc == 0)
		rc = add_file(b, b->agent, "usr/sbin/qemu-ga", 0755);
	for (unsigned i = 0; rc == 0 && i < b->libs.n; i++) {
		const char *name = b->libs.paths[i] + 1;

		add_parents(b, name);
		rc = add_file(b, b->libs.paths[i], name, 0755);
	}
	return rc;
}

static int build(struct build *b)
{
	static const char *const dirs[] = {"bin",  "dev",      "etc",	  "lib", "proc",
					   "root", "run",      "sbin",	  "sys", "tmp",
					   "usr",  "usr/sbin", "usr/bin", "var"};
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n", group[] = "root:x:0:\n";
	int rc;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		cpio_dir(&b->cpio, dirs[i], 0755);
	/* Debian's kernel does not mount devtmpfs by itself: without this node /init has no output.
	 */
	cpio_char_device(&b->cpio, "dev/console", 0600, 5, 1);
	cpio_char_device(&b->cpio, "dev/null", 0666, 1, 3);
	cpio_symlink(&b->cpio, "var/run", "/run");
	cpio_symlink(&b->cpio, "bin/sh", "busybox");
	cpio_file(&b->cpio, "etc/passwd", 0644, passwd, sizeof(passwd) - 1);
	cpio_file(&b->cpio, "etc/group", 0644, group, sizeof(group) - 1);
	add_script(b, "init", guest_init_script);
	add_script(b, "sbin/shutdown", guest_shutdown_script);
	add_script(b, "etc/acpi/PWRF/00000080", guest_acpi_script);
	/* Where Debian's busybox looks for it, and where others do. */
	add_script(b, "etc/udhcpc/default.script", guest_dhcp_script);
	add_parents(b, "usr/share/udhcpc/default.script");
	cpio_symlink(&b->cpio, "usr/share/udhcpc/default.script", "/etc/udhcpc/default.script");
	rc = add_programs(b);
	if (rc == 0)
		rc = add_modules(b);
	if (rc < 0)
		return rc;
	rc = cpio_finish(&b->cpio);
	return rc < 0 ? err_set(b->err, rc, "image \"busybox\": %s", strerror(-rc)) : 0;
}

int image_busybox(const struct image_sources *src, const char *state_dir,
		  const char *const *drivers, struct image_files *out, struct err *err)
{
	struct build *b = calloc(1, sizeof(*b));
	char dir[IMAGE_PATH_BYTES - 112]; /* leaves room for the file's name */
	int rc;

	if (!b)
		return err_set(err, -ENOMEM, "image \"busybox\": out of memory");
	b->err = err;
	rc = find_inputs(src, drivers, b);
	if (rc < 0)
		goto out;
	snprintf(dir, sizeof(dir), "%.390s/images", state_dir);
	snprintf(out->kernel, sizeof(out->kernel), "%s", b->kernel.path);
	snprintf(out->release, sizeof(out->release), "%s", b->kernel.release);
	snprintf(out->initrd, sizeof(out->initrd), "%s/busybox-%.64s-%016llx.cpio", dir,
		 b->kernel.release, (unsigned long long)hash_inputs(b));
	if (access(out->initrd, R_OK) == 0)
		goto readable;
	rc = dir_make(dir, 0755, err);
	if (rc == 0)
		rc = build(b);
	if (rc == 0)
		rc = file_write(out->initrd, b->cpio.data, b->cpio.len, err);
readable:
	/* Nothing in it is a secret, and QEMU may be another user's: one that cannot read it needs a copy each. */
	if (rc == 0)
		chmod(out->initrd, 0644);
out:
	cpio_free(&b->cpio);
	free(b);
	return rc;
}
