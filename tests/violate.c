/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded to a switch under test (tests/smoke/confine.py): SIGUSR2 has it make a system call that is not listed. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_signal(int sig)
{
	syscall(SYS_getppid);
}

__attribute__((constructor)) static void begin(void)
{
	signal(SIGUSR2, on_signal);
}
