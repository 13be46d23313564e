/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a VM shall be: the words of `vm start` or of a lab file, with nothing left open.
 *
 * How      The CLI fills it, writes it to RUN_DIR/vm/<id>.json and starts the supervisor, which
 *          reads it there; so it is also what `vm start NAME` finds again after `vm stop NAME`.
 * Threads  any; plain memory without pointers.
 * Trust    vm_spec_from_json() takes a file that somebody may have edited: types, lengths and
 *          ranges are checked.
 */
#ifndef VM_LAUNCHER_VM_SPEC_H
#define VM_LAUNCHER_VM_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VM_NICS_MAX   8
#define VM_IPS_MAX    4
#define VM_NAME_BYTES 112 /* LAB@COPY/NAME, or the port name of one of its NICs */
#define VM_PATH_BYTES 512
#define VM_MEMORY_MIN (64ull << 20)
#define VM_MEMORY_MAX (1ull << 40)
#define VM_CPUS_MAX   64

struct vm_nic {
	char name[16];		    /* eth0 */
	bool user;		    /* QEMU's user network instead of a bridge */
	char bridge[VM_NAME_BYTES]; /* full name; empty with user */
	char port[VM_NAME_BYTES];   /* VM.eth0; empty with user */
	char mac[18];
	char model[12]; /* a nic_model's name */
	int mtu;	/* bytes; 0: not given, the guest takes its own, 1500 */
	int access;	 /* VID, 0: not given */
	char trunk[256]; /* VIDS, empty: not given */
	int native;	 /* VID, 0: not given */
	char guard[24];	 /* what the port's guard checks; "off" */
	int ssh_port;	 /* host port that leads to the guest's 22; 0: none */
	unsigned n_ips;
	char ips[VM_IPS_MAX][64]; /* CIDR, set through the agent */
	bool dhcp;		  /* the guest asks for its address; instead of ips */
	char gateway[46];	  /* way to everything else, set through the agent; empty: none */
};

struct vm_spec {
	char name[VM_NAME_BYTES];
	char lab[72]; /* LAB or LAB@COPY; empty for a hand-made VM */
	char accel_wanted[8];
	uint64_t memory_bytes;
	unsigned cpus;
	char image[32]; /* "busybox", or empty with a disk or a kernel */
	char disk[VM_PATH_BYTES];
	char disk_format[8];
	char kernel[VM_PATH_BYTES];
	char initrd[VM_PATH_BYTES];
	char append[1024];
	char user[33]; /* whose QEMU is to be; empty: see vm_user.h */
	unsigned n_nics;
	struct vm_nic nics[VM_NICS_MAX];
	/* Found out at start. */
	char accel[8];
	char accel_reason[512];
	char boot_kernel[VM_PATH_BYTES];
	char boot_initrd[VM_PATH_BYTES];
	char boot_append[1536];
};

/* Defaults and the name; lab is taken from the name's prefix. */
void vm_spec_init(struct vm_spec *s, const char *full_name);

/* Gives every NIC without one its MAC (locally administered, the same for the same full name),
 * and names NICs and ports. */
void vm_spec_number(struct vm_spec *s);

/* The last part of the full name: the guest's host name. */
const char *vm_spec_host(const struct vm_spec *s);

/* As it is saved, and read again: 0, or -EINVAL with a sentence for what vm_spec_to_json() cannot have written. */
json_t *vm_spec_to_json(const struct vm_spec *s);
int vm_spec_from_json(struct vm_spec *s, const json_t *doc, struct err *err);

/* True for six pairs of hex digits that are a unicast address. */
bool vm_mac_is_valid(const char *text);

/* That n->guard is a list of guards, and that there is what they compare with. */
int vm_nic_guard_check(const struct vm_nic *n, struct err *err);

/* True for an IPv4 or IPv6 address with /len. */
bool vm_cidr_is_valid(const char *text);

/* Adds what `ip` says: an address with its length, or dhcp, which stands alone. */
int vm_nic_ip_add(struct vm_nic *n, const char *text, struct err *err);

/* Sets what `gateway` says; vm_nic_gateway_check() that a NIC with its addresses can reach it. */
int vm_nic_gateway_set(struct vm_nic *n, const char *text, struct err *err);
int vm_nic_gateway_check(const struct vm_nic *n, struct err *err);

#endif
