/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/process_id.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/boot_id.h"

#define FIELD_STATE	 3 /* of /proc/PID/stat, counted from 1 */
#define FIELD_START_TIME 22

uint64_t process_start_time(pid_t pid)
{
	char path[64], text[1024], *at;
	unsigned long long start = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* The second field is the program's name, whatever that has in it. */
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || strchr("ZX", at[2]))
		return 0;
	at += 2;
	for (int field = FIELD_STATE; at && field < FIELD_START_TIME; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at && sscanf(at, "%llu", &start) == 1 ? start : 0;
}

int process_open(pid_t pid, uint64_t start_time)
{
	int fd = pid > 0 && start_time ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return pid > 0 && start_time ? -errno : -ESRCH;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Looked at while the descriptor keeps the number from being given anew. */
	if (process_start_time(pid) == start_time)
		return fd;
	close(fd);
	return -ESRCH;
}

json_t *process_json(pid_t pid, uint64_t start_time)
{
	char boot[BOOT_ID_BYTES];

	boot_id(boot);
	return json_pack("{s:i,s:I,s:s}", "pid", (int)pid, "start", (json_int_t)start_time, "boot", boot);
}

int process_open_json(const json_t *process)
{
	const char *boot = json_string_value(json_object_get(process, "boot"));
	char now[BOOT_ID_BYTES];

	boot_id(now);
	if (boot && strcmp(boot, now))
		return -ESRCH;
	return process_open((pid_t)json_integer_value(json_object_get(process, "pid")),
			    (uint64_t)json_integer_value(json_object_get(process, "start")));
}

int process_kill(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : -errno;
	return poll(&p, 1, timeout_ms) > 0 ? 0 : -ETIMEDOUT;
}
