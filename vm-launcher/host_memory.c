/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/host_memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm-launcher/file.h"

#define MEMINFO_BYTES 4096 /* MemAvailable is the third line */

int host_memory_check(const char *meminfo, const struct vm_spec *s, struct err *err)
{
	char text[MEMINFO_BYTES] = "";
	unsigned long long kib, wanted_mib = s->memory_bytes >> 20;
	const char *line;

	if (file_read_text(meminfo, text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nMemAvailable:");
	if (!line || sscanf(line, " MemAvailable: %llu", &kib) != 1 || wanted_mib <= kib >> 10)
		return 0;
	err_set(err, -ENOMEM,
		"vm \"%s\": %lluM of memory are more than the %lluM that this host has left",
		s->name, wanted_mib, kib >> 10);
	return err_hint(err, "give it less memory, or stop other VMs");
}
