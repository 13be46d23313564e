/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose QEMU is, and what it is handed: vm-launcher/{vm_user,qcow2,qemu_files}. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm-launcher/qcow2.h"
#include "vm-launcher/qemu_files.h"
#include "vm-launcher/vm_boot.h"
#include "vm-launcher/vm_user.h"

#define CLUSTER 65536

/* A header of version 3 with this backing file. */
static int image(const char *backing, uint8_t incompatible)
{
	uint8_t head[104] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
	int fd = memfd_create("image", MFD_CLOEXEC);

	head[15] = *backing ? 104 : 0;
	head[19] = (uint8_t)strlen(backing);
	head[79] = incompatible;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, backing, strlen(backing)), strlen(backing));
	return fd;
}

static int backing_of(int fd, char path[64], struct err *err)
{
	int rc = qcow2_backing(fd, "/images/a.qcow2", path, 64, err);

	close(fd);
	return rc;
}

static void backing_file_is_found(void **state)
{
	struct err err = ERR_NONE;
	char path[64];

	assert_int_equal(backing_of(image("", 0), path, &err), 0);
	assert_string_equal(path, "");
	assert_int_equal(backing_of(image("base.img", 0), path, &err), 0);
	assert_string_equal(path, "/images/base.img");
	assert_int_equal(backing_of(image("/b:c.img", 0), path, &err), 0);
	assert_string_equal(path, "/b:c.img");
}

static void image_that_needs_more_is_refused(void **state)
{
	struct err err = ERR_NONE;
	char path[64], longer[100];
	int fd;

	assert_int_equal(backing_of(image("nbd:unix:/x", 0), path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "which is no path"));
	assert_int_equal(backing_of(image("json:{}", 0), path, &err), -EINVAL);
	assert_int_equal(backing_of(image("", 4), path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "in another file"));
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(backing_of(image(longer, 0), path, &err), -ENAMETOOLONG);
	/* The name is said to go on behind the end. */
	fd = image("base.img", 0);
	assert_int_equal(pwrite(fd, "\xff", 1, 19), 1);
	assert_int_equal(backing_of(fd, path, &err), -EINVAL);
	fd = memfd_create("raw", MFD_CLOEXEC);
	assert_int_equal(backing_of(fd, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no qcow2"));
}

static char *file_of(char path[64], const char *text, mode_t mode)
{
	int fd;

	snprintf(path, 64, "/tmp/lanyard-user-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static void boot_file_is_copied_where_others_may_not_read_it(void **state)
{
	const struct vm_user u = {
		.change = true, .uid = 61500, .gid = 61500, .name = "61500", .lock_fd = -1};
	int fds[QEMU_FD_END];
	struct qemu_files files;
	struct err err = ERR_NONE;
	struct vm_spec s;
	char path[64], text[8] = "";
	int seals;

	vm_spec_init(&s, "h1");
	memset(fds, -1, sizeof(fds));
	snprintf(s.boot_kernel, sizeof(s.boot_kernel), "%s", file_of(path, "kernel", 0600));
	snprintf(s.boot_initrd, sizeof(s.boot_initrd), "%s", file_of(path, "initrd", 0644));
	assert_int_equal(qemu_files_open(&s, &u, fds, &files, &err), 0);
	assert_true(files.passed && !files.backing[0]);
	assert_int_equal(pread(fds[QEMU_FD_KERNEL], text, 6, 0), 6);
	assert_string_equal(text, "kernel");
	assert_int_equal(fcntl(fds[QEMU_FD_KERNEL], F_GET_SEALS),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	assert_int_equal(pread(fds[QEMU_FD_INITRD], text, 6, 0), 6);
	assert_string_equal(text, "initrd");
	seals = fcntl(fds[QEMU_FD_INITRD], F_GET_SEALS); /* -1 on a disk, "no more seals" in tmpfs */
	assert_true(seals < 0 || !(seals & F_SEAL_WRITE));
	close(fds[QEMU_FD_KERNEL]);
	close(fds[QEMU_FD_INITRD]);
	unlink(s.boot_kernel);
	unlink(s.boot_initrd);
	fds[QEMU_FD_KERNEL] = fds[QEMU_FD_INITRD] = -1;
	assert_int_equal(qemu_files_open(&s, &u, fds, &files, &err), -ENOENT);
	assert_int_equal(qemu_files_open(&s, &(struct vm_user){.change = false}, fds, &files, &err),
			 0);
	assert_false(files.passed);
}

/* Opening one would wait for who writes to it: for ever, and with it who asks for the VM's state. */
static void pipe_is_no_boot_file_and_no_disk(void **state)
{
	const struct vm_user u = {
		.change = true, .uid = 61500, .gid = 61500, .name = "61500", .lock_fd = -1};
	char dir[] = "/tmp/lanyard-user-test-XXXXXX", pipe[64];
	struct err err = ERR_NONE;
	struct qemu_files files;
	int fds[QEMU_FD_END];
	struct vm_spec s;

	assert_non_null(mkdtemp(dir));
	snprintf(pipe, sizeof(pipe), "%s/pipe", dir);
	assert_int_equal(mkfifo(pipe, 0644), 0);
	vm_spec_init(&s, "h1");
	memset(fds, -1, sizeof(fds));
	snprintf(s.boot_kernel, sizeof(s.boot_kernel), "%s", pipe);
	alarm(10); /* of the test, where it does wait */
	assert_int_equal(qemu_files_open(&s, &u, fds, &files, &err), -EINVAL);
	s.boot_kernel[0] = '\0';
	snprintf(s.disk, sizeof(s.disk), "%s", pipe);
	assert_int_equal(qemu_files_open(&s, &u, fds, &files, &err), -EINVAL);
	assert_non_null(strstr(err.text, "neither a file nor a block device"));
	alarm(0);
	close(fds[QEMU_FD_DISK]);
	unlink(pipe);
	rmdir(dir);
}

/* "… DIR/…" */
static void says(char want[160], const char *text, const char *dir)
{
	const char *at = strstr(text, "%s");

	snprintf(want, 160, "%.*s%s%s", (int)(at - text), text, dir, at + 2);
}

/* Before anything is made: what QEMU would wait for, or end with a riddle. */
static void what_a_guest_boots_from_is_looked_at_first(void **state)
{
	static const struct {
		const char *kernel, *initrd, *disk, *says;
	} cases[] = {
		{"pipe", "", "", "kernel \"%s/pipe\" is a pipe"},
		{"full", "pipe", "", "initrd \"%s/pipe\" is a pipe"},
		{"", "", "pipe", "disk \"%s/pipe\" is a pipe"},
		{".", "", "", "kernel \"%s/.\" is a folder"},
		{"", "", ".", "disk \"%s/.\" is a folder"},
		{"empty", "", "", "kernel \"%s/empty\" is empty"},
		{"full", "empty", "", "initrd \"%s/empty\" is empty"},
		{"", "", "empty", "disk \"%s/empty\" is empty"},
		{"zero", "", "", "kernel \"%s/zero\" is a character device"},
		{"", "", "zero", "disk \"%s/zero\" is a character device"},
	};
	char dir[] = "/tmp/lanyard-user-test-XXXXXX", run[64], want[160];

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	snprintf(run, sizeof(run), "%s/run", dir);
	assert_int_equal(mkfifo("pipe", 0644) | symlink("/dev/zero", "zero") |
				 close(open("empty", O_CREAT | O_WRONLY, 0644)),
			 0);
	assert_int_equal(symlink("/bin/sh", "full"), 0);
	alarm(30);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		struct vm_spec s;

		vm_spec_init(&s, "h1");
		if (*cases[i].kernel)
			snprintf(s.kernel, sizeof(s.kernel), "%s/%s", dir, cases[i].kernel);
		if (*cases[i].initrd)
			snprintf(s.initrd, sizeof(s.initrd), "%s/%s", dir, cases[i].initrd);
		if (*cases[i].disk)
			snprintf(s.disk, sizeof(s.disk), "%s/%s", dir, cases[i].disk);
		assert_int_equal(vm_boot_resolve(&s, run, run, &err), -EINVAL);
		says(want, cases[i].says, dir);
		assert_non_null(strstr(err.text, want));
		assert_int_equal(access(run, F_OK), -1);
	}
	alarm(0);
	unlink("pipe");
	unlink("zero");
	unlink("empty");
	unlink("full");
	assert_int_equal(chdir("/"), 0);
	rmdir(dir);
}

static void group_of_kvm_is_told(void **state)
{
	struct err err = ERR_NONE;
	char path[64];
	gid_t group;

	file_of(path, "", 0666);
	assert_int_equal(vm_user_kvm_group(path, &group, &err), 0);
	assert_int_equal(group, 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(vm_user_kvm_group(path, &group, &err), -EACCES);
	assert_non_null(strstr(err.text, "--user root"));
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 0, 61500), 0);
		assert_int_equal(chmod(path, 0660), 0);
		assert_int_equal(vm_user_kvm_group(path, &group, &err), 0);
		assert_int_equal(group, 61500);
	}
	unlink(path);
	assert_int_equal(vm_user_kvm_group(path, &group, &err), -ENOENT);
}

static void next_supervisor_is_told_the_user(void **state)
{
	const struct vm_user u = {.change = true,
				  .alone = true,
				  .uid = 61500,
				  .gid = 61501,
				  .name = "61500",
				  .why = "",
				  .lock_fd = 9};
	struct vm_user back;
	json_t *doc = vm_user_to_json(&u);

	vm_user_from_json(&back, doc);
	assert_true(back.change && back.alone && back.uid == 61500 && back.gid == 61501 &&
		    back.lock_fd == -1);
	assert_string_equal(back.name, "61500");
	json_decref(doc);
	/* Of one that knew of no users. */
	vm_user_from_json(&back, NULL);
	assert_true(!back.change && !back.alone && back.uid == geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backing_file_is_found),
		cmocka_unit_test(image_that_needs_more_is_refused),
		cmocka_unit_test(boot_file_is_copied_where_others_may_not_read_it),
		cmocka_unit_test(pipe_is_no_boot_file_and_no_disk),
		cmocka_unit_test(what_a_guest_boots_from_is_looked_at_first),
		cmocka_unit_test(group_of_kvm_is_told),
		cmocka_unit_test(next_supervisor_is_told_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
