/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lab: bridges, VMs, wires, and what must hold, from one YAML file.
 *
 * What     lab_read() checks everything that can be checked before anything is made: keys,
 *          names, VLANs, addresses, that nothing is there twice, that whatever is named exists.
 *          Each sentence has line, column and, for a slip of the pen, the nearest known word.
 * How      The network becomes a list of RPC calls, VMs become specs, checks become JSON objects
 *          {name, kind, from, address, target, within}: what `lab_document()` saves and `lanyard
 *          check` reads again.
 * Threads  any.
 * Trust    The file is hostile; see control/yaml/load.h for size and depth.
 * Limits   256 VMs, 1024 bridges, links and checks each.
 */
#ifndef VM_LAUNCHER_LAB_H
#define VM_LAUNCHER_LAB_H

#include <jansson.h>

#include "base/err.h"
#include "control/yaml/load.h"
#include "vm-launcher/vm_spec.h"

#define LAB_VMS_MAX   256
#define LAB_ITEMS_MAX 1024
#define LAB_PING_S    10 /* `within` of a ping, when not given */
#define LAB_NO_PING_S 3

struct lab {
	char name[33];
	unsigned n_vms;
	struct vm_spec *vms;
	json_t *network; /* [{method, params}] in order */
	json_t *checks;	 /* [{name, kind: ping|no-ping, from, address, target|null, within}] */
};

/* 0, or -errno with a sentence, and *lab is empty. */
int lab_read(const struct yaml_doc *doc, struct lab *lab, struct err *err);
void lab_free(struct lab *lab); /* *lab is empty afterwards */

/* Kernels, initrds and disks are named relative to the lab's file: puts its folder before those that
 * are not absolute. Once, after lab_read(). -ENAMETOOLONG. */
int lab_paths_from(struct lab *lab, const char *file, struct err *err);

/* What is saved in RUN_DIR/lab/<name>.json. */
json_t *lab_document(const struct lab *lab, const char *file);

/* The parts, for lab_read(). */
int lab_read_network(const struct yaml_doc *doc, struct lab *lab, struct err *err);
int lab_read_ports(const struct yaml_doc *doc, struct lab *lab, struct err *err);
int lab_read_vms(const struct yaml_doc *doc, struct lab *lab, struct err *err);
int lab_read_links(const struct yaml_doc *doc, struct lab *lab, struct err *err);
int lab_read_checks(const struct yaml_doc *doc, struct lab *lab, struct err *err);

/* Adds a call that makes a bridge or port, owned by the lab and no part of what is saved. params is
 * stolen. */
int lab_add_step(struct lab *lab, const char *method, const char *short_name, json_t *params);

/* The VM of that short name, or NULL. */
struct vm_spec *lab_vm(const struct lab *lab, const char *short_name);
/* True when the network makes a bridge of that short name. */
bool lab_has_bridge(const struct lab *lab, const char *short_name);
/* Refuses a name that is neither; hint: the nearest of those that are. kinds: "bridge", "vm" … */
int lab_unknown(const struct yaml_doc *doc, const struct yaml_node *node, const struct lab *lab,
		const char *kind, bool bridges, bool vms, struct err *err);
/* "LAB/short" into buf. */
char *lab_full_name(const struct lab *lab, const char *short_name, char *buf, size_t size);

#endif
