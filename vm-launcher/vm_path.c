/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_path.h"

#include <stdio.h>
#include <unistd.h>

#include "vm-launcher/hash.h"
#include "vm-launcher/vm_spec.h"

void vm_id(const char *full_name, char id[VM_ID_BYTES])
{
	struct hash h = HASH_INIT;

	hash_text(&h, full_name);
	snprintf(id, VM_ID_BYTES, "%012llx",
		 (unsigned long long)(hash_end(&h) & 0xffffffffffffull));
}

char *vm_path(char path[VM_FILE_BYTES], const char *run_dir, const char *id, const char *what)
{
	snprintf(path, VM_FILE_BYTES, "%.440s/vm/%.16s.%.16s", run_dir, id, what);
	return path;
}

char *vm_nic_name(char name[VM_NAME_IN_FOLDER], const char *id, char which, unsigned i)
{
	snprintf(name, VM_NAME_IN_FOLDER, "%.16s.%s%c%u", id, which == 'n' ? "q/" : "", which, i % 10);
	return name;
}

char *vm_nic_path(char path[VM_FILE_BYTES], const char *run_dir, const char *id, char which,
		  unsigned i)
{
	char name[VM_NAME_IN_FOLDER];

	snprintf(path, VM_FILE_BYTES, "%.440s/vm/%s", run_dir, vm_nic_name(name, id, which, i));
	return path;
}

void vm_path_clean(const char *run_dir, const char *id, int all)
{
	static const char *const sockets[] = {"sock", "con", "qmp", "ser", "agt"};
	static const char *const rest[] = {"json", "log", "log.1", "err", "lock"};
	char path[VM_FILE_BYTES];

	for (unsigned i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		unlink(vm_path(path, run_dir, id, sockets[i]));
	for (unsigned i = 0; i < VM_NICS_MAX; i++) {
		unlink(vm_nic_path(path, run_dir, id, 'n', i));
		unlink(vm_nic_path(path, run_dir, id, 'd', i));
	}
	rmdir(vm_path(path, run_dir, id, "q"));
	for (unsigned i = 0; all && i < sizeof(rest) / sizeof(rest[0]); i++)
		unlink(vm_path(path, run_dir, id, rest[i]));
}
