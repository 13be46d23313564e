/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's image: archives as others read them, modules in the order in which they load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm-launcher/cpio.h"
#include "vm-launcher/elf_libs.h"
#include "vm-launcher/file.h"
#include "vm-launcher/guest_kernel.h"
#include "vm-launcher/image.h"
#include "vm-launcher/modules.h"

static const char dep[] = "kernel/a/virtio_ring.ko:\n"
			  "kernel/a/virtio.ko: kernel/a/virtio_ring.ko\n"
			  "kernel/n/failover.ko.xz:\n"
			  "kernel/n/net-failover.ko.xz: kernel/n/failover.ko.xz\n"
			  "kernel/n/virtio_net.ko: kernel/n/net-failover.ko.xz "
			  "kernel/n/failover.ko.xz kernel/a/virtio.ko kernel/a/virtio_ring.ko\n"
			  "kernel/n/not_virtio_net.ko: kernel/n/virtio_net.ko\n";

static void what_is_needed_loads_first(void **state)
{
	struct module_list *list = calloc(1, sizeof(*list));

	assert_int_equal(modules_closure(dep, "virtio-net", list), 0);
	assert_int_equal(list->n, 5);
	assert_string_equal(list->paths[0], "kernel/a/virtio_ring.ko");
	assert_string_equal(list->paths[1], "kernel/a/virtio.ko");
	assert_string_equal(list->paths[2], "kernel/n/failover.ko.xz");
	assert_string_equal(list->paths[3], "kernel/n/net-failover.ko.xz");
	assert_string_equal(list->paths[4], "kernel/n/virtio_net.ko");
	free(list);
}

static void module_is_listed_once(void **state)
{
	struct module_list *list = calloc(1, sizeof(*list));

	assert_int_equal(modules_closure(dep, "virtio", list), 0);
	assert_int_equal(modules_closure(dep, "virtio_net", list), 0);
	assert_int_equal(list->n, 5);
	free(list);
}

static void unknown_module_is_said(void **state)
{
	struct module_list *list = calloc(1, sizeof(*list));

	assert_int_equal(modules_closure(dep, "net", list), -ENOENT);
	assert_int_equal(modules_closure("no colon\n\n:\nkernel", "virtio", list), -ENOENT);
	free(list);
}

/* A chain of more modules than the list holds must end, not overflow. */
static void endless_dependencies_are_refused(void **state)
{
	struct module_list *list = calloc(1, sizeof(*list));
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	fputs("kernel/top.ko:", f);
	for (int i = 0; i < MODULES_MAX + 10; i++)
		fprintf(f, " kernel/m%d.ko", i);
	fputs("\n", f);
	fclose(f);
	assert_int_equal(modules_closure(text, "top", list), -E2BIG);
	free(text);
	free(list);
}

/* What the system's own cpio reads of an archive. */
static char *list_archive(const struct cpio *c)
{
	char in[] = "/tmp/lanyard-test-XXXXXX", out[] = "/tmp/lanyard-test-XXXXXX", *text;
	int fds[2] = {mkstemp(in), mkstemp(out)}, status;
	struct err err = ERR_NONE;
	size_t len;
	pid_t pid;

	assert_int_equal(file_write_fd(fds[0], c->data, c->len), 0);
	lseek(fds[0], 0, SEEK_SET);
	pid = fork();
	if (pid == 0) {
		dup2(fds[0], STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		execlp("cpio", "cpio", "-tv", "--quiet", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(file_read_all(out, 65536, &text, &len, &err), 0);
	close(fds[0]);
	close(fds[1]);
	unlink(in);
	unlink(out);
	return text;
}

static void cpio_reads_what_was_written(void **state)
{
	struct cpio c = {0};
	char *list;

	if (access("/usr/bin/cpio", X_OK) && access("/bin/cpio", X_OK))
		skip();
	cpio_dir(&c, "dev", 0755);
	cpio_char_device(&c, "dev/console", 0600, 5, 1);
	cpio_file(&c, "init", 0755, "hello", 5);
	cpio_file(&c, "empty", 0644, NULL, 0);
	cpio_symlink(&c, "bin", "usr/bin");
	assert_int_equal(cpio_finish(&c), 0);
	list = list_archive(&c);
	assert_non_null(strstr(list, "drwxr-xr-x   1 root     root"));
	assert_non_null(strstr(list, "crw-------   1 root     root       5,   1"));
	assert_non_null(strstr(list, "        5 Jan  1  1970 init\n"));
	assert_non_null(strstr(list, "        0 Jan  1  1970 empty\n"));
	assert_non_null(strstr(list, "bin -> usr/bin\n"));
	free(list);
	cpio_free(&c);
}

static void same_input_gives_the_same_bytes(void **state)
{
	struct cpio a = {0}, b = {0};

	cpio_file(&a, "x", 0644, "1", 1);
	cpio_file(&b, "x", 0644, "1", 1);
	assert_int_equal(cpio_finish(&a) | cpio_finish(&b), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	cpio_free(&a);
	cpio_free(&b);
}

static void libraries_of_a_program_are_found(void **state)
{
	struct elf_libs *libs = calloc(1, sizeof(*libs));
	struct err err = ERR_NONE;
	int n_libc = 0, n_loader = 0;

	assert_int_equal(elf_libs_of("/proc/self/exe", libs, &err), 0);
	for (unsigned i = 0; i < libs->n; i++) {
		n_libc += strstr(libs->paths[i], "/libc.so.6") != NULL;
		n_loader += strstr(libs->paths[i], "/ld-linux") != NULL;
	}
	assert_int_equal(n_libc, 1);
	assert_int_equal(n_loader, 1);
	free(libs);
}

static void damaged_program_is_refused(void **state)
{
	struct elf_libs *libs = calloc(1, sizeof(*libs));
	char path[] = "/tmp/lanyard-test-XXXXXX", *data;
	struct err err = ERR_NONE;
	int fd = mkstemp(path);
	size_t len;

	close(fd);
	assert_int_equal(file_read_all("/proc/self/exe", 64 << 20, &data, &len, &err), 0);
	/* Cut off at every place of the headers, and some way behind them. */
	for (size_t cut = 0; cut < 1200; cut += 7) {
		assert_int_equal(file_write(path, data, cut, &err), 0);
		elf_libs_of(path, libs, &err);
	}
	/* Each byte of the first headers bent: whatever it says, it must not crash. */
	for (size_t i = 0; i < 600; i++) {
		data[i] = (char)~data[i];
		libs->n = 0;
		assert_int_equal(file_write(path, data, 4096, &err), 0);
		elf_libs_of(path, libs, &err);
		data[i] = (char)~data[i];
	}
	assert_int_equal(file_write(path, "no program", 10, &err), 0);
	assert_int_equal(elf_libs_of(path, libs, &err), -ENOEXEC);
	unlink(path);
	free(data);
	free(libs);
}

static void missing_kernel_names_its_package(void **state)
{
	const struct image_sources src = {"/nonexistent", "/nonexistent", NULL, NULL};
	struct image_files files;
	struct err err = ERR_NONE;

	assert_int_equal(image_busybox(&src, "/tmp", NULL, &files, &err), -ENOENT);
	assert_string_equal(err.hint, "apt-get install linux-image-cloud-amd64");
}

/* A kernel in DIR/boot with these lines in its modules.dep. */
static void kernel_make(const char *dir, const char *release, const char *text)
{
	char path[512];
	struct err err = ERR_NONE;

	snprintf(path, sizeof(path), "%s/vmlinuz-%s", dir, release);
	assert_int_equal(file_write(path, "", 0, &err), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, release);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%s/modules.dep", dir, release);
	assert_int_equal(file_write(path, text, strlen(text), &err), 0);
}

static void kernel_remove(const char *dir, const char *release)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/vmlinuz-%s", dir, release);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s/modules.dep", dir, release);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", dir, release);
	rmdir(path);
}

/* The cloud kernel is the smallest and boots fastest; it has no driver of an emulated card. */
static void kernel_has_the_drivers_of_the_cards(void **state)
{
	static const char virtio[] = "k/virtio_pci.ko:\nk/virtio_net.ko:\nk/virtio_console.ko:\n";
	static const char full[] = "k/virtio_pci.ko:\nk/virtio_net.ko:\nk/virtio_console.ko:\n"
				   "k/mii.ko:\nk/e1000.ko:\nk/8139cp.ko: k/mii.ko\n";
	static const char *const cards[] = {"e1000", "8139cp", NULL};
	static const char *const none_such[] = {"e1000", "igc", NULL};
	struct guest_kernel *k = calloc(1, sizeof(*k));
	char dir[] = "/tmp/lanyard-test-XXXXXX";
	struct err err = ERR_NONE;

	assert_non_null(mkdtemp(dir));
	kernel_make(dir, "6.1.0-9-cloud-amd64", virtio);
	kernel_make(dir, "6.1.0-56-amd64", full);
	assert_int_equal(guest_kernel_find(dir, dir, NULL, k, &err), 0);
	assert_string_equal(k->release, "6.1.0-9-cloud-amd64");
	assert_int_equal(k->n_boot, 3);
	assert_int_equal(guest_kernel_find(dir, dir, cards, k, &err), 0);
	assert_string_equal(k->release, "6.1.0-56-amd64");
	assert_int_equal(k->n_boot, 6);
	assert_string_equal(k->files.paths[3], "k/e1000.ko");
	assert_string_equal(k->files.paths[4], "k/mii.ko");
	assert_int_equal(guest_kernel_find(dir, dir, none_such, k, &err), -ENOENT);
	assert_non_null(strstr(err.text, "the driver of the guest's cards, e1000, igc"));
	assert_memory_equal(err.hint, "apt-get install linux-image-amd64", 33);
	kernel_remove(dir, "6.1.0-9-cloud-amd64");
	kernel_remove(dir, "6.1.0-56-amd64");
	assert_int_equal(rmdir(dir), 0);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_needed_loads_first),
		cmocka_unit_test(module_is_listed_once),
		cmocka_unit_test(unknown_module_is_said),
		cmocka_unit_test(endless_dependencies_are_refused),
		cmocka_unit_test(cpio_reads_what_was_written),
		cmocka_unit_test(same_input_gives_the_same_bytes),
		cmocka_unit_test(libraries_of_a_program_are_found),
		cmocka_unit_test(damaged_program_is_refused),
		cmocka_unit_test(missing_kernel_names_its_package),
		cmocka_unit_test(kernel_has_the_drivers_of_the_cards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
