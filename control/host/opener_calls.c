/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that lanyard-opener may make, and why; see base/calls.h. tests/robustness reads the rows as they
 * stand here.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "control/host/calls_table.h"

static const struct call_arg no_code[] = {{.index = 2, .mask = PROT_EXEC}, {0}};
static const struct call_arg of_route[] = {
	{.index = 0, .mask = 0xffffffff, .value = AF_NETLINK, .and = true},
	{.index = 2, .mask = 0xffffffff, .value = NETLINK_ROUTE},
	{0},
};
static const struct call_arg of_networks[] = {{.index = 1, .mask = 0xffffffff, .value = CLONE_NEWNET}, {0}};
static const struct call_arg kind[] = {{.index = 1, .mask = 0xffffffff, .value = NS_GET_NSTYPE}, {0}};

const struct call opener_calls[] = {
	{"poll", "sleeping until it is asked", 0, NULL},
	{"ppoll", "the same, on other machines", 0, NULL},
	{"recvmsg", "questions", 0, NULL},
	{"sendmsg", "answers", 0, NULL},
	{"fstatfs", "whether what it is shown is a namespace", 0, NULL},
	{"ioctl", "whether it is one of networks", 0, kind},
	{"newfstatat", "whether it is its own", 0, NULL},
	{"fstat", "the same, on other machines", 0, NULL},
	{"setns", "into a namespace of networks and back", 0, of_networks},
	{"socket", "a netlink socket there, for interfaces", 0, of_route},
	{"openat", "/dev/net/tun there; its own namespace", 0, NULL},
	{"close", "what came with a question, and what went with an answer", 0, NULL},
	{"write", "the log", 0, NULL},
	{"brk", "the allocator", 0, NULL},
	{"mmap", "the allocator; never with PROT_EXEC", 0, no_code},
	{"munmap", "the allocator", 0, NULL},
	{"clock_gettime", "clocks, on machines where the kernel's page has none", 0, NULL},
	{"getpid", "abort(3)", 0, NULL},
	{"gettid", "the same", 0, NULL},
	{"rt_sigprocmask", "the same", 0, NULL},
	{"rt_sigaction", "the end by a call that is not listed here", 0, NULL},
	{"rt_sigreturn", "the same", 0, NULL},
	{"tgkill", "the same; abort(3)", 0, NULL},
	{"exit_group", "its end", 0, NULL},
	{"restart_syscall", "a wait that SIGSTOP and SIGCONT cut through ends, as by any signal", EINTR, NULL},
	{.name = NULL},
};
