/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_path.h"

#include <stdio.h>
#include <unistd.h>

#include "vm-launcher/hash.h"

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

void vm_path_clean(const char *run_dir, const char *id, int all)
{
	static const char *const sockets[] = {"sock", "con", "n0", "n1", "n2",
					      "n3",   "n4",  "n5", "n6", "n7"};
	static const char *const rest[] = {"json", "log", "log.1", "err", "lock"};
	char path[VM_FILE_BYTES];

	for (unsigned i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		unlink(vm_path(path, run_dir, id, sockets[i]));
	for (unsigned i = 0; all && i < sizeof(rest) / sizeof(rest[0]); i++)
		unlink(vm_path(path, run_dir, id, rest[i]));
}
