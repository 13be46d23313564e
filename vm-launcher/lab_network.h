/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lab's bridges and links in the switch, and its file RUN_DIR/lab/<name>.json.
 *
 * What     The file holds the lab: name, path of the YAML, "network" (a list of {method, params} in
 *          the order in which they are called), "vms" (full names) and "checks".
 * How      The network is kept as the calls that make it, so that a supervisor can make it again
 *          when the switch was restarted, without knowing what a lab is.
 * Threads  any.
 */
#ifndef VM_LAUNCHER_LAB_NETWORK_H
#define VM_LAUNCHER_LAB_NETWORK_H

#include <jansson.h>

#include "base/err.h"
#include "control/rpc/client.h"

/* The path of the lab's file, into path. */
char *lab_file_path(char *path, size_t size, const char *run_dir, const char *lab);
/* -ENOENT when there is no such lab. *doc is a new reference. */
int lab_file_load(const char *run_dir, const char *lab, json_t **doc, struct err *err);
int lab_file_save(const char *run_dir, const char *lab, const json_t *doc, struct err *err);
/* The lab's lock, which `up` and `down` hold: a descriptor, or -EBUSY with a sentence. */
int lab_lock_take(const char *run_dir, const char *lab, struct err *err);
void lab_lock_release(const char *run_dir, const char *lab, int lock);
void lab_file_remove(const char *run_dir, const char *lab);

/* Makes all of it. With keep_existing, what is there already is no error. */
int lab_network_make(struct rpc_client *c, const json_t *doc, int keep_existing, struct err *err);

/* Reads the lab's file and makes what is missing. */
int lab_network_restore(struct rpc_client *c, const char *run_dir, const char *lab,
			struct err *err);

/* Deletes links, then bridges. What is not there is no error; returns the first other one. */
int lab_network_delete(struct rpc_client *c, const json_t *doc, struct err *err);

#endif
