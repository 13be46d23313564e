/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A supervisor's connection to the switch: the VM's ports and the lease.
 *
 * What     switch_link_open() makes the ports; while the link is open the connection is held as
 *          a lease, so that a switch that was started for this VM ends with it. When the switch
 *          goes away the link tries again, after 250 ms and then up to 2 s, and makes the ports
 *          anew.
 *          A VM without ports is only seen in the switch, while one runs: it holds no lease, and misses
 *          no switch.
 *          While it is open it hears of what happens to the ports, and says what matters to the guest:
 *          its carrier and its MTU.
 * How      Calls block, each for at most two seconds: a switch that hangs delays the answers of
 *          this VM's supervisor by that, and nobody else's.
 * Threads  the loop's thread.
 */
#ifndef VM_LAUNCHER_SWITCH_LINK_H
#define VM_LAUNCHER_SWITCH_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "vm-launcher/vm_spec.h"

struct switch_link;

/* What the administrator, or the other end of a wire, has made of a NIC's port. */
struct switch_link_opts {
	/* The guest shall see a link on its NIC i, or none. Told again whenever QEMU may have changed
	 * that by itself, as it does when the switch connects. */
	void (*carrier)(void *arg, unsigned i, bool on);
	/* From its next start on the guest has this MTU on its NIC i; 0: its own. */
	void (*mtu)(void *arg, unsigned i, int mtu);
	/* The ports are there, made by a supervisor before this one: only what is missing is made, and a switch
	 * that does not answer is waited for. */
	bool keep_ports;
	/* QEMU's: of the switch's sockets that QEMU sends to. */
	uid_t uid;
	gid_t gid;
	void *arg;
};

/* spec must outlive the link. For a VM without ports there need not be a switch. */
int switch_link_open(struct loop *loop, const char *run_dir, const char *id,
		     const struct vm_spec *spec, const struct switch_link_opts *opts,
		     struct switch_link **out, struct err *err);

/* Deletes the ports and gives up the lease. Accepts NULL. */
void switch_link_close(struct switch_link *l);

/* Tells the switch how the VM is (params of vm.report, stolen), now and each time that it has come
 * back. Accepts NULL. */
void switch_link_report(struct switch_link *l, json_t *report);

/* "unused" by a VM without ports, "connected" or "gone". Accepts NULL. */
const char *switch_link_state(const struct switch_link *l);

/* A sentence about the first port that is not connected to QEMU's side, into buf. */
const char *switch_link_complaint(struct switch_link *l, char *buf, size_t size);

#endif
