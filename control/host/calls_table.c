/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that the host helper may make once it answers questions, and why; see base/calls.h. tests/robustness
 * reads the rows as they stand here. It executes nothing, has no children but those before, and signals nobody.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "control/host/calls_table.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

static const struct call_arg no_code[] = {{.index = 2, .mask = PROT_EXEC}, {0}};
/* An int's upper half is anything. */
static const struct call_arg of_netlink[] = {
	{.index = 0, .mask = 0xffffffff, .value = AF_NETLINK, .and = true},
	{.index = 2, .mask = 0xffffffff, .value = NETLINK_ROUTE},
	{.index = 0, .mask = 0xffffffff, .value = AF_NETLINK, .and = true},
	{.index = 2, .mask = 0xffffffff, .value = NETLINK_NETFILTER},
	{0},
};

/* A request has 32 bits, whatever stands above them. */
#define REQUEST(r) {.index = 1, .mask = 0xffffffff, .value = (r)}
static const struct call_arg asked[] = {
	REQUEST(TUNGETIFF),
	REQUEST(TUNSETIFF),
	REQUEST(TUNSETVNETHDRSZ),
	REQUEST(TUNSETOFFLOAD),
	REQUEST(TUNGETDEVNETNS),
	REQUEST(NS_GET_NSTYPE),
	{0},
};

const struct call host_calls[] = {
	/* questions, answers, and the kernel's words about interfaces and nftables */
	{"recvmsg", "questions and netlink", 0, NULL},
	{"sendmsg", "answers and netlink", 0, NULL},
	{"recvfrom", "libmnl: nftables answers; its changes by others", 0, NULL},
	{"sendto", "libmnl, libnl: questions to the kernel", 0, NULL},
	{"socket", "netlink: nftables and interfaces; nothing else of it, no other family", 0, of_netlink},
	{"bind", "the same: groups that are listened to", 0, NULL},
	{"getsockname", "libnl and libmnl: which number the kernel gave", 0, NULL},
	{"getsockopt", "libnl and libmnl: sizes and kind of a socket", 0, NULL},
	{"setsockopt", "buffers, groups, extended errors of netlink", 0, NULL},
	{"poll", "waiting for an answer of a child's", 0, NULL},
	{"ppoll", "the same, on other machines", 0, NULL},
	{"pselect6", "libnftables waits for the kernel", 0, NULL},
	{"epoll_wait", "sleeping until somebody asks", 0, NULL},
	{"epoll_pwait", "the same, on other machines", 0, NULL},
	{"epoll_ctl", "whose events those are", 0, NULL},
	/* descriptors and files, where Landlock lets it */
	{"openat", "net.ipv4.ip_forward; namespaces, its own too", 0, NULL},
	{"read", "net.ipv4.ip_forward", 0, NULL},
	{"write", "the same; the log", 0, NULL},
	{"pwrite64", "the note of what is changed of this host", 0, NULL},
	{"ftruncate", "the same, when nothing is", 0, NULL},
	{"close", "what came with a question, and what went with an answer", 0, NULL},
	{"fcntl", "sockets that do not wait; the lock on IPv4 forwarding", 0, NULL},
	{"ioctl", "queues of taps, kinds of namespaces; nothing else", 0, asked},
	{"newfstatat", "which namespace or device a descriptor is", 0, NULL},
	{"fstat", "the same, on other machines", 0, NULL},
	{"fstatfs", "whether it is a namespace", 0, NULL},
	{"readlink", "whether it is an XDP program", 0, NULL},
	{"readlinkat", "the same, on other machines", 0, NULL},
	/* memory: none that can be written or mapped later becomes code */
	{"brk", "the allocator", 0, NULL},
	{"mmap", "the allocator; never with PROT_EXEC", 0, no_code},
	{"mprotect", "the same", 0, no_code},
	{"munmap", "the allocator", 0, NULL},
	{"mremap", "the allocator", 0, NULL},
	{"madvise", "the allocator", 0, NULL},
	/* the rest */
	{"clock_nanosleep", "waiting for the lock on IPv4 forwarding", 0, NULL},
	{"clock_gettime", "clocks, on machines where the kernel's page has none", 0, NULL},
	{"getrandom", "libnl, libnftables, a group of interfaces to be deleted", 0, NULL},
	{"getpid", "libnl's numbers; abort(3)", 0, NULL},
	{"gettid", "abort(3)", 0, NULL},
	{"getuid", "libnftables, for its buffers", 0, NULL},
	{"geteuid", "the same", 0, NULL},
	{"futex", "locks of libraries", 0, NULL},
	{"rt_sigprocmask", "abort(3)", 0, NULL},
	{"rt_sigaction", "the end by a call that is not listed here", 0, NULL},
	{"rt_sigreturn", "the same", 0, NULL},
	{"tgkill", "the same; abort(3)", 0, NULL},
	{"exit_group", "its end", 0, NULL},
	/* answered with an error, which their callers live with */
	{"restart_syscall", "a wait that SIGSTOP and SIGCONT cut through ends, as by any signal", EINTR, NULL},
	{"lseek", "stdio's look back before it closes a file", ESPIPE, NULL},
	{"sysinfo", "qsort(3) asks how much memory there is", EPERM, NULL},
	{"writev", "the C library's last words before abort(3)", EPERM, NULL},
	{.name = NULL},
};
