/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locks: files that are held (flock) by one process at a time.
 *
 * What     RUN_DIR/vm/<id>.lock is held while a VM's supervisor lives, and for a moment by who changes
 *          the files of a VM that has none; RUN_DIR/lab/<name>.lock by `up` and `down`.
 * How      The file is deleted with what it guards, by who holds it. So a lock may turn out to be one
 *          of a file that is not there any more: then it is taken again, on the file that is.
 * Threads  any; blocking for as long as it is told to try.
 */
#ifndef VM_LAUNCHER_LOCK_FILE_H
#define VM_LAUNCHER_LOCK_FILE_H

/* A descriptor whose end is the lock's, -EWOULDBLOCK while somebody else has it, or another -errno.
 * Tries that often, every 20 ms. */
int lock_file_take(const char *path, int tries);

#endif
