/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor: what of this host helps or hinders, each with a way out.
 *
 * How      The launcher's findings (a hidden row "vm.facts"), then local ones, then the
 *          daemon's. A finding is {name, state: ok|warn|fail, text, advice}.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/cli/call.h"
#include "control/cli/commands.h"
#include "control/cli/status.h"
#include "control/cli/wrap.h"
#include "control/rpc/methods.h"

#define NOFILE_GOOD 65536

const struct method m_doctor = {
	"doctor",
	"doctor",
	"Find out what of this host helps or hinders, and what to do about it",
	NULL,
	METHOD_LOCAL,
	NULL};

static void finding(json_t *list, const char *name, const char *state, const char *text,
		    const char *advice)
{
	json_array_append_new(list, json_pack("{ssssssss}", "name", name, "state", state, "text",
					      text, "advice", advice));
}

/* Of this user, who may not be the one that runs the switch. */
static bool may_change_network(void)
{
	unsigned long long effective = 0;
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapEff:", 7))
			effective = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	return effective >> CAP_NET_ADMIN & 1;
}

static void find_host_ports(json_t *list)
{
	const bool may = may_change_network();
	const bool has_dnsmasq = access("/usr/sbin/dnsmasq", X_OK) == 0 || access("/usr/bin/dnsmasq", X_OK) == 0;

	finding(list, "host-ports", may ? "ok" : "warn",
		may ? "taps and uplinks can be made" : "this user has not CAP_NET_ADMIN, which taps, nat ports and uplinks need",
		may ? "" : "root makes a tap for a user: ip tuntap add NAME mode tap user USER; nat and uplinks need root's switch");
	finding(list, "dnsmasq", has_dnsmasq ? "ok" : "warn",
		has_dnsmasq ? "dnsmasq is here, for nat ports" : "there is no dnsmasq: nat ports give neither addresses nor names",
		has_dnsmasq ? "" : "apt install dnsmasq-base");
}

static void find_tun(json_t *list)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	char text[160];

	if (fd >= 0) {
		finding(list, "tun", "ok", "/dev/net/tun opens", "");
		close(fd);
		return;
	}
	snprintf(text, sizeof(text), "/dev/net/tun cannot be opened: %s", strerror(errno));
	finding(list, "tun", "warn", text,
		"taps are not to be had; load the module tun, or run as root");
}

static void find_limits(json_t *list)
{
	struct rlimit lim;
	char text[160];

	getrlimit(RLIMIT_NOFILE, &lim);
	snprintf(text, sizeof(text), "up to %llu open files are allowed",
		 (unsigned long long)lim.rlim_max);
	if (lim.rlim_max >= NOFILE_GOOD || geteuid() == 0)
		finding(list, "nofile", "ok", text, "");
	else
		finding(list, "nofile", "warn", text,
			"a port takes up to 24; raise the hard limit (LimitNOFILE=, limits.conf)");
	getrlimit(RLIMIT_MEMLOCK, &lim);
	if (lim.rlim_max == RLIM_INFINITY || geteuid() == 0)
		finding(list, "memlock", "ok", "memory may be locked without limit", "");
	else {
		snprintf(text, sizeof(text), "at most %llu KiB may be locked",
			 (unsigned long long)lim.rlim_max / 1024);
		finding(list, "memlock", "warn", text,
			"AF_XDP uplinks want more; raise it (LimitMEMLOCK=, limits.conf)");
	}
}

static unsigned long meminfo(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long value = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			value = strtoul(line + strlen(key) + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

static void find_hugepages(json_t *list)
{
	unsigned long n_free = meminfo("HugePages_Free"), size_kib = meminfo("Hugepagesize");
	char text[160];

	if (!n_free) {
		finding(list, "hugepages", "ok", "no free hugepages; the switch does without, but for --hugepages yes",
			"for the last tenth of speed: echo 512 > /proc/sys/vm/nr_hugepages, before the switch starts");
		return;
	}
	snprintf(text, sizeof(text), "%lu hugepages of %lu KiB are free", n_free, size_kib);
	finding(list, "hugepages", "ok", text, "");
}

static void find_memfd(json_t *list)
{
	int fd = memfd_create("lanyard-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char text[160];

	if (fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0) {
		finding(list, "memfd", "ok", "guest memory can be sealed against shrinking", "");
	} else {
		snprintf(text, sizeof(text), "memfd sealing does not work: %s", strerror(errno));
		finding(list, "memfd", "fail", text,
			"a kernel of at least 3.17 with memfd is needed");
	}
	if (fd >= 0)
		close(fd);
}

/* Findings of the VM launcher: accelerator, QEMU, what the image is made from. */
static void find_vms(struct cli *cli, json_t *list)
{
	const struct cli_command *c = command_by_rpc("vm.facts");
	json_t *params = json_object(), *facts = NULL;

	if (c && c->run && c->run(cli, params, &facts, NULL) == EXIT_DONE && json_is_array(facts))
		json_array_extend(list, facts);
	json_decref(facts);
	json_decref(params);
}

static void find_switch(struct cli *cli, json_t *list)
{
	struct err err = ERR_NONE;
	json_t *facts = NULL;

	if (cli_call(cli, &m_daemon_facts, NULL, &facts, &err) == EXIT_DONE) {
		finding(list, "switch", "ok", "the switch is running", "");
		json_array_extend(list, json_object_get(facts, "findings"));
	} else {
		finding(list, "switch", "warn", err.text, err.hint);
	}
	json_decref(facts);
}

int doctor_run(struct cli *cli, const json_t *params, json_t **result, struct err *err)
{
	json_t *one;
	size_t i;

	*result = json_array();
	find_vms(cli, *result);
	find_tun(*result);
	find_host_ports(*result);
	find_limits(*result);
	find_hugepages(*result);
	find_memfd(*result);
	find_switch(cli, *result);
	json_array_foreach (*result, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "state")), "fail"))
			return EXIT_CHECK_FAILED;
	return EXIT_DONE;
}

static const char *text_of(const json_t *one, const char *key)
{
	const char *text = json_string_value(json_object_get(one, key));

	return text ? text : "";
}

/* What was found, and below it what to do about it: sentences are too long for columns side by side. */
void doctor_print(struct cli *cli, const json_t *params, const json_t *result)
{
	unsigned width = wrap_width(stdout), longest = 0;
	const json_t *one;
	size_t i;

	json_array_foreach (result, i, one)
		if (strlen(text_of(one, "name")) > longest)
			longest = (unsigned)strlen(text_of(one, "name"));
	json_array_foreach (result, i, one) {
		unsigned indent = longest + 8;

		printf("%-*s  %-4s  ", (int)longest, text_of(one, "name"), text_of(one, "state"));
		wrap_print(stdout, text_of(one, "text"), indent, width);
		if (!*text_of(one, "advice"))
			continue;
		printf("%*s-> ", (int)indent, "");
		wrap_print(stdout, text_of(one, "advice"), indent + 3, width);
	}
}
