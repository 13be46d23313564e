/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/metrics_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/owner.h"
#include "control/daemon/vms.h"

#define LOOK_EVERY 16 /* items between looks at the clock */
#define BEGUN_MAX  5  /* a copy that is begun anew so often is taken in one go */

void metrics_copy_free(struct metrics_copy *c)
{
	free(c->ports);
	free(c->bridges);
	free(c->vms);
	free(c->workers);
	*c = (struct metrics_copy){.n_begun = c->n_begun};
}

/* Rooms for what there is now. */
static int begin(struct metrics_copy *c, struct daemon *d)
{
	size_t n_ports = 0, n_bridges = 0, n_vms = 0;
	const struct vm_seen *vm;

	metrics_copy_free(c);
	c->version = d->version;
	c->begun = true;
	c->n_begun++;
	for (struct port *p = port_next(d->sw, NULL); p; p = port_next(d->sw, p))
		n_ports++;
	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br))
		n_bridges++;
	LIST_FOREACH (vm, &d->vms, link)
		n_vms++;
	/* calloc(0) may be NULL. Counters want their alignment. */
	c->ports =
		aligned_alloc(_Alignof(struct port_copy), (n_ports + 1) * sizeof(struct port_copy));
	c->bridges = calloc(n_bridges + 1, sizeof(*c->bridges));
	c->vms = calloc(n_vms + 1, sizeof(*c->vms));
	c->workers = calloc(switch_n_workers(d->sw), sizeof(*c->workers));
	return c->ports && c->bridges && c->vms && c->workers ? 0 : -ENOMEM;
}

static void port_copy(struct port_copy *c, const struct port *p)
{
	const struct owner *owner = port_owner(p);
	struct port_info info;

	port_info(p, &info);
	snprintf(c->name, sizeof(c->name), "%s", info.name);
	snprintf(c->bridge, sizeof(c->bridge), "%s", bridge_name(info.bridge));
	snprintf(c->lab, sizeof(c->lab), "%s", owner && owner->lab ? owner->lab : "");
	c->type = info.type;
	c->state = info.state;
	port_counters_read(p, &c->counters);
}

static void bridge_copy(struct bridge_copy *c, const struct bridge *br)
{
	snprintf(c->name, sizeof(c->name), "%s", bridge_name(br));
	c->n_ports = bridge_n_ports(br);
	c->n_macs = bridge_n_macs(br);
	c->max_macs = bridge_opts(br)->max_macs;
	c->n_refused = bridge_n_macs_refused(br);
	c->n_evicted = bridge_n_macs_evicted(br);
}

/* The text of a file of /proc, or false. */
static bool proc_read(pid_t pid, const char *file, char *text, size_t size)
{
	char path[48];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	if (f)
		n = fread(text, 1, size - 1, f);
	if (f)
		fclose(f);
	text[n] = '\0';
	return n > 0;
}

/* utime and stime are the 12th and 13th numbers after the name, which may hold anything but ends with
 * the last ')'. */
static bool process_copy(struct vm_copy *c, pid_t pid)
{
	unsigned long long user, kernel, pages;
	char text[1024];
	const char *at;

	if (!proc_read(pid, "stat", text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user,
			  &kernel) != 2)
		return false;
	if (!proc_read(pid, "statm", text, sizeof(text)) || sscanf(text, "%*s %llu", &pages) != 1)
		return false;
	c->cpu_s = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
	c->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static void vm_copy(struct vm_copy *c, const struct vm_seen *vm)
{
	snprintf(c->name, sizeof(c->name), "%s", vm->name);
	snprintf(c->state, sizeof(c->state), "%s", vm->state);
	c->ready = vm->ready;
	c->cpus = vm->cpus;
	c->memory_bytes = vm->memory_bytes;
	c->has_process = vm->pid > 0 && process_copy(c, vm->pid);
}

/* Goes on behind the first c->n_ports ports; the list has not changed since. */
static bool ports_copy(struct metrics_copy *c, struct daemon *d, uint64_t end_ns)
{
	struct port *p = port_next(d->sw, NULL);

	for (size_t i = 0; i < c->n_ports; i++)
		p = port_next(d->sw, p);
	for (; p; p = port_next(d->sw, p)) {
		if (c->n_ports % LOOK_EVERY == LOOK_EVERY - 1 && loop_now_ns() >= end_ns)
			return false;
		port_copy(&c->ports[c->n_ports++], p);
	}
	return true;
}

static bool vms_copy(struct metrics_copy *c, struct daemon *d, uint64_t end_ns)
{
	const struct vm_seen *vm;
	size_t i = 0;

	LIST_FOREACH (vm, &d->vms, link) {
		if (i++ < c->n_vms)
			continue;
		if (loop_now_ns() >= end_ns)
			return false;
		vm_copy(&c->vms[c->n_vms++], vm);
	}
	return true;
}

int metrics_copy_some(struct metrics_copy *c, struct daemon *d, uint64_t end_ns)
{
	if (c->whole)
		return 1;
	if ((!c->begun || c->version != d->version) && begin(c, d) < 0)
		return -ENOMEM;
	if (c->n_begun > BEGUN_MAX)
		end_ns = UINT64_MAX;
	if (!vms_copy(c, d, end_ns) || !ports_copy(c, d, end_ns))
		return 0;
	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br))
		bridge_copy(&c->bridges[c->n_bridges++], br);
	for (; c->n_workers < switch_n_workers(d->sw); c->n_workers++)
		switch_worker_stats(d->sw, (unsigned)c->n_workers, &c->workers[c->n_workers]);
	c->whole = true;
	return 1;
}
