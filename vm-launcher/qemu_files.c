/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/qemu_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm-launcher/qcow2.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* A copy that nobody can change any more. Returns its descriptor or -errno. */
static int copy_sealed(int from)
{
	int fd = memfd_create("boot", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = sendfile(fd, from, NULL, 1 << 30);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* As it was asked for: what it is, is known now. */
static int block(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0 ? -errno : 0;
}

/* Of kernel and initrd, without waiting for who writes to a pipe. Returns a descriptor that the user may open anew, or -errno. */
static int open_readable(const char *path, const struct vm_user *u)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), copy;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || block(fd) < 0) {
		close(fd);
		return -EINVAL;
	}
	if (st.st_mode & S_IROTH || (st.st_uid == u->uid && st.st_mode & S_IRUSR))
		return fd;
	copy = copy_sealed(fd);
	close(fd);
	return copy;
}

static int boot_file(const struct vm_spec *s, const char *what, const char *path,
		     const struct vm_user *u, int *out, struct err *err)
{
	if (!path[0])
		return 0;
	*out = open_readable(path, u);
	return *out < 0 ? err_set(err, *out, "vm \"%s\": %s \"%.200s\" cannot be read: %s", s->name,
				  what, path, strerror(-*out))
			: 0;
}

static int backing_check(const struct vm_spec *s, const struct vm_user *u, int disk,
			 struct qemu_files *files, struct err *err)
{
	int rc = qcow2_backing(disk, s->disk, files->backing, sizeof(files->backing), err);

	if (rc < 0) {
		err_prefix(err, "vm \"%s\": disk \"%.200s\"", s->name, s->disk);
		return rc;
	}
	rc = files->backing[0] ? vm_user_can_read(u, files->backing) : 0;
	return rc < 0 ? err_set(err, rc,
				"vm \"%s\": \"%.200s\", the backing file of its disk, cannot be read by user %s, as "
				"whom QEMU runs: %s (let it be read by others, or say --user root)",
				s->name, files->backing, u->name, strerror(-rc))
		      : 0;
}

static int disk_open(const struct vm_spec *s, const struct vm_user *u, int *out,
		     struct qemu_files *files, struct err *err)
{
	struct stat st;

	*out = open(s->disk, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*out < 0)
		return err_set(err, -errno, "vm \"%s\": disk \"%.200s\" cannot be opened: %s",
			       s->name, s->disk, strerror(errno));
	if (fstat(*out, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(err, -EINVAL, "vm \"%s\": disk \"%.200s\" is neither a file nor a block device",
			       s->name, s->disk);
	return strcmp(s->disk_format, "qcow2") ? 0 : backing_check(s, u, *out, files, err);
}

int qemu_files_open(const struct vm_spec *s, const struct vm_user *u, int fds[QEMU_FD_END],
		    struct qemu_files *files, struct err *err)
{
	int rc;

	memset(files, 0, sizeof(*files));
	if (!u->change)
		return 0;
	files->passed = true;
	rc = boot_file(s, "kernel", s->boot_kernel, u, &fds[QEMU_FD_KERNEL], err);
	if (rc == 0)
		rc = boot_file(s, "initrd", s->boot_initrd, u, &fds[QEMU_FD_INITRD], err);
	if (rc == 0 && s->disk[0])
		rc = disk_open(s, u, &fds[QEMU_FD_DISK], files, err);
	return rc;
}
