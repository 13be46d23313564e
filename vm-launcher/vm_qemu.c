/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The QEMU process: starting it with its channels, hearing of its end and its last words.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "vm-launcher/process_id.h"
#include "vm-launcher/qemu_argv.h"
#include "vm-launcher/qemu_exec.h"
#include "vm-launcher/qemu_files.h"
#include "vm-launcher/vm.h"

#define N_CHANNELS (QEMU_FD_LOCK - QEMU_FD_QMP)
#define OTHER_THREADS 256 /* beside the guest's processors: disk, console, RCU */

static const char *const channel_names[N_CHANNELS] = {"qmp", "ser", "agt"};

static void errors_append(struct vm *vm, const char *data, size_t len)
{
	size_t drop = 0;

	if (len > sizeof(vm->qemu_errors)) {
		data += len - sizeof(vm->qemu_errors);
		len = sizeof(vm->qemu_errors);
	}
	if (vm->qemu_errors_len + len > sizeof(vm->qemu_errors))
		drop = vm->qemu_errors_len + len - sizeof(vm->qemu_errors);
	memmove(vm->qemu_errors, vm->qemu_errors + drop, vm->qemu_errors_len - drop);
	vm->qemu_errors_len -= drop;
	memcpy(vm->qemu_errors + vm->qemu_errors_len, data, len);
	vm->qemu_errors_len += len;
}

static void on_qemu_errors(void *arg, int fd, uint32_t events)
{
	struct vm *vm = arg;
	char buf[1024], words[512];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0) {
		errors_append(vm, buf, (size_t)n);
		/* QEMU writes its messages word by word: one is logged when its line is whole. */
		if (memchr(buf, '\n', (size_t)n))
			LOG_INFO_RL("QEMU: %s", vm_qemu_last_words(vm, words, sizeof(words)));
	} else if (n == 0 || errno != EAGAIN) {
		loop_fd_del(vm->qemu_err_watch);
		vm->qemu_err_watch = NULL;
	}
}

/* A disk that was handed on has no name for QEMU; who reads what it says knows it by one. */
static void disk_name(const struct vm *vm, char *buf, size_t size)
{
	char number[32], rest[512], *at;

	snprintf(number, sizeof(number), "/dev/fdset/%d", QEMU_FD_DISK);
	at = vm->user.change ? strstr(buf, number) : NULL;
	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(number));
	snprintf(at, size - (size_t)(at - buf), "%s%s", vm->spec.disk, rest);
}

const char *vm_qemu_last_words(const struct vm *vm, char *buf, size_t size)
{
	size_t end = vm->qemu_errors_len, start, n = 0;

	while (end && vm->qemu_errors[end - 1] == '\n')
		end--;
	start = end;
	while (start && vm->qemu_errors[start - 1] != '\n')
		start--;
	for (; start < end && n + 1 < size; start++) {
		unsigned char c = (unsigned char)vm->qemu_errors[start];

		/* It goes to a terminal. */
		buf[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	buf[n] = '\0';
	disk_name(vm, buf, size);
	return buf;
}

static void on_qemu_end(void *arg, int fd, uint32_t events)
{
	struct vm *vm = arg;
	int status = -1;

	if (!vm->adopted && waitpid(vm->qemu_pid, &status, WNOHANG) != vm->qemu_pid)
		return;
	if (vm->qemu_err_watch)
		on_qemu_errors(vm, vm->qemu_err_fd, EPOLLIN);
	vm->qemu_pid = 0;
	vm_on_qemu_end(vm, status);
}

static int watch(struct vm *vm, struct err *err)
{
	int rc = process_open(vm->qemu_pid, vm->qemu_start);

	vm->qemu_pidfd = rc < 0 ? -1 : rc;
	if (rc < 0)
		return err_set(err, rc, "vm \"%s\": QEMU has ended", vm->spec.name);
	rc = loop_fd_add(vm->loop, vm->qemu_pidfd, EPOLLIN, on_qemu_end, vm, &vm->qemu_watch);
	if (rc == 0 && vm->qemu_err_fd >= 0)
		rc = loop_fd_add(vm->loop, vm->qemu_err_fd, EPOLLIN, on_qemu_errors, vm,
				 &vm->qemu_err_watch);
	return rc < 0 ? err_set(err, rc, "vm \"%s\": %s", vm->spec.name, strerror(-rc)) : 0;
}

/* Gives the supervisor's ends to those who speak on them; each owner closes its own. */
static int connect_channels(struct vm *vm, int *fds, const struct qmp_opts *qmp_opts,
			    struct err *err)
{
	const struct agent_opts agent_opts = {
		.ready = vm_guest_agent_ready, .lost = vm_guest_agent_lost, .arg = vm};
	char path[VM_FILE_BYTES];
	int listen_fd, rc;

	rc = qmp_create(vm->loop, fds[0], qmp_opts, &vm->qmp);
	fds[0] = -1;
	if (rc == 0) {
		rc = agent_create(vm->loop, fds[2], &agent_opts, &vm->agent);
		fds[2] = -1;
	}
	if (rc < 0)
		return err_set(err, rc, "vm \"%s\": %s", vm->spec.name, strerror(-rc));
	rc = rpc_listen(vm_path(path, vm->run_dir, vm->id, "con"), &listen_fd, err);
	if (rc < 0)
		return rc;
	rc = console_create(vm->loop, fds[1], listen_fd, vm_path(path, vm->run_dir, vm->id, "log"),
			    &vm->console, err);
	fds[1] = -1;
	return rc;
}

/* Lets the child go on, once it is noted which process it is: from then on it outlives this one. */
static int release_child(struct vm *vm, int go_fd, struct err *err)
{
	int rc;

	vm->qemu_start = process_start_time(vm->qemu_pid);
	rc = watch(vm, err);
	if (rc == 0 && vm_save(vm) < 0)
		rc = err_set(err, -EIO, "vm \"%s\": its state cannot be saved in \"%.200s\"",
			     vm->spec.name, vm->run_dir);
	if (rc == 0 && write(go_fd, "", 1) != 1)
		rc = err_set(err, -EIO, "vm \"%s\": QEMU cannot be told to start", vm->spec.name);
	return rc;
}

/* x has all but the pipes. */
static int start(struct vm *vm, struct qemu_exec *x, struct err *err)
{
	int errors[2], go[2], rc = 0;

	if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "vm \"%s\": pipe: %s", vm->spec.name, strerror(errno));
	if (pipe2(go, O_CLOEXEC) < 0) {
		rc = err_set(err, -errno, "vm \"%s\": pipe: %s", vm->spec.name, strerror(errno));
		close(errors[0]);
		close(errors[1]);
		return rc;
	}
	x->err_fd = errors[1];
	x->go_fd = go[0];
	vm->qemu_pid = fork();
	if (vm->qemu_pid == 0) {
		close(go[1]);
		qemu_exec(x);
	}
	if (vm->qemu_pid < 0)
		rc = err_set(err, -errno, "vm \"%s\": fork: %s", vm->spec.name, strerror(errno));
	close(errors[1]);
	close(go[0]);
	vm->qemu_err_fd = errors[0];
	if (rc < 0)
		vm->qemu_pid = 0;
	else
		rc = release_child(vm, go[1], err);
	close(go[1]);
	return rc;
}

/* What QEMU listens on for channel i. */
static int channel_connect(struct vm *vm, int i, int *out, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[VM_FILE_BYTES];
	int fd;

	vm_path(path, vm->run_dir, vm->id, channel_names[i]);
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "vm \"%s\": socket path \"%.200s\" is too long",
			       vm->spec.name, path);
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int rc = err_set(err, -errno, "vm \"%s\": QEMU's socket \"%.200s\": %s",
				 vm->spec.name, path, strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static void fds_close(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Where QEMU makes its sockets. */
static int folder_make(struct vm *vm, struct err *err)
{
	char path[VM_FILE_BYTES];

	vm_path(path, vm->run_dir, vm->id, "q");
	if ((mkdir(path, 0700) < 0 && errno != EEXIST) ||
	    (vm->user.change && chown(path, vm->user.uid, vm->user.gid) < 0))
		return err_set(err, -errno, "vm \"%s\": folder \"%.200s\" cannot be made: %s", vm->spec.name, path,
			       strerror(errno));
	return 0;
}

void vm_qemu_folder_close(struct vm *vm)
{
	char path[VM_FILE_BYTES];

	if (vm->user.change && chown(vm_path(path, vm->run_dir, vm->id, "q"), geteuid(), getegid()) < 0)
		LOG_WARN("folder \"%s\" stays that of user %s: %s", path, vm->user.name, strerror(errno));
}

static int channels_listen(struct vm *vm, int *ours, int *theirs, struct err *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < N_CHANNELS; i++) {
		char path[VM_FILE_BYTES];

		rc = rpc_listen(vm_path(path, vm->run_dir, vm->id, channel_names[i]), &theirs[QEMU_FD_QMP + i], err);
		if (rc == 0)
			rc = channel_connect(vm, i, &ours[i], err);
	}
	return rc;
}

/* With all that QEMU gets in theirs[]. */
static int spawn_with(struct vm *vm, const int *theirs, const struct qemu_files *files, struct err *err)
{
	char folder[VM_FILE_BYTES];
	struct qemu_exec x = {.fds = theirs, .folder = folder, .user = &vm->user};
	struct qemu_argv argv;
	int rc;

	snprintf(folder, sizeof(folder), "%.480s/vm", vm->run_dir);
	if (vm->user.alone)
		x.n_threads = vm->spec.cpus + OTHER_THREADS;
	if (vm->user.change && !strcmp(vm->spec.accel, "kvm")) {
		rc = vm_user_kvm_group("/dev/kvm", &x.kvm_group, err);
		if (rc < 0)
			return rc;
	}
	rc = qemu_argv_build(&argv, &vm->spec, files, vm->id, err);
	x.argv = argv.v;
	if (rc == 0)
		rc = start(vm, &x, err);
	qemu_argv_free(&argv);
	return rc;
}

int vm_qemu_spawn(struct vm *vm, const struct qmp_opts *qmp_opts, struct err *err)
{
	int ours[N_CHANNELS] = {-1, -1, -1}, theirs[QEMU_FD_END], rc;
	struct qemu_files files;

	memset(theirs, -1, sizeof(theirs));
	rc = qemu_files_open(&vm->spec, &vm->user, theirs, &files, err);
	if (rc == 0)
		rc = folder_make(vm, err);
	if (rc == 0)
		rc = channels_listen(vm, ours, theirs, err);
	if (rc == 0) {
		int lent[QEMU_FD_END];

		memcpy(lent, theirs, sizeof(lent));
		lent[QEMU_FD_LOCK] = vm->store_lock_fd;
		lent[QEMU_FD_USER] = vm->user.lock_fd;
		rc = spawn_with(vm, lent, &files, err);
	}
	if (rc == 0)
		rc = connect_channels(vm, ours, qmp_opts, err);
	fds_close(ours, N_CHANNELS);
	fds_close(theirs, QEMU_FD_END);
	return rc;
}

int vm_qemu_adopt(struct vm *vm, const struct qmp_opts *qmp_opts, struct err *err)
{
	int ours[N_CHANNELS] = {-1, -1, -1}, rc = watch(vm, err);

	for (int i = 0; rc == 0 && i < N_CHANNELS; i++)
		rc = channel_connect(vm, i, &ours[i], err);
	if (rc == 0)
		rc = connect_channels(vm, ours, qmp_opts, err);
	fds_close(ours, N_CHANNELS);
	return rc;
}

/* One that is no child is not waited for by us: its number may be another one's when it has ended. */
void vm_qemu_kill(struct vm *vm)
{
	if (vm->qemu_pidfd >= 0)
		syscall(SYS_pidfd_send_signal, vm->qemu_pidfd, SIGKILL, NULL, 0);
	else if (vm->qemu_pid > 0 && !vm->adopted)
		kill(vm->qemu_pid, SIGKILL);
}

void vm_qemu_release(struct vm *vm)
{
	if (vm->qemu_pid > 0) {
		vm_qemu_kill(vm);
		if (!vm->adopted)
			waitpid(vm->qemu_pid, NULL, 0);
		vm->qemu_pid = 0;
	}
	loop_fd_del(vm->qemu_watch);
	loop_fd_del(vm->qemu_err_watch);
	vm->qemu_watch = vm->qemu_err_watch = NULL;
	if (vm->qemu_pidfd >= 0)
		close(vm->qemu_pidfd);
	if (vm->qemu_err_fd >= 0)
		close(vm->qemu_err_fd);
	vm->qemu_pidfd = vm->qemu_err_fd = -1;
	qmp_destroy(vm->qmp);
	agent_destroy(vm->agent);
	console_destroy(vm->console);
	vm->qmp = NULL;
	vm->agent = NULL;
	vm->console = NULL;
}
