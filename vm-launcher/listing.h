/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of VMs and labs for the CLI, `lanyard status` included.
 *
 * Threads  the CLI's only one.
 */
#ifndef VM_LAUNCHER_LISTING_H
#define VM_LAUNCHER_LISTING_H

#include <jansson.h>

#include "control/cli/command.h"

/* All labs: name, file, vms (number), ready (number), state: up, starting, partly, no switch, damaged. */
int lab_list_json(struct cli *cli, json_t **out);

/* The same as tables on stdout. */
void vm_list_print(const json_t *vms);
void lab_list_print(const json_t *labs);

/* Adds "link" (up, down) to the NICs of VMs (an array of status objects). */
void vm_links_add(struct cli *cli, json_t *vms);

#endif
