/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each system call that a confined process may make, and why; see base/calls.h. tests/robustness reads the
 * rows as they stand here, and counts them: 50 are the most.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <net/if.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "control/daemon/calls_table.h"

/* Threads of the process, and in none but its own namespaces. */
static const struct call_arg new_thread[] = {
	{.index = 0,
	 .mask = CLONE_THREAD | CLONE_VM | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		 CLONE_NEWPID | CLONE_NEWNET,
	 .value = CLONE_THREAD | CLONE_VM},
	{0},
};

static const struct call_arg no_code[] = {{.index = 2, .mask = PROT_EXEC}, {0}};

/* Of the kernel's headers: a request has 32 bits, whatever stands above them. */
#define REQUEST(r) {.index = 1, .mask = 0xffffffff, .value = (r)}
static const struct call_arg asked[] = {
	REQUEST(FIONREAD),     REQUEST(TUNGETIFF),    REQUEST(TUNSETIFF),     REQUEST(TUNSETCARRIER),
	REQUEST(TUNSETQUEUE),  REQUEST(TUNSETOFFLOAD), REQUEST(TUNSETVNETHDRSZ), REQUEST(TUNGETDEVNETNS),
	REQUEST(SIOCGIFINDEX), REQUEST(SIOCGIFMTU),   REQUEST(SIOCGIFFLAGS),  {0},
};

const struct call calls_table[] = {
	/* descriptors */
	{"read", "frames of taps; events, signals, files of /proc, saved configurations", 0, NULL},
	{"write", "frames to taps; kicks, the log, saved configurations", 0, NULL},
	{"close", "what a port, a client or a front end had", 0, NULL},
	{"fcntl", "flags of descriptors that were received; seals of memory", 0, NULL},
	{"ioctl", "taps' queues and carrier, an interface's state, bytes left in a socket; nothing else", 0, asked},
	{"epoll_wait", "sleeping until something happens", 0, NULL},
	{"epoll_ctl", "whose events those are", 0, NULL},
	{"epoll_create1", "a worker's or a helper thread's own waiting", 0, NULL},
	{"epoll_create", "DPDK's thread for interrupts, when an uplink goes", 0, NULL},
	{"poll", "waiting for room towards the keeper, in an uplink's ring", 0, NULL},
	{"eventfd2", "waking a worker or a helper thread", 0, NULL},
	/* peers */
	{"accept4", "clients of the control socket and of metrics, front ends", 0, NULL},
	{"recvmsg", "messages with descriptors: front ends, the keeper; datagrams", 0, NULL},
	{"sendmsg", "the same, the other way", 0, NULL},
	{"recvfrom", "requests, news of interfaces, an uplink's completions", 0, NULL},
	{"sendto", "replies, an uplink's frames", 0, NULL},
	{"shutdown", "the end of a connection, before what lies in it is thrown away", 0, NULL},
	{"getsockopt", "who a client is", 0, NULL},
	{"getsockname", "libnl, of the sockets that the host helper opened", 0, NULL},
	/* memory: none that can be written or mapped later becomes code */
	{"mmap", "guests' memory, rings, the allocator; never with PROT_EXEC", 0, no_code},
	{"mprotect", "stacks of threads, the allocator; never with PROT_EXEC", 0, no_code},
	{"munmap", "guests' memory that is given back", 0, NULL},
	{"madvise", "guests' memory stays out of core dumps; the allocator", 0, NULL},
	{"brk", "the allocator", 0, NULL},
	{"memfd_create", "captures, a bridge's addresses: memory that others are handed", 0, NULL},
	{"ftruncate", "the size of that memory", 0, NULL},
	{"fallocate", "that there is so much of it", 0, NULL},
	/* threads */
	{"clone", "helper threads, in the process's own namespaces; no process", 0, new_thread},
	{"rseq", "the start of a thread: the C library does not go on without", 0, NULL},
	{"exit", "the end of a thread", 0, NULL},
	{"exit_group", "the end of the process", 0, NULL},
	{"futex", "locks, and waiting for a thread", 0, NULL},
	{"rt_sigprocmask", "threads that signals leave alone; abort(3)", 0, NULL},
	{"rt_sigaction", "a fatal signal does what it did before once it was witnessed; abort(3)", 0, NULL},
	{"rt_sigreturn", "the end of a signal's handler", 0, NULL},
	{"tgkill", "abort(3), and the end by a call that is not listed here", 0, NULL},
	{"getpid", "the same; status", 0, NULL},
	{"gettid", "the same", 0, NULL},
	/* time */
	{"clock_nanosleep", "grace periods", 0, NULL},
	{"clock_gettime", "clocks, on machines where the kernel's page has none", 0, NULL},
	/* files, where Landlock lets it */
	{"openat", "saved configurations; /proc for VMs' figures", 0, NULL},
	{"newfstatat", "what a received descriptor is, how long a file is", 0, NULL},
	{"renameat", "a saved configuration takes the newest one's place", 0, NULL},
	{"linkat", "the one before it stays beside it", 0, NULL},
	{"readlink", "which received descriptor is an eventfd", 0, NULL},
	{"unlinkat", "what a save cut short has left", 0, NULL},
	{"fsync", "a saved configuration is on the disk", 0, NULL},
	/* asynchronous I/O, which alone wakes a guest without ever waiting for it */
	{"io_submit", "the call eventfd of a guest, never waiting", 0, NULL},
	{"io_setup", "the same, once a thread", 0, NULL},
	{"io_destroy", "the same, at a thread's end", 0, NULL},
	/* answered with an error, which their callers live with */
	{"clone3", "its flags lie in memory; the C library then uses clone", ENOSYS, NULL},
	{"restart_syscall", "a wait that SIGSTOP and SIGCONT cut through ends, as by any signal", EINTR, NULL},
	{"writev", "the C library's last words before abort(3)", EPERM, NULL},
	{"setsockopt", "the library of metrics does without", EPERM, NULL},
	{"set_robust_list", "a thread's start; nobody shares a lock with it", ENOSYS, NULL},
	{"mremap", "the allocator then copies", ENOMEM, NULL},
	{"lseek", "stdio's look back before it closes a file", ESPIPE, NULL},
	{"uname", "a library asks which kernel this is", EPERM, NULL},
	{"sysinfo", "qsort(3) asks how much memory there is", EPERM, NULL},
	{"sched_getaffinity", "the allocator asks how many processors there are", EPERM, NULL},
	{"sched_yield", "nobody depends on it", ENOSYS, NULL},
	{"socket", "whoever has no descriptor gets none: sockets are bound and connected by the keeper", EACCES, NULL},
	{"bpf", "AF_XDP's driver wants to take its program off", EPERM, NULL},
	{.name = NULL},
};
