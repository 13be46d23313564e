/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/rpc_liar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void rpc_liar_begin(struct rpc_liar *l, void (*talk)(int fd))
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

	snprintf(l->dir, sizeof(l->dir), "/tmp/liar-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->path, sizeof(l->path), "%s/switch.sock", l->dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", l->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	l->pid = fork();
	if (l->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while ((client = accept(fd, NULL, NULL)) >= 0) {
			talk(client);
			close(client);
		}
		_exit(0);
	}
	close(fd);
}

void rpc_liar_end(struct rpc_liar *l)
{
	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
	unlink(l->path);
	rmdir(l->dir);
}

int liar_hears(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && read(fd, line + len, 1) == 1)
		if (line[len++] == '\n') {
			line[len - 1] = '\0';
			return 1;
		}
	return 0;
}

void liar_says(int fd, const void *text, size_t len)
{
	const char *at = text;
	ssize_t n;

	while (len && (n = send(fd, at, len, MSG_NOSIGNAL)) > 0) {
		at += n;
		len -= (size_t)n;
	}
}

void liar_says_text(int fd, const char *text)
{
	liar_says(fd, text, strlen(text));
}

void liar_answers(int fd, const char *line, const char *result)
{
	const char *id = strstr(line, "\"id\":");
	char text[512];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":%s}\n",
		 id ? strtol(id + 5, NULL, 10) : 0, result);
	liar_says_text(fd, text);
}
