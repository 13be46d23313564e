/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accelerator of a guest: KVM where it is proved, TCG (QEMU's own translator) elsewhere.
 *
 * How      The verdict on KVM is remembered in DIR/kvm-verdict.json for this boot of the host and
 *          this device node's owner and mode, so that only the first VM pays for the proof; that
 *          the device cannot be opened is not remembered.
 * Threads  any, one at a time; see kvm.h about fork.
 */
#ifndef VM_LAUNCHER_ACCEL_H
#define VM_LAUNCHER_ACCEL_H

#include "base/err.h"
#include "vm-launcher/kvm.h"

enum accel { ACCEL_TCG, ACCEL_KVM };

struct accel_choice {
	enum accel accel;
	char reason[512]; /* why it is this one, for people */
};

const char *accel_name(enum accel accel); /* "kvm", "tcg" */

/*
 * want: "auto", "kvm" or "tcg". Fails (-ENOTSUP) only when "kvm" is wanted and was disproved.
 * cache_dir may be NULL: no verdict is remembered.
 */
int accel_choose(const char *want, const char *cache_dir, const struct kvm_ops *ops,
		 struct accel_choice *out, struct err *err);

/* The proof alone: 0, or -errno and why KVM is not to be had. */
int accel_kvm_prove(const char *cache_dir, const struct kvm_ops *ops, struct err *err);

#endif
