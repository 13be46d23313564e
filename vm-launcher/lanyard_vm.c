/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-vm: the supervisor of one VM. Started by `lanyard`, not by people.
 *
 * How      lanyard-vm RUN_DIR ID LOCK_FD REPORT_FD [STORE_LOCK_FD]. LOCK_FD holds the VM's lock: it lives
 *          as long as this process and its guard (vm_guard.h), so whoever gets the lock knows that nobody
 *          supervises the VM. STORE_LOCK_FD is QEMU's to hold (vm_store.h). On REPORT_FD one line says "ok", or
 *          why not, once the VM's socket answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vm-launcher/file.h"
#include "vm-launcher/process_id.h"
#include "vm-launcher/vm.h"
#include "vm-launcher/vm_guard.h"

#define SPEC_BYTES_MAX (1 << 20)

static int load_spec(struct vm *vm, struct err *err)
{
	char path[VM_FILE_BYTES];
	json_t *doc;
	int rc = file_read_json(vm_path(path, vm->run_dir, vm->id, "json"), SPEC_BYTES_MAX, &doc,
				err);

	if (rc < 0)
		return rc;
	rc = vm_spec_from_json(&vm->spec, json_object_get(doc, "spec"), err);
	if (rc == 0)
		vm_take_up(vm, doc);
	json_decref(doc);
	return rc;
}

static int fd_of(const char *text)
{
	char *end;
	long v = strtol(text, &end, 10);

	return *end || v < 3 || v > 1023 ? -1 : (int)v;
}

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct vm *vm = arg;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		vm_kill(vm, "its supervisor was told to end");
}

static int watch_signals(struct vm *vm, struct err *err)
{
	struct loop_fd *watch;
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "signalfd: %s", strerror(errno));
	return loop_fd_add(vm->loop, fd, EPOLLIN, on_signal, vm, &watch);
}

static void report(int fd, const char *text)
{
	if (fd < 0)
		return;
	/* The CLI may be gone; the VM starts all the same. */
	if (dprintf(fd, "%s\n", text) < 0)
		LOG_DEBUG("nobody waits for the start");
	close(fd);
}

static int set_up(struct vm *vm, struct err *err)
{
	int rc = load_spec(vm, err);

	if (rc < 0)
		return rc;
	log_prefix_set(vm->spec.name);
	rc = loop_create(&vm->loop);
	if (rc < 0)
		return err_set(err, rc, "%s", strerror(-rc));
	rc = watch_signals(vm, err);
	return rc < 0 ? rc : vm_serve(vm, err);
}

int main(int argc, char **argv)
{
	static struct vm vm = {.qemu_pidfd = -1, .qemu_err_fd = -1, .store_lock_fd = -1,
			       .user = {.lock_fd = -1}};
	struct err err = ERR_NONE;
	int lock_fd, report_fd;

	lock_fd = argc == 5 || argc == 6 ? fd_of(argv[3]) : -1;
	report_fd = argc == 5 || argc == 6 ? fd_of(argv[4]) : -1;
	vm.store_lock_fd = argc == 6 ? fd_of(argv[5]) : -1;
	if (lock_fd < 0 || report_fd < 0) {
		fprintf(stderr, "lanyard-vm is started by `lanyard vm start` and `lanyard up`\n");
		return 2;
	}
	fcntl(lock_fd, F_SETFD, FD_CLOEXEC);
	fcntl(report_fd, F_SETFD, FD_CLOEXEC);
	if (vm.store_lock_fd >= 0)
		fcntl(vm.store_lock_fd, F_SETFD, FD_CLOEXEC);
	/* Not the parent, which is another once the guard has ended. */
	vm.guard_pid = getpid();
	vm.guard_start = process_start_time(vm.guard_pid);
	/* Who waits for the first one has its answer. */
	if (vm_guard(report_fd) > 0)
		report_fd = -1;
	vm.run_dir = argv[1];
	snprintf(vm.id, sizeof(vm.id), "%s", argv[2]);
	vm.start_ns = loop_now_ns();
	vm.started_at = (int64_t)time(NULL);
	LIST_INIT(&vm.waiters);
	if (set_up(&vm, &err) < 0) {
		report(report_fd, err.text);
		return 1;
	}
	report(report_fd, "ok");
	if (vm_is_over(&vm)) {
		vm_release(&vm); /* the one before was killed after that, and before it was through */
		return 0;
	}
	if (vm.adopted) {
		vm_adopt(&vm);
	} else {
		vm_save(&vm);
		vm_start(&vm);
	}
	loop_run(vm.loop);
	vm_release(&vm);
	loop_destroy(vm.loop);
	return 0;
}
