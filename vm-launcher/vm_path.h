/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of a VM in the run dir: RUN_DIR/vm/<id>.<what>.
 *
 * What     json: spec and last known state; lock: held (flock) by the supervisor while it lives;
 *          sock: its JSON-RPC; con: the console; log, log.1: what the console said; err:
 *          messages of supervisor and QEMU; q/n0…: QEMU's sockets of NICs; d0…: the switch's, of
 *          cards that are not virtio.
 * How      <id> is a hash of the full name: names may be longer than sun_path allows. Folder q is QEMU's user's
 *          until QEMU has made its sockets, then its owner's above: who gets out of QEMU cannot put there what the
 *          switch would connect to.
 * Threads  any.
 */
#ifndef VM_LAUNCHER_VM_PATH_H
#define VM_LAUNCHER_VM_PATH_H

#define VM_ID_BYTES   13
#define VM_FILE_BYTES 512
#define VM_NAME_IN_FOLDER 32

/* The <id> of a VM. */
void vm_id(const char *full_name, char id[VM_ID_BYTES]);

/* Returns path. A run dir that is too long is cut off, and no file found there. */
char *vm_path(char path[VM_FILE_BYTES], const char *run_dir, const char *id, const char *what);

/* Sockets of NIC i: 'n' QEMU's, 'd' the switch's for a card that is not virtio; its name in RUN_DIR/vm, and its
 * path. */
char *vm_nic_name(char name[VM_NAME_IN_FOLDER], const char *id, char which, unsigned i);
char *vm_nic_path(char path[VM_FILE_BYTES], const char *run_dir, const char *id, char which,
		  unsigned i);

/* Unlinks what a supervisor leaves behind that died: sockets, and with all, everything. */
void vm_path_clean(const char *run_dir, const char *id, int all);

#endif
