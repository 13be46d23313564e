/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of this host helps or hinders VMs, for `lanyard doctor`: {name, state, text, advice} each.
 *
 * How      The accelerator is the one that `vm start` would take, by the same proof, which is bounded
 *          and remembered; so it is never a guess.
 */
#include <stdio.h>

#include "vm-launcher/accel.h"
#include "vm-launcher/guest_kernel.h"
#include "vm-launcher/image.h"
#include "vm-launcher/process.h"
#include "vm-launcher/vm_commands.h"

static void fact(json_t *list, const char *name, const char *state, const char *text,
		 const char *advice)
{
	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "name", name, "state", state,
					      "text", text, "advice", advice));
}

static void accel_fact(struct cli *cli, json_t *list)
{
	struct err err = ERR_NONE;
	char text[440];

	if (accel_kvm_prove(cli->run_dir, &kvm_ops_host, &err) == 0) {
		fact(list, "kvm", "ok", "VMs run with kvm: it ran a test guest in time", "");
		return;
	}
	snprintf(text, sizeof(text), "VMs run with tcg, slower: %s", err.text);
	fact(list, "kvm", "warn", text,
	     err.hint[0] ? err.hint
			 : "load kvm_intel or kvm_amd; inside a VM, let its host nest virtualization");
}

/* A program that is there, or the package that has it. */
static void program_fact(json_t *list, const char *name, const char *path, const char *package)
{
	char text[300], advice[100];

	if (path) {
		snprintf(text, sizeof(text), "%.250s is there", path);
		fact(list, name, "ok", text, "");
		return;
	}
	snprintf(text, sizeof(text), "there is no %s on this host", name);
	snprintf(advice, sizeof(advice), "apt-get install %s", package);
	fact(list, name, "warn", text, advice);
}

static void kernel_fact(json_t *list)
{
	const struct image_sources *src = &image_sources_host;
	static struct guest_kernel kernel;
	struct err err = ERR_NONE;
	char text[600];

	if (guest_kernel_find(src->boot_dir, src->modules_dir, NULL, &kernel, &err) < 0) {
		fact(list, "kernel", "warn", err.text, err.hint);
		return;
	}
	snprintf(text, sizeof(text), "%s boots as a guest", kernel.path);
	fact(list, "kernel", "ok", text, "");
}

int cmd_vm_facts(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	static const char qemu[] = "qemu-system-x86_64";

	*result = json_array();
	accel_fact(cli, *result);
	program_fact(*result, qemu, process_in_path(qemu) ? qemu : NULL, "qemu-system-x86");
	program_fact(*result, "busybox", image_find_busybox(&image_sources_host), "busybox-static");
	program_fact(*result, "qemu-ga", image_find_agent(&image_sources_host), "qemu-guest-agent");
	kernel_fact(*result);
	return EXIT_DONE;
}
