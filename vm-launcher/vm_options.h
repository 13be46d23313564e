/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words in which people describe a VM: parameters that `vm start` and lab files share, and the
 * text of --nic.
 *
 * Threads  any.
 */
#ifndef VM_LAUNCHER_VM_OPTIONS_H
#define VM_LAUNCHER_VM_OPTIONS_H

#include <jansson.h>

#include "base/err.h"
#include "control/rpc/method.h"
#include "vm-launcher/vm_spec.h"

/* Rows without a name or NIC, for both. */
#define VM_OPTION_ROWS                                                                             \
	{"image", PARAM_STRING, 0, 1, 31, "IMG", "boot an image that Lanyard makes (busybox)"},    \
		{"disk", PARAM_STRING, 0, 1, 511, "FILE", "boot from this disk"},                  \
		{"disk_format",                                                                    \
		 PARAM_ENUM,                                                                       \
		 0,                                                                                \
		 0,                                                                                \
		 0,                                                                                \
		 "raw|qcow2",                                                                      \
		 "what is in FILE (qcow2 if its name ends so, else raw)"},                         \
		{"kernel", PARAM_STRING, 0, 1, 511, "FILE", "boot this kernel"},                   \
		{"initrd", PARAM_STRING, 0, 1, 511, "FILE", "with this initial file system"},      \
		{"append", PARAM_STRING, 0, 1, 1023, "TEXT", "with these words for the kernel"},   \
		{"memory", PARAM_SIZE,		0, VM_MEMORY_MIN, VM_MEMORY_MAX,                   \
		 "SIZE",   "main memory (512M)"},                                                  \
		{"cpus", PARAM_INT, 0, 1, VM_CPUS_MAX, "N", "processors (1)"},                     \
		{"user",                                                                           \
		 PARAM_STRING,                                                                     \
		 0,                                                                                \
		 1,                                                                                \
		 32,                                                                               \
		 "NAME",                                                                           \
		 "as whom QEMU runs, where root starts it (one of the VM's own)"},                 \
	{                                                                                          \
		"accel", PARAM_ENUM, 0, 0, 0, "auto|kvm|tcg",                                      \
			"how the guest is run: auto is kvm where it works, else tcg (auto)"        \
	}

/* Takes checked values of VM_OPTION_ROWS over. */
void vm_options_apply(struct vm_spec *s, const json_t *params);

/*
 * Adds a NIC from "BR[,access=10][,trunk=10,20-29][,native=1][,mac=..][,model=..]
 * [,mtu=..][,guard=mac][,ip=dhcp][,gateway=..]" or "user[,ssh=2222]".
 * prefix is put before the bridge's name ("LAB/"), may be "".
 */
int vm_nic_parse(struct vm_spec *s, const char *text, const char *prefix, struct err *err);

/* That the model exists and the MTU is none too large for it. */
int vm_nic_check(const struct vm_nic *n, struct err *err);

/* NICs without a MAC get theirs, so that two NICs of one VM are seen to have the same one. */
int vm_options_check(const struct vm_spec *s, struct err *err);

#endif
