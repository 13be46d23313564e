/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM's lock: RUN_DIR/vm/<id>.lock, held (flock) while a supervisor lives, and for a moment by who
 * changes the files of a VM that has none.
 *
 * How      The file is deleted with its VM, so that a lock may turn out to be one of a file that is
 *          not there any more: then it is taken again, on the file that is.
 * Threads  any; blocking for as long as it is told to try.
 */
#ifndef VM_LAUNCHER_VM_LOCK_H
#define VM_LAUNCHER_VM_LOCK_H

/* A descriptor whose end is the lock's, -EWOULDBLOCK while somebody else has it, or another -errno.
 * Tries that often, every 20 ms. */
int vm_lock_take(const char *run_dir, const char *id, int tries);

#endif
