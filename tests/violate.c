/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded to a switch under test (tests/smoke/confine.py, helper.py): SIGUSR2 has it make a system call that is not listed,
 * SIGWINCH a socket of netlink of which only others are; SIGURG say whether it can open a file that is everybody's to read. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_signal(int sig)
{
	syscall(SYS_getppid);
}

static void on_generic(int sig)
{
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

static void on_look(int sig)
{
	static const char yes[] = "a file is opened\n", no[] = "a file is refused\n";
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (write(STDERR_FILENO, fd < 0 ? no : yes, fd < 0 ? sizeof(no) - 1 : sizeof(yes) - 1) < 0)
		_exit(1);
}

__attribute__((constructor)) static void begin(void)
{
	signal(SIGUSR2, on_signal);
	signal(SIGWINCH, on_generic);
	signal(SIGURG, on_look);
}
