/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard of a VM's supervisor: starts another one when that is killed.
 *
 * What     The process that the CLI starts. It does nothing but wait for its child, the supervisor;
 *          one that was killed or has crashed is replaced at once, and the new one adopts QEMU.
 * How      QEMU becomes the guard's child when its supervisor dies (PR_SET_CHILD_SUBREAPER), so that no
 *          zombie is left. The guard has the VM's locks, too: nobody takes the VM meanwhile. Without
 *          its guard a supervisor goes on; if both are gone, the next command of the CLI starts them.
 * Limits   VM_GUARD_TRIES in VM_GUARD_WITHIN_S: what crashes each time is not started for ever.
 */
#ifndef VM_LAUNCHER_VM_GUARD_H
#define VM_LAUNCHER_VM_GUARD_H

#define VM_GUARD_TRIES	  5
#define VM_GUARD_WITHIN_S 10

/* Returns in each supervisor: 0 in the first one, then 1, 2 and so on. The guard itself ends in it, with
 * the supervisor's exit status. report_fd is closed in the guard. */
unsigned vm_guard(int report_fd);

#endif
