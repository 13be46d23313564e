/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "control/rpc/switch_find.h"
#include "vm-launcher/lab_network.h"
#include "vm-launcher/lab_run.h"
#include "vm-launcher/switch_start.h"
#include "vm-launcher/vm_boot.h"
#include "vm-launcher/vm_client.h"
#include "vm-launcher/vm_status.h"

#define LOOK_NS	    (50 * 1000 * 1000)
#define CONNECT_TIMEOUT_MS 2000
/* Guests that boot at the same time: enough to fill the processors, not to starve each other. */
#define BOOTING_MIN 4
#define DEATHS_MAX  3 /* a switch that dies once more dies of this lab */

static volatile sig_atomic_t interrupted;

struct up {
	struct cli *cli;
	struct lab *lab;
	struct rpc_client *client; /* a lease of the switch */
	json_t *doc;
	unsigned n_deaths; /* of the switch */
	double wait_s;
	uint64_t start_ns;
	enum { VM_TO_START, VM_BOOTING, VM_READY } * progress;
	unsigned n_booting, n_ready;
};

static void on_interrupt(int sig)
{
	interrupted = 1;
}

/* A terminal that is closed interrupts, too, unless nohup(1) has it do nothing. */
static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};
#define N_INTERRUPTS (sizeof(interrupts) / sizeof(interrupts[0]))

static void catch_interrupts(struct sigaction *old)
{
	struct sigaction sa = {.sa_handler = on_interrupt};

	interrupted = 0;
	for (unsigned i = 0; i < N_INTERRUPTS; i++) {
		sigaction(interrupts[i], NULL, &old[i]);
		if (old[i].sa_handler != SIG_IGN)
			sigaction(interrupts[i], &sa, NULL);
	}
}

static void say(const struct up *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct up *u, const char *fmt, ...)
{
	va_list ap;

	if (u->cli->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static double since_s(uint64_t start_ns)
{
	return (double)(loop_now_ns() - start_ns) / (double)S_NS;
}

static unsigned booting_max(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN) * 2;

	return n > BOOTING_MIN ? (unsigned)n : BOOTING_MIN;
}

static int resolve(struct up *u, struct err *err)
{
	for (unsigned i = 0; i < u->lab->n_vms; i++) {
		int rc = vm_boot_resolve(&u->lab->vms[i], u->cli->run_dir, u->cli->state_dir, err);

		if (rc < 0)
			return rc;
	}
	if (u->lab->n_vms)
		say(u, "accelerator %s: %s", u->lab->vms[0].accel, u->lab->vms[0].accel_reason);
	return 0;
}

static int start_some(struct up *u, struct err *err)
{
	for (unsigned i = 0; i < u->lab->n_vms && u->n_booting < booting_max(); i++) {
		int rc;

		if (u->progress[i] != VM_TO_START || interrupted)
			continue;
		rc = vm_client_start(u->cli->run_dir, u->cli->state_dir, &u->lab->vms[i], err);
		if (rc < 0)
			return rc;
		u->progress[i] = VM_BOOTING;
		u->n_booting++;
	}
	return 0;
}

/* Looks at one guest that boots. */
static int look(struct up *u, unsigned i, struct err *err)
{
	const struct vm_spec *vm = &u->lab->vms[i];
	const char *reason;
	json_t *status;
	int rc = vm_client_status(u->cli->run_dir, vm->name, &status, err);

	if (rc < 0)
		return rc;
	if (json_is_true(json_object_get(status, "ready"))) {
		u->progress[i] = VM_READY;
		u->n_booting--;
		u->n_ready++;
		say(u, "%-12s %s, ready after %.1f s", vm_spec_host(vm), vm->accel,
		    json_number_value(json_object_get(status, "ready_s")));
	} else if (vm_status_is_over(status)) {
		reason = json_string_value(json_object_get(status, "reason"));
		rc = vm_client_end_code(status);
		err_set(err, rc, "lab \"%s\": vm \"%s\" did not come up: %.250s", u->lab->name,
			vm_spec_host(vm), reason ? reason : "");
	}
	json_decref(status);
	return rc;
}

static int too_late(const struct up *u, struct err *err)
{
	char names[160] = "";

	for (unsigned i = 0; i < u->lab->n_vms; i++) {
		size_t len = strlen(names);

		if (u->progress[i] != VM_READY)
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
				 vm_spec_host(&u->lab->vms[i]));
	}
	err_set(err, -ETIMEDOUT, "lab \"%s\": not ready after %g s: %s", u->lab->name, u->wait_s,
		names);
	return err_hint(err, "give it longer with --wait");
}

/* Nothing comes on a lease's connection but its end. */
static bool switch_died(const struct up *u)
{
	struct pollfd p = {.fd = rpc_client_fd(u->client), .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

/* A switch that died takes the lab's bridges along, and no VM would say so: their supervisors wait for
 * another one. So there is another one, and the bridges are made again. */
static int switch_keep(struct up *u, struct err *err)
{
	int rc;

	if (!switch_died(u))
		return 0;
	if (++u->n_deaths > DEATHS_MAX) {
		err_set(err, -ECHILD, "lab \"%s\": the switch died %u times while it came up",
			u->lab->name, u->n_deaths);
		return err_hint(err, "see %s/switch.log", u->cli->run_dir);
	}
	rpc_close(u->client);
	u->client = NULL;
	rc = switch_ensure(u->cli->run_dir, u->cli->state_dir, u->lab->name, &u->client, NULL, err);
	if (rc == 0)
		rc = lab_network_make(u->client, u->doc, 1, err);
	if (rc == 0)
		say(u, "%-12s was gone, and is there again", "switch");
	return rc;
}

static int boot_all(struct up *u, struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};

	while (u->n_ready < u->lab->n_vms) {
		int rc = switch_keep(u, err);

		if (rc == 0)
			rc = start_some(u, err);

		for (unsigned i = 0; rc == 0 && i < u->lab->n_vms; i++)
			if (u->progress[i] == VM_BOOTING)
				rc = look(u, i, err);
		if (rc == 0 && interrupted)
			rc = err_set(err, -EINTR, "lab \"%s\": interrupted", u->lab->name);
		if (rc == 0 && u->n_ready < u->lab->n_vms && since_s(u->start_ns) > u->wait_s)
			rc = too_late(u, err);
		if (rc < 0)
			return rc;
		if (u->n_ready < u->lab->n_vms)
			nanosleep(&pause, NULL);
	}
	return switch_keep(u, err);
}

/* Guests keep a switch that was started for a lab; where there are none, nobody would. */
static int without_guests(const struct up *u, struct err *err)
{
	struct rpc_client *c = NULL;
	json_t *lease = NULL;
	bool stays;

	if (u->lab->n_vms)
		return 0;
	stays = switch_connect(u->cli->run_dir, CONNECT_TIMEOUT_MS, &c, NULL) == 0 &&
		rpc_call(c, "lease.hold", json_pack("{s:s}", "name", u->lab->name), &lease, NULL) == 0 &&
		!json_is_true(json_object_get(lease, "until_unused"));
	json_decref(lease);
	rpc_close(c);
	if (stays)
		return 0;
	err_set(err, -EINVAL, "lab \"%s\" has no guests, which would keep a switch for it", u->lab->name);
	return err_hint(err, "start one that stays: lanyard-switch");
}

/* A switch brings up what is saved: who starts one for a lab may not think of it. */
static void say_saved(const struct up *u)
{
	char names[200] = "";
	json_t *ports = NULL;
	size_t n;

	if (rpc_call_all(u->client, "port.list", NULL, &ports, NULL) < 0)
		return;
	n = json_array_size(ports);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_object_get(json_array_get(ports, i), "name"));
		size_t len = strlen(names);

		snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", name ? name : "");
	}
	if (n)
		say(u, "%-12s up with the switch, as they are saved: %s%s", n == 1 ? "port" : "ports", names,
		    strlen(names) + 1 == sizeof(names) ? "…" : "");
	json_decref(ports);
}

static void take_down_again(struct up *u)
{
	struct err err = ERR_NONE;

	/* Its lease goes: what takes down has one. */
	rpc_close(u->client);
	u->client = NULL;
	say(u, "taking \"%s\" down again", u->lab->name);
	if (lab_down_locked(u->cli, u->lab->name, &err) < 0)
		fprintf(stderr, "lanyard: lab \"%s\" cannot be taken down again: %s; try it with `lanyard down %s`\n",
			u->lab->name, err.text, u->lab->name);
}

static int make(struct up *u, const char *file, struct err *err)
{
	int rc = resolve(u, err), started = 0;

	if (rc == 0)
		rc = without_guests(u, err);
	if (rc < 0)
		return rc;
	rc = switch_ensure(u->cli->run_dir, u->cli->state_dir, u->lab->name, &u->client, &started,
			   err);
	if (rc < 0)
		return rc;
	rpc_reconnects(u->client);
	if (started) {
		say(u, "%-12s started, ends with the lab", "switch");
		say_saved(u);
	}
	/* The file first: whatever is made from here on, `down` finds. */
	u->doc = lab_document(u->lab, file);
	rc = lab_file_save(u->cli->run_dir, u->lab->name, u->doc, err);
	if (rc == 0)
		rc = lab_network_make(u->client, u->doc, 0, err);
	if (rc == 0)
		rc = boot_all(u, err);
	if (rc < 0)
		take_down_again(u);
	return rc;
}

static int not_up_yet(struct cli *cli, const char *name, struct err *err)
{
	json_t *doc;
	int rc = lab_file_load(cli->run_dir, name, &doc, err);

	if (rc == -ENOENT) {
		*err = (struct err)ERR_NONE;
		return 0;
	}
	if (rc < 0)
		return rc;
	json_decref(doc);
	err_set(err, -EEXIST, "lab \"%s\" is up already", name);
	return err_hint(err, "lanyard down %s", name);
}

static int up_locked(struct up *u, const char *file, struct err *err)
{
	struct sigaction old[N_INTERRUPTS];
	int rc = not_up_yet(u->cli, u->lab->name, err);

	if (rc < 0)
		return rc;
	catch_interrupts(old);
	rc = make(u, file, err);
	if (rc == 0)
		say(u, "lab \"%s\" is up after %.1f s: %u guest%s", u->lab->name,
		    since_s(u->start_ns), u->lab->n_vms, u->lab->n_vms == 1 ? "" : "s");
	for (unsigned i = 0; i < N_INTERRUPTS; i++)
		sigaction(interrupts[i], &old[i], NULL);
	return rc;
}

int lab_up(struct cli *cli, struct lab *lab, const char *file, double wait_s, struct err *err)
{
	struct up u = {.cli = cli, .lab = lab, .wait_s = wait_s, .start_ns = loop_now_ns()};
	int rc, lock = lab_lock_take(cli->run_dir, lab->name, err);

	if (lock < 0)
		return lock;
	u.progress = calloc(lab->n_vms ? lab->n_vms : 1, sizeof(*u.progress));
	rc = u.progress ? up_locked(&u, file, err) : err_set(err, -ENOMEM, "out of memory");
	rpc_close(u.client);
	json_decref(u.doc);
	free(u.progress);
	lab_lock_release(cli->run_dir, lab->name, lock);
	return rc;
}
