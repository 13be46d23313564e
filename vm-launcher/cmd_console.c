/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard console NAME: the terminal here is the guest's, until Ctrl-].
 *
 * Trust    what the guest prints reaches the terminal as it is, as any console's does.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "vm-launcher/file.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_commands.h"

#define ESCAPE	0x1d /* Ctrl-] */
#define CALL_MS 10000

static int console_connect(const char *path, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
		if (fd >= 0)
			close(fd);
		return err_set(err, -ENAMETOOLONG, "console socket \"%.150s\" cannot be used",
			       path);
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int rc = err_set(err, -errno, "console socket \"%.150s\": %s", path,
				 strerror(errno));

		close(fd);
		return rc;
	}
	return fd;
}

/* Returns 0 when this side is through, 1 when the guest is. */
static int carry(int guest, bool watch)
{
	struct pollfd p[2] = {{.fd = guest, .events = POLLIN},
			      {.fd = STDIN_FILENO, .events = POLLIN}};
	char buf[4096];

	for (;;) {
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (p[0].revents) {
			n = read(guest, buf, sizeof(buf));
			if (n <= 0 || file_write_fd(STDOUT_FILENO, buf, (size_t)n) < 0)
				return 1;
		}
		if (!p[1].revents)
			continue;
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (n <= 0 && !watch && isatty(STDIN_FILENO))
			return 0;
		if (n <=
		    0) /* a script's input is through; what the guest answers is still wanted */
			p[1].fd = -1;
		else if (memchr(buf, ESCAPE, (size_t)n))
			return 0;
		else if (!watch && file_write_fd(guest, buf, (size_t)n) < 0)
			return 1;
	}
}

int cmd_console(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	bool watch = json_is_true(json_object_get(params, "watch")), tty = isatty(STDIN_FILENO);
	struct termios saved, raw;
	char full[VM_NAME_BYTES];
	json_t *answer = NULL;
	int rc = cmd_vm_name(cli, params, full, err), fd;

	if (rc == 0)
		rc = vm_client_call(cli->run_dir, full, "vm.console", NULL, CALL_MS, &answer, err);
	if (rc < 0)
		return cmd_vm_exit(rc);
	fd = console_connect(json_string_value(json_object_get(answer, "path")), err);
	json_decref(answer);
	if (fd < 0)
		return cmd_vm_exit(fd);
	if (tty && tcgetattr(STDIN_FILENO, &saved) == 0) {
		fprintf(stderr, "%s of %s; leave with Ctrl-]\n",
			watch ? "watching the console" : "console", full);
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	rc = carry(fd, watch);
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
		fprintf(stderr, rc ? "\nthe console was closed\n" : "\n");
	}
	close(fd);
	return EXIT_DONE;
}
