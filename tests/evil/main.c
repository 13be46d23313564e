/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evil: runs named attacks on a switch that somebody has started; see tests/evil/evil.h.
 *
 * usage: evil --run-dir DIR [--tsv] [--long] [--flips N] [--kernel FILE --initrd FILE] [GROUP|GROUP/CASE…]
 *        evil --list [--tsv]
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/rpc/client.h"
#include "tests/evil/evil.h"
#include "tests/evil/subject.h"

#define CASE_S	     60
#define BY_FRAMES    300  /* that must pass after each attack */
#define RSS_CASE_KIB 4096 /* what caches and allocators may keep: of a case … */
#define RSS_ALL_KIB  8192 /* … and of all of them */
#define FDS_WAIT_NS  (5 * S_NS)

static const struct evil_group groups[] = {
	{"rings", evil_rings},
	{"races", evil_races},
	{"frames", evil_frames},
	{"protocol", evil_protocol},
	{"connections", evil_connections},
	{"fds", evil_fds},
	{"memory", evil_memory},
	{"network", evil_network},
	{"control", evil_control},
	{"qemu", evil_qemu},
	{0},
};

struct options {
	const char *run_dir, *kernel, *initrd;
	bool list, tsv, long_form;
	uint64_t n_flips;
	char **names;
	unsigned n_names;
};

static bool wanted(const struct options *o, const struct evil_group *g, const struct evil_case *c)
{
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", g->name, c->name);
	for (unsigned i = 0; i < o->n_names; i++)
		if (!strcmp(o->names[i], g->name) || !strcmp(o->names[i], full))
			return true;
	return !o->n_names;
}

/* The child's part of a case. */
static void case_process(struct scene *s)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(CASE_S);
	s->rpc = NULL; /* a connection of its own */
	if (subject_connect(s) < 0)
		evil_fail(s, "the switch does not answer");
	s->c->run(s);
	if (s->c->state)
		evil_await(s, s->c->state, s->c->reason);
	else if (!s->report->said[0])
		evil_note(s);
	_exit(0);
}

static void case_run(struct scene *s)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		case_process(s);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (s->report->failure[0])
		return;
	if (WIFSIGNALED(status))
		snprintf(s->report->failure, sizeof(s->report->failure),
			 "the attacker ended with signal %d%s", WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? ", its deadline" : "");
	else if (WEXITSTATUS(status))
		snprintf(s->report->failure, sizeof(s->report->failure),
			 "the attacker exited with %d", WEXITSTATUS(status));
}

/* The ports are asked and deleted by a process too: what it finds wrong ends it. */
static void in_process(struct scene *s, void (*fn)(struct scene *s))
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(CASE_S);
		s->rpc = NULL;
		if (subject_connect(s) < 0)
			evil_fail(s, "the switch does not answer");
		fn(s);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void holdings_check(struct scene *s, const struct holdings *before)
{
	uint64_t end_ns = loop_now_ns() + FDS_WAIT_NS;
	struct holdings h;

	do {
		h = holdings_of(s->daemon);
		if (h.n_fds && h.n_fds <= before->n_fds && h.n_threads <= before->n_threads &&
		    h.rss_kib <= before->rss_kib + RSS_CASE_KIB)
			return;
		usleep(5000);
	} while (loop_now_ns() < end_ns);
	if (!h.n_fds)
		snprintf(s->report->failure, sizeof(s->report->failure), "the switch has ended");
	else
		snprintf(
			s->report->failure, sizeof(s->report->failure),
			"the switch has %u descriptors, %u threads and %ld KiB; before it had %u, %u and %ld",
			h.n_fds, h.n_threads, h.rss_kib, before->n_fds, before->n_threads,
			before->rss_kib);
}

/* Once nothing of what was before is still being let go of. */
static struct holdings holdings_settled(const struct scene *s)
{
	uint64_t end_ns = loop_now_ns() + S_NS;
	struct holdings h = holdings_of(s->daemon), was;

	do {
		was = h;
		usleep(10000);
		h = holdings_of(s->daemon);
	} while ((h.n_fds != was.n_fds || h.n_threads != was.n_threads) && loop_now_ns() < end_ns);
	return h;
}

/* One case from its port's making to its end. True when all of it held. */
static bool case_all(struct scene *s, struct bystander *b)
{
	struct holdings before = holdings_settled(s);
	struct evil_report *r = s->report;
	char text[sizeof(r->failure)];

	memset(r, 0, sizeof(*r));
	if (!before.n_fds)
		snprintf(r->failure, sizeof(r->failure), "the switch is gone");
	if (!r->failure[0])
		in_process(s, subject_port_add);
	if (!r->failure[0])
		case_run(s);
	memcpy(text, r->failure, sizeof(text));
	if (before.n_fds)
		in_process(s, subject_ports_del);
	if (text[0])
		memcpy(r->failure, text, sizeof(text));
	if (!r->failure[0])
		bystander_check(b, BY_FRAMES, r->failure, sizeof(r->failure));
	if (!r->failure[0])
		holdings_check(s, &before);
	return !r->failure[0];
}

static void result_print(const struct options *o, const struct evil_group *g, const struct scene *s,
			 bool ok, uint64_t took_ns)
{
	if (o->tsv)
		printf("%s/%s\t%s\t%s\t%s\t%s\t%s\n", g->name, s->c->name, s->c->what, s->c->expect,
		       ok ? "ok" : "failed", s->report->said, s->report->failure);
	else if (ok)
		printf("ok %s/%s (%.1f s) %s\n", g->name, s->c->name, (double)took_ns / 1e9,
		       s->report->said);
	else
		printf("FAILED %s/%s (%.1f s): %s; %s\n", g->name, s->c->name,
		       (double)took_ns / 1e9, s->report->failure, s->report->said);
	fflush(stdout);
}

static void list_print(const struct options *o)
{
	for (const struct evil_group *g = groups; g->name; g++)
		for (const struct evil_case *c = g->cases; c->name; c++)
			if (wanted(o, g, c))
				printf(o->tsv ? "%s/%s\t%s\t%s\n" : "%s/%s\n    %s\n    -> %s\n",
				       g->name, c->name, c->what, c->expect);
}

static void json_call(struct scene *s, const char *method, json_t *params)
{
	json_decref(evil_call(s, method, params));
}

static struct bystander *stage_make(struct scene *s)
{
	char path[2][108];

	json_call(s, "bridge.add", json_pack("{ss}", "name", EVIL_BRIDGE));
	for (int i = 0; i < 2; i++) {
		char name[] = {'b', 'y', (char)('1' + i), 0};

		snprintf(path[i], sizeof(path[i]), "%s/%s.sock", s->run_dir, name);
		json_call(s, "port.add",
			  json_pack("{ss ss ss ss sb si}", "name", name, "bridge", EVIL_BRIDGE,
				    "type", "vhost-user", "path", path[i], "listen", 1, "access",
				    BYSTANDER_VLAN));
	}
	return bystander_start(path[0], path[1]);
}

static int cases_run(const struct options *o, struct scene *s, struct bystander *b)
{
	unsigned n_failed = 0, n = 0;
	long rss_first = 0, grown;

	for (const struct evil_group *g = groups; g->name; g++)
		for (const struct evil_case *c = g->cases; c->name; c++) {
			uint64_t start_ns = loop_now_ns();
			bool ok;

			if (!wanted(o, g, c))
				continue;
			s->c = c;
			ok = case_all(s, b);
			result_print(o, g, s, ok, loop_now_ns() - start_ns);
			n_failed += !ok;
			if (!n++)
				rss_first = holdings_of(s->daemon).rss_kib;
		}
	grown = holdings_of(s->daemon).rss_kib - rss_first;
	if (grown > RSS_ALL_KIB) {
		printf("FAILED: the switch has grown by %ld KiB since the first case\n", grown);
		n_failed++;
	}
	fprintf(stderr,
		"%u cases, %u failed; the switch grew by %ld KiB; the bystander's %lu frames: longest gap %.1f ms\n",
		n, n_failed, grown, (unsigned long)atomic_load(&b->received),
		(double)atomic_load(&b->gap_ns) / 1e6);
	return n && !n_failed ? 0 : 1;
}

static bool options_read(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"run-dir", 1, 0, 'r'}, {"initrd", 1, 0, 'i'},
					      {"list", 0, 0, 'l'},    {"tsv", 0, 0, 't'},
					      {"long", 0, 0, 'L'},    {"kernel", 1, 0, 'k'},
					      {"flips", 1, 0, 'f'},   {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 'r':
			o->run_dir = optarg;
			break;
		case 'i':
			o->initrd = optarg;
			break;
		case 'k':
			o->kernel = optarg;
			break;
		case 'f':
			o->n_flips = strtoull(optarg, NULL, 10);
			break;
		case 'l':
			o->list = true;
			break;
		case 't':
			o->tsv = true;
			break;
		case 'L':
			o->long_form = true;
			break;
		default:
			return false;
		}
	o->names = argv + optind;
	o->n_names = (unsigned)(argc - optind);
	return o->list || o->run_dir;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct scene s = {0};
	struct bystander *b;
	int rc;

	if (!options_read(argc, argv, &o)) {
		fprintf(stderr,
			"usage: evil --run-dir DIR [--tsv] [--long] [--flips N] [--kernel FILE --initrd FILE] [GROUP|GROUP/CASE...]\n"
			"       evil --list [--tsv]\n");
		return 2;
	}
	if (o.list) {
		list_print(&o);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	s.run_dir = o.run_dir;
	s.kernel = o.kernel;
	s.initrd = o.initrd;
	s.long_form = o.long_form;
	s.n_flips = o.n_flips;
	s.report = mmap(NULL, sizeof(*s.report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (s.report == MAP_FAILED || subject_connect(&s) < 0)
		return 1;
	b = stage_make(&s);
	if (!b)
		return 1;
	s.bystander = b;
	rc = cases_run(&o, &s, b);
	bystander_stop(b);
	rpc_close(s.rpc);
	return rc;
}
