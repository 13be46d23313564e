/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proof that KVM runs guests on this host.
 *
 * What     kvm_prove() runs a guest of three instructions in 64-bit mode, a counted loop and a
 *          halt, and accepts KVM only if it ends in time.
 * How      That /dev/kvm opens, and even that a vCPU can be made, proves nothing: a host may offer
 *          KVM by emulation, a thousand times too slow and unable to boot Linux. KVM_RUN may also
 *          never come back, so the guest runs in a child process that is killed at the deadline.
 * Threads  any; forks, so the caller should have no other thread that holds locks.
 * Limits   one run takes at most the deadline and some milliseconds.
 */
#ifndef VM_LAUNCHER_KVM_H
#define VM_LAUNCHER_KVM_H

#include <stddef.h>

#include "base/err.h"

#define KVM_LOOP_ROUNDS 1000000 /* hardware: about 1 ms; KVM by emulation: more than a second */
#define KVM_DEADLINE_MS 500	/* generous to a busy host, short to a person who waits */

/* The system calls of the proof, so that a test can make each one fail or hang. */
struct kvm_ops {
	int (*open)(const char *path);
	int (*ioctl)(int fd, unsigned long request, void *arg); /* -1 and errno on failure */
	void *(*map_vcpu)(int vcpu_fd, size_t size);		/* NULL and errno on failure */
};

extern const struct kvm_ops kvm_ops_host;

/*
 * 0: KVM runs guests. Otherwise -errno and a sentence that says which of the three it is: the
 * device cannot be opened, a call (named) fails, or the guest does not finish in time (-ETIMEDOUT).
 */
int kvm_prove(const struct kvm_ops *ops, int deadline_ms, struct err *err);

#endif
