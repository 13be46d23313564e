/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose QEMU is.
 *
 * What     Where root starts a VM, a number that is nobody's and this VM's alone (base/users.h), so that a guest that
 *          gets out of one QEMU finds nothing that it may open, not even another guest's. Or the user of --user.
 *          Else whoever starts it.
 * How      A number is the VM's as long as its lock file in VM_USERS_DIR is held, by QEMU and its supervisor, like
 *          that of vm_store_lock(). It follows from the VM's name, so that it is mostly the same one.
 * Threads  one.
 */
#ifndef VM_LAUNCHER_VM_USER_H
#define VM_LAUNCHER_VM_USER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "vm-launcher/vm_spec.h"

#define VM_USERS_DIR "/run/lanyard-users" /* one a host: run dirs do not know of each other */

struct vm_user {
	bool change; /* false: who started the supervisor */
	bool alone;  /* nobody else has it */
	uid_t uid;
	gid_t gid;
	char name[40]; /* or the number */
	char why[96];  /* it is root's or another's own */
	int lock_fd;   /* -1: none, or another supervisor has left it to QEMU */
};

/* What can be said of --user before a VM is started. -EPERM, -EINVAL. */
int vm_user_check(const struct vm_spec *spec, struct err *err);

/* -EPERM, -EINVAL: --user is wrong; -errno with a sentence where no number can be had. */
int vm_user_choose(const struct vm_spec *spec, const char *run_dir, struct vm_user *out,
		   struct err *err);
void vm_user_release(struct vm_user *u);

/* What a supervisor tells the next one. */
json_t *vm_user_to_json(const struct vm_user *u);
void vm_user_from_json(struct vm_user *u, const json_t *doc); /* of an older one: not changed */

/* The group that may open /dev/kvm; 0: everybody may. -EACCES where it is root's alone. */
int vm_user_kvm_group(const char *device, gid_t *group, struct err *err);

/* 0, or -errno as open(2) has it for that user, who only reads. */
int vm_user_can_read(const struct vm_user *u, const char *path);

#endif
