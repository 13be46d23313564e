/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bringing a lab up, taking it down, and checking what must hold.
 *
 * Threads  the CLI's only one; blocking.
 */
#ifndef VM_LAUNCHER_LAB_RUN_H
#define VM_LAUNCHER_LAB_RUN_H

#include "control/cli/command.h"
#include "vm-launcher/lab.h"

/*
 * Makes the lab, which must not be there or just being made, and waits until all its guests are ready, at most wait_s. On failure, and when
 * the user interrupts, everything is taken down again. -ETIMEDOUT, -EINTR or another -errno.
 */
int lab_up(struct cli *cli, struct lab *lab, const char *file, double wait_s, struct err *err);

/* Ends its VMs (those with a disk are asked to shut down), deletes links, bridges and files. -EBUSY
 * while another process brings the lab up or down. */
int lab_down(struct cli *cli, const char *name, struct err *err);
/* The same for who holds the lab's lock. */
int lab_down_locked(struct cli *cli, const char *name, struct err *err);

/* Carries out the checks of a lab's document: [{name, kind, passed, detail, seconds}]. */
int lab_check(struct cli *cli, const json_t *doc, json_t **results, struct err *err);

/* Writes results for a CI system. */
int lab_check_junit(const char *path, const char *lab, const json_t *results, struct err *err);

#endif
