/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/eal.h"

#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/log.h"

/* Rings and pools of uplinks; guests' frames live in guests' memory. Hugepages are taken at once, and
 * more when they are needed; the other kind is all there will be, and costs nothing until touched. */
#define EAL_HUGE_MB   "16"
#define EAL_MEMORY_MB "64"
#define ARGS_MAX      16
/* With one device allowed, none of the others is looked at, and what is asked for later is
 * allowed then. This address is nobody's. */
#define EAL_NO_DEVICE "ffff:ff:1f.7"

/* "0,2-5": the CPUs this process may run on, as EAL writes sets. */
static void cpus_allowed(char *out, size_t size)
{
	cpu_set_t set;
	size_t at = 0;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	out[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE && at + 8 < size; cpu++)
		if (CPU_ISSET(cpu, &set))
			at += (size_t)snprintf(out + at, size - at, "%s%d", at ? "," : "", cpu);
}

/* lcore 0 is control, floating; lcore i + 1 is worker i. */
static int lcores_text(const struct eal_opts *opts, char *out, size_t size)
{
	char allowed[512];
	int at;

	cpus_allowed(allowed, sizeof(allowed));
	at = snprintf(out, size, "0@(%s)", allowed);
	for (unsigned i = 0; i < opts->n_workers && (size_t)at < size; i++) {
		if (opts->cpus)
			at += snprintf(out + at, size - (size_t)at, ",%u@%d", i + 1, opts->cpus[i]);
		else
			at += snprintf(out + at, size - (size_t)at, ",%u@(%s)", i + 1, allowed);
	}
	return (size_t)at < size ? 0 : -E2BIG;
}

static int cpus_check(const struct eal_opts *opts, struct err *err)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned i = 0; opts->cpus && i < opts->n_workers; i++)
		if (opts->cpus[i] < 0 || opts->cpus[i] >= CPU_SETSIZE ||
		    !CPU_ISSET(opts->cpus[i], &set))
			return err_set(err, -EINVAL, "worker %u: this process may not run on CPU %d",
				       i, opts->cpus[i]);
	return 0;
}

/*
 * EAL makes a folder dpdk/rte even where nothing is shared, for a user without a login session in /tmp,
 * where the next user's is in the way. It gets a place of its own, gone again when EAL has started.
 */
static int init(int argc, char **argv)
{
	static const char variable[] = "RUNTIME_DIRECTORY";
	const char *old = getenv(variable);
	char *kept = old ? strdup(old) : NULL, dir[64] = "/tmp/lanyard-eal.XXXXXX";
	size_t len = strlen(dir);
	int rc;

	if (mkdtemp(dir))
		setenv(variable, dir, 1);
	rc = rte_eal_init(argc, argv);
	if (kept)
		setenv(variable, kept, 1);
	else
		unsetenv(variable);
	free(kept);
	snprintf(dir + len, sizeof(dir) - len, "/dpdk/rte");
	rmdir(dir);
	snprintf(dir + len, sizeof(dir) - len, "/dpdk");
	rmdir(dir);
	dir[len] = '\0';
	rmdir(dir);
	return rc;
}

/* ---- what DPDK says ---- */

static struct said {
	bool taking;
	char first[EAL_SAID_MAX], eal[EAL_SAID_MAX];
} said;
static _Thread_local bool said_here; /* this thread is the one that takes it */

/* A line without the name of the function that says it. */
static void said_line(const char *line, size_t len)
{
	const char *text = memmem(line, len, "(): ", 4);
	char *to;

	if (len > 5 && !memcmp(line, "EAL: ", 5)) {
		to = said.eal;
		text = line + 5;
	} else {
		to = said.first;
		text = text ? text + 4 : line;
	}
	if (!to[0])
		snprintf(to, EAL_SAID_MAX, "%.*s", (int)(line + len - text), text);
}

static ssize_t said_write(void *cookie, const char *text, size_t size)
{
	const char *at = text, *end = text + size;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);

		if (len && said_here && said.taking)
			said_line(at, len);
		else if (len)
			LOG_WARN_RL("dpdk: %.*s", (int)len, at);
		at += len + 1;
	}
	return (ssize_t)size;
}

void eal_said_begin(void)
{
	said = (struct said){.taking = true};
	said_here = true;
}

void eal_said_end(char out[EAL_SAID_MAX])
{
	memcpy(out, said.first[0] ? said.first : said.eal, EAL_SAID_MAX);
	said.taking = false;
}

/* From now on DPDK's words are lines of our log. */
static void said_open(void)
{
	static const cookie_io_functions_t io = {.write = said_write};
	FILE *f = fopencookie(NULL, "w", io);

	if (f)
		rte_openlog_stream(f);
}

/* Of any size. */
static bool hugepages_are_free(void)
{
	static const char pattern[] = "/sys/kernel/mm/hugepages/*/free_hugepages";
	bool are_free = false;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc && !are_free; i++) {
		FILE *f = fopen(found.gl_pathv[i], "re");
		int first = f ? getc(f) : EOF;

		are_free = first >= '1' && first <= '9';
		if (f)
			fclose(f);
	}
	globfree(&found);
	return are_free;
}

int eal_start(const struct eal_opts *opts, struct err *err)
{
	static char lcores[16384], name[] = "lanyard-switch";
	char *argv[ARGS_MAX];
	int argc = 0, rc = cpus_check(opts, err);

	if (rc < 0)
		return rc;
	if (lcores_text(opts, lcores, sizeof(lcores)) < 0)
		return err_set(err, -E2BIG, "%u workers are more than EAL can be told of",
			       opts->n_workers);
	argv[argc++] = name;
	argv[argc++] = (char *)"--lcores";
	argv[argc++] = lcores;
	argv[argc++] = (char *)"-m";
	argv[argc++] = (char *)(opts->hugepages == EAL_HUGEPAGES_YES ? EAL_HUGE_MB : EAL_MEMORY_MB);
	argv[argc++] = (char *)"-a";
	argv[argc++] = (char *)EAL_NO_DEVICE;
	argv[argc++] = (char *)"--no-telemetry";
	/* --no-huge and --in-memory exclude each other in 22.11. */
	if (opts->hugepages == EAL_HUGEPAGES_YES) {
		argv[argc++] = (char *)"--in-memory";
	} else {
		argv[argc++] = (char *)"--no-huge";
		argv[argc++] = (char *)"--no-shconf";
	}
	argv[argc++] = (char *)"--log-level";
	argv[argc++] = (char *)(opts->verbose ? "lib.eal:info" : "lib.eal:error");
	argv[argc] = NULL;
	if (!opts->verbose)
		rte_log_set_global_level(RTE_LOG_ERR);
	if (init(argc, argv) < 0) {
		/* DPDK's own code for it is that of a missing right. */
		if (opts->hugepages == EAL_HUGEPAGES_YES && !hugepages_are_free()) {
			err_set(err, -ENOMEM, "--hugepages yes, and no hugepage of this machine is free");
			return err_hint(err, "`echo 512 > /proc/sys/vm/nr_hugepages` first, or --hugepages auto");
		}
		err_set(err, rte_errno ? -rte_errno : -EIO, "DPDK's EAL does not start: %s",
			rte_strerror(rte_errno));
		return err_hint(err, "run `lanyard doctor`, or start with --log debug to see EAL's own words");
	}
	said_open();
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
