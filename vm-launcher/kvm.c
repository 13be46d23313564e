/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE "/dev/kvm"

/* The guest's memory: page tables that map the first 2 MiB one to one, and the code. */
#define GUEST_BYTES 0x10000
#define PML4_GPA    0x1000
#define PDPT_GPA    0x2000
#define PD_GPA	    0x3000
#define CODE_GPA    0x8000

#define PTE_PRESENT_WRITE 0x3
#define PTE_LARGE	  0x80
#define CR0_PE_PG	  0x80000001
#define CR4_PAE		  0x20
#define EFER_LME_LMA	  0x500

/* What the child tells its parent, in one write. */
struct kvm_result {
	int error;	      /* 0, or errno of the call that failed */
	char step[64];	      /* the call that failed */
	unsigned exit_reason; /* of KVM_RUN; KVM_EXIT_HLT is what it should be */
};

static int host_open(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int host_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static void *host_map_vcpu(int vcpu_fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

const struct kvm_ops kvm_ops_host = {
	.open = host_open,
	.ioctl = host_ioctl,
	.map_vcpu = host_map_vcpu,
};

/* Fills guest memory: identity page tables and `mov ecx, rounds; 1: dec ecx; jnz 1b; hlt`. */
static void guest_fill(uint8_t *mem)
{
	static const uint8_t code[] = {0xb9, 0, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xf4};
	const uint64_t pml4e = PDPT_GPA | PTE_PRESENT_WRITE, pdpte = PD_GPA | PTE_PRESENT_WRITE;
	const uint64_t pde = PTE_PRESENT_WRITE | PTE_LARGE;
	const uint32_t rounds = KVM_LOOP_ROUNDS;

	memcpy(mem + PML4_GPA, &pml4e, sizeof(pml4e));
	memcpy(mem + PDPT_GPA, &pdpte, sizeof(pdpte));
	memcpy(mem + PD_GPA, &pde, sizeof(pde));
	memcpy(mem + CODE_GPA, code, sizeof(code));
	memcpy(mem + CODE_GPA + 1, &rounds, sizeof(rounds));
}

/* 64-bit mode at once: the segments are given as they would be after the far jump. */
static void sregs_long_mode(struct kvm_sregs *s)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = code;

	data.type = 3;
	data.selector = 16;
	data.l = 0;
	data.db = 1;
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->cr3 = PML4_GPA;
	s->cr4 |= CR4_PAE;
	s->efer |= EFER_LME_LMA;
	s->cr0 |= CR0_PE_PG;
}

static int failed(struct kvm_result *res, const char *step)
{
	res->error = errno ? errno : EIO;
	snprintf(res->step, sizeof(res->step), "%s", step);
	return -1;
}

static int vcpu_set_up(const struct kvm_ops *ops, int vcpu, struct kvm_result *res)
{
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2};

	if (ops->ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return failed(res, "KVM_GET_SREGS");
	sregs_long_mode(&sregs);
	if (ops->ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		return failed(res, "KVM_SET_SREGS");
	if (ops->ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return failed(res, "KVM_SET_REGS");
	return 0;
}

/* The child's work. It ends with the process, which closes and unmaps everything. */
static int guest_run(const struct kvm_ops *ops, int kvm, struct kvm_result *res)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES};
	struct kvm_run *run;
	int vm, vcpu, size;
	uint8_t *mem;

	vm = ops->ioctl(kvm, KVM_CREATE_VM, NULL);
	if (vm < 0)
		return failed(res, "KVM_CREATE_VM");
	mem = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return failed(res, "mmap");
	guest_fill(mem);
	region.userspace_addr = (uintptr_t)mem;
	if (ops->ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return failed(res, "KVM_SET_USER_MEMORY_REGION");
	vcpu = ops->ioctl(vm, KVM_CREATE_VCPU, NULL);
	if (vcpu < 0)
		return failed(res, "KVM_CREATE_VCPU");
	size = ops->ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (size < (int)sizeof(*run))
		return failed(res, "KVM_GET_VCPU_MMAP_SIZE");
	run = ops->map_vcpu(vcpu, (size_t)size);
	if (!run)
		return failed(res, "mmap of the vCPU");
	if (vcpu_set_up(ops, vcpu, res) < 0)
		return -1;
	if (ops->ioctl(vcpu, KVM_RUN, NULL) < 0)
		return failed(res, "KVM_RUN");
	res->exit_reason = run->exit_reason;
	return 0;
}

static void child(const struct kvm_ops *ops, int kvm, int out)
{
	struct kvm_result res = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	guest_run(ops, kvm, &res);
	if (write(out, &res, sizeof(res)) != (ssize_t)sizeof(res))
		_exit(1);
	_exit(0);
}

static int verdict(const struct kvm_result *res, struct err *err)
{
	if (res->error)
		return err_set(err, -res->error, "KVM cannot run guests here: %s fails: %s",
			       res->step, strerror(res->error));
	if (res->exit_reason != KVM_EXIT_HLT)
		return err_set(
			err, -EIO,
			"KVM cannot run guests here: a test guest ended KVM_RUN with exit reason "
			"%u instead of a halt (%d)",
			res->exit_reason, KVM_EXIT_HLT);
	return 0;
}

int kvm_prove(const struct kvm_ops *ops, int deadline_ms, struct err *err)
{
	struct kvm_result res = {0};
	int pipe_fds[2], kvm, rc;
	pid_t pid;

	kvm = ops->open(DEVICE);
	if (kvm < 0) {
		rc = -errno;
		err_set(err, rc, "KVM is not available: %s cannot be opened: %s", DEVICE,
			strerror(-rc));
		if (rc == -EACCES || rc == -EPERM)
			err_hint(err, "join the group kvm, or run as root");
		return rc;
	}
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		rc = err_set(err, -errno, "KVM cannot be tested: pipe: %s", strerror(errno));
		close(kvm);
		return rc;
	}
	pid = fork();
	if (pid == 0)
		child(ops, kvm, pipe_fds[1]);
	close(pipe_fds[1]);
	close(kvm);
	if (pid < 0) {
		rc = err_set(err, -errno, "KVM cannot be tested: fork: %s", strerror(errno));
	} else {
		struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
		int n = poll(&p, 1, deadline_ms);

		if (n > 0 && read(pipe_fds[0], &res, sizeof(res)) == (ssize_t)sizeof(res))
			rc = verdict(&res, err);
		else if (n > 0)
			rc = err_set(err, -EIO,
				     "KVM cannot run guests here: the test guest's "
				     "process died");
		else
			rc = err_set(
				err, -ETIMEDOUT,
				"KVM is too slow or hangs: a test guest did not finish a loop of "
				"%d rounds in KVM_RUN within %d ms (hardware needs about 1 ms)",
				KVM_LOOP_ROUNDS, deadline_ms);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(pipe_fds[0]);
	return rc;
}
