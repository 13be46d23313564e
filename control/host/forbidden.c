/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/forbidden.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>

#include "base/calls.h"
#include "base/log.h"

static const char *const calls[] = {
	/* file systems: no mount is made or undone */
	"mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
	"fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "quotactl_fd", "acct", "mknod", "mknodat",
	"name_to_handle_at", "open_by_handle_at", "fanotify_init",
	/* other processes: theirs are ended by kill(2) and nothing else */
	"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
	/* code in the kernel, and ways into it that nothing here goes */
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf", "perf_event_open",
	"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "iopl", "ioperm", "add_key",
	"request_key", "keyctl", "modify_ldt", "vmsplice", "lookup_dcookie",
	/* the host as a whole: name, clocks, its end */
	"reboot", "sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex",
	"syslog", "unshare", "setns", "vhangup", "nfsservctl",
};

/* A namespace of one's own, in which one has every right; a thread or a process is no matter. */
static const unsigned long spaces[] = {
	CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP,
};

static int spaces_forbid(scmp_filter_ctx ctx)
{
	int rc = 0, nr = seccomp_syscall_resolve_name("clone3");

	for (unsigned i = 0; rc == 0 && i < sizeof(spaces) / sizeof(spaces[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, spaces[i], spaces[i]));
	/* Its flags are in memory, where no filter looks: libraries go on with the older one. */
	if (rc == 0 && nr >= 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	return rc;
}

int forbidden_enter(struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx ? 0 : -ENOMEM;

	for (unsigned i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		int nr = seccomp_syscall_resolve_name(calls[i]);

		/* One that this machine, or this library, does not know. */
		if (nr >= 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
	}
	if (rc == 0)
		rc = spaces_forbid(ctx);
	/* Another kind of machine's numbers would lead around all of these. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (rc < 0 && !calls_known()) {
		LOG_WARN("switch: host helper's dhcp: this kernel has no filter of system calls");
		return 0;
	}
	return rc < 0 ? err_set(err, rc, "cannot forbid system calls: %s", strerror(-rc)) : 0;
}
