/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm-launcher/process.h"
#include "vm-launcher/process_id.h"
#include "vm-launcher/vm_path.h"

#define REPORT_TIMEOUT_MS 10000

/* One line from the supervisor: "ok", or why not. */
static int await_report(int fd, const char *name, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char line[512];
	ssize_t n;

	if (poll(&p, 1, REPORT_TIMEOUT_MS) <= 0)
		return err_set(err, -ETIMEDOUT,
			       "vm \"%s\": its supervisor did not start within %d s", name,
			       REPORT_TIMEOUT_MS / 1000);
	n = read(fd, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "ok"))
		return 0;
	return err_set(err, -EIO, "vm \"%s\": %s", name, line[0] ? line : "its supervisor died");
}

int vm_supervise(const char *run_dir, const char *id, const struct vm_spec *spec, int lock,
		 int store_lock, struct err *err)
{
	char program[PATH_MAX], log[VM_FILE_BYTES], dir[PATH_MAX];
	char *argv[] = {program,     dir,	  (char *)id,
			(char *)"3", (char *)"4", store_lock >= 0 ? (char *)"5" : NULL,
			NULL};
	int report[2], fds[3], rc;
	pid_t pid;

	if (!realpath(run_dir, dir))
		return err_set(err, -errno, "folder \"%s\": %s", run_dir, strerror(errno));
	rc = process_find("lanyard-vm", program, sizeof(program), err);
	if (rc < 0)
		return rc;
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	fds[0] = lock;
	fds[1] = report[1];
	fds[2] = store_lock;
	rc = process_start(argv, vm_path(log, run_dir, id, "err"), fds, store_lock >= 0 ? 3 : 2,
			   &pid, err);
	close(report[1]);
	if (rc == 0)
		rc = await_report(report[0], spec->name, err);
	close(report[0]);
	return rc;
}

bool vm_qemu_lives(const json_t *doc)
{
	int fd = process_open_json(json_object_get(doc, "qemu"));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int vm_adopt_start(const char *run_dir, const char *id, const json_t *doc, int lock,
		   struct err *err)
{
	struct vm_spec spec;
	int rc = vm_spec_from_json(&spec, json_object_get(doc, "spec"), err);

	return rc < 0 ? rc : vm_supervise(run_dir, id, &spec, lock, -1, err);
}
