/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/calls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBERS 512 /* of system calls, for their names */
#define ARGS	6   /* of one */

struct calls {
	struct sock_fprog prog;
	struct sock_filter filter[];
};

static char names[NUMBERS][24]; /* a signal handler cannot look them up */
static const char *who_is;
static void (*be_witness)(void);

/* ---- one that is not allowed ---- */

static char *put(char *at, const char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

static char *put_number(char *at, const char *end, int n)
{
	char digits[12];
	size_t i = sizeof(digits);

	digits[--i] = '\0';
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	return put(at, end, digits + i);
}

/* The process ends by the same signal once the handler returns: the call was not made. */
static void on_violation(int sig, siginfo_t *info, void *context)
{
	int nr = info->si_syscall;
	struct sigaction sa = {.sa_handler = SIG_DFL};
	char line[160], *at = line, *end = line + sizeof(line) - 1;

	at = put(at, end, "err   ");
	at = put(at, end, who_is);
	at = put(at, end, ": system call ");
	at = put_number(at, end, nr < 0 ? 0 : nr);
	at = put(at, end, " (");
	at = put(at, end, nr >= 0 && nr < NUMBERS && names[nr][0] ? names[nr] : "unknown");
	at = put(at, end, ") is not allowed, or not with these arguments; the process ends\n");
	if (write(STDERR_FILENO, line, (size_t)(at - line)) < 0)
		nr = 0; /* nobody reads it */
	if (be_witness)
		be_witness();
	sigaction(SIGSYS, &sa, NULL);
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGSYS);
}

/* ---- making it ---- */

static void names_make(void)
{
	for (int nr = 0; nr < NUMBERS; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		snprintf(names[nr], sizeof(names[nr]), "%s", name ? name : "");
		free(name);
	}
}

static struct scmp_arg_cmp holds(const struct call_arg *a)
{
	return SCMP_CMP(a->index, SCMP_CMP_MASKED_EQ, a->mask ? a->mask : ~0ul, a->value);
}

static int row_add(scmp_filter_ctx ctx, const struct call *c)
{
	uint32_t action = c->error ? SCMP_ACT_ERRNO((uint16_t)c->error) : SCMP_ACT_ALLOW;
	int nr = seccomp_syscall_resolve_name(c->name), rc = 0;

	/* Another machine has none of that name and no need of it. */
	if (nr < 0)
		return 0;
	if (!c->args)
		return seccomp_rule_add(ctx, action, nr, 0);
	for (const struct call_arg *a = c->args; rc == 0 && (a->mask || a->value); a++) {
		struct scmp_arg_cmp all[ARGS];
		unsigned n = 0;

		all[n++] = holds(a);
		while (a->and && n < ARGS)
			all[n++] = holds(++a);
		rc = seccomp_rule_add_array(ctx, action, nr, n, all);
	}
	return rc;
}

/* Before all else: number -1 is what a tracer makes of a call that is not to be made, strace's injected error say. */
static const struct sock_filter no_call[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffffu, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* As the kernel takes it: the library would make it anew at each load. */
static int export(scmp_filter_ctx ctx, struct calls **out)
{
	int fd = memfd_create("lanyard-seccomp", MFD_CLOEXEC),
	    rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	struct calls *c = NULL;
	struct stat st;

	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0) {
		c = malloc(sizeof(*c) + sizeof(no_call) + (size_t)st.st_size);
		rc = c ? 0 : -ENOMEM;
	}
	if (rc == 0)
		memcpy(c->filter, no_call, sizeof(no_call));
	if (rc == 0 && pread(fd, (uint8_t *)c->filter + sizeof(no_call), (size_t)st.st_size, 0) != st.st_size)
		rc = -EIO;
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		free(c);
		return rc;
	}
	c->prog.len = (unsigned short)((sizeof(no_call) + (size_t)st.st_size) / sizeof(c->filter[0]));
	c->prog.filter = c->filter;
	*out = c;
	return 0;
}

bool calls_known(void)
{
	/* A filter at no address: that much is looked at first. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) < 0 && errno == EFAULT;
}

int calls_make(const struct call *table, struct calls **out, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int rc = ctx ? 0 : -ENOMEM;

	for (const struct call *c = table; rc == 0 && c->name; c++)
		rc = row_add(ctx, c);
	/* A tree in place of a chain of fifty comparisons. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* A call of another kind of machine's numbers is nobody's mistake. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = export(ctx, out);
	if (ctx)
		seccomp_release(ctx);
	if (rc < 0)
		return err_set(err, rc, "the filter of system calls cannot be made: %s",
			       strerror(-rc));
	names_make();
	return 0;
}

void calls_free(struct calls *c)
{
	free(c);
}

int calls_enter(const struct calls *c, const char *who, void (*witness)(void))
{
	struct sigaction sa = {.sa_sigaction = on_violation, .sa_flags = SA_SIGINFO};
	long rc;

	who_is = who;
	be_witness = witness;
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return -errno;
	rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &c->prog);
	/* Above 0: a thread that has a filter of its own. */
	return rc < 0 ? -errno : rc > 0 ? -EBUSY : 0;
}
