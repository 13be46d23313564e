/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "control/rpc/args.h"
#include "control/rpc/dirs.h"
#include "control/rpc/help.h"

/* Rows without help are hidden. */
static const struct param params[] = {
	{"run_dir", PARAM_STRING, 0, 1, 4096, "DIR", "folder of sockets (/run/lanyard for root)"},
	{"state_dir", PARAM_STRING, 0, 1, 4096, "DIR",
	 "folder of what is saved (/var/lib/lanyard for root)"},
	{"workers", PARAM_STRING, 0, 1, 256, "CPULIST",
	 "one forwarding thread pinned to each of these CPUs, like 1,4-6 (one thread, not pinned)"},
	{"mode", PARAM_ENUM, 0, 0, 0, "adaptive|poll",
	 "sleep while idle, or poll always (adaptive)"},
	{"hugepages", PARAM_ENUM, 0, 0, 0, "auto|yes|no",
	 "take memory of the switch's own from hugepages (auto)"},
	{"no_keeper", PARAM_BOOL, 0, 0, 0, NULL,
	 "run in one process, which nobody starts anew when it dies; for debugging"},
	{"no_confine", PARAM_BOOL, 0, 0, 0, NULL, NULL},
	{"user", PARAM_STRING, 0, 1, 63, "USER",
	 "with root: whose the process that forwards becomes; \"root\": it keeps root's rights (lanyard, or else a "
	 "number that is nobody's)"},
	{"run_as", PARAM_STRING, 0, 3, 40, NULL, NULL},
	{"metrics", PARAM_STRING, 0, 1, 80, "ADDR:PORT",
	 "serve metrics for Prometheus over HTTP; a port alone means 127.0.0.1 (not served)"},
	{"socket_owner", PARAM_STRING, 0, 1, 64, "USER", "whose the control socket is (who runs the switch)"},
	{"socket_group", PARAM_STRING, 0, 1, 64, "GROUP", "group that may use the control socket (none)"},
	{"port_owner", PARAM_STRING, 0, 1, 64, "USER", "whose the sockets of ports are (who runs the switch)"},
	{"port_group", PARAM_STRING, 0, 1, 64, "GROUP", "the group of ports' sockets, kvm say (the switch's)"},
	{"port_mode", PARAM_STRING, 0, 1, 16, "MODE", "the mode of ports' sockets (0660)"},
	{"socket_dir", PARAM_LIST, 0, 0, 0, "DIR",
	 "a folder in which ports' sockets may be, and what is beneath it; repeatable (the run dir)"},
	{"uplink_device", PARAM_LIST, 0, 0, 0, "NAME",
	 "an interface or PCI address that uplinks may have, and no other; repeatable (any)"},
	{"view", PARAM_STRING, 0, 1, 1024, "WHO", "users and %groups who may look: alice,%staff"},
	{"operate", PARAM_STRING, 0, 1, 1024, "WHO", "who may also set ports up and down, capture, flush addresses"},
	{"admin", PARAM_STRING, 0, 1, 1024, "WHO", "who may do everything"},
	{"log", PARAM_ENUM, 0, 0, 0, "err|warn|info|debug", "log messages up to this level (info)"},
	{"fd_store", PARAM_BOOL, 0, 0, 0, NULL,
	 "give what guests would miss to the service manager's store; lanyard-switch.service does"},
	{"takeover", PARAM_BOOL, 0, 0, 0, NULL,
	 "have this build take over from the one that runs in --run-dir, and end"},
	{"until_unused", PARAM_BOOL, 0, 0, 0, NULL, NULL},
	{"image", PARAM_INT, 0, 3, INT32_MAX, NULL, NULL},
	{"channel", PARAM_INT, 0, 3, 1023, NULL, NULL},
	{"man", PARAM_BOOL, 0, 0, 0, NULL, NULL},
	{"help", PARAM_BOOL, 0, 0, 0, NULL, "print this and end"},
	{"version", PARAM_BOOL, 0, 0, 0, NULL, "print the version and end"},
	{.name = NULL},
};

static const struct method row = {
	"lanyard-switch",
	"lanyard-switch",
	"Run the switch in the foreground",
	params,
	METHOD_LOCAL,
	"Answers on DIR/switch.sock, logs to stderr and tells the service manager when it is ready. "
	"What was made by hand is saved in the state folder at each change and made again at "
	"start.\n"
	"It is two processes: the keeper, which holds the sockets and the memory of guests, and the one that "
	"forwards, lanyard-packet. When that one dies or hangs, another takes over where it was, within "
	"milliseconds; guests see no change of carrier.\n"
	"`lanyard-switch --takeover`, of another build, is a planned upgrade: the new build looks first whether it can "
	"go on with all that guests use, then its process goes on in the place of the old one, within "
	"milliseconds and without losing a frame, and the keeper becomes the new build's, with the same process "
	"id and options. It prints how long nobody forwarded. Where it cannot, it says why and ends with status "
	"1, and the old build goes on. Root and the user that runs the switch may do that.\n"
	"It ends with status 75 when another switch uses its folders.\n"
	"SIGTERM, SIGINT or `lanyard stop` end it with everything it made; VMs stay up and find "
	"their ports again when it comes back.\n"
	"Without --view, --operate and --admin, whoever can open the control socket may do everything: root, its "
	"owner, and its group where one is given. With any of them everybody can open it (but for --socket-group), "
	"and the lists say who may do what; root, its owner and who runs the switch may do everything. The man page "
	"of lanyard says which role each command needs.\n"
	"Where the process that forwards is of another user than root, who has started the switch, ports have their "
	"sockets in the run dir, in folders that --socket-dir names, and nowhere else: so a guest that takes that "
	"process over cannot have root's rights used on sockets of others. A run dir in a folder of its owner's, "
	"which is not in /run, may have them beside it.\n"
	"With several workers, each queue of a port belongs to the one that has least to do when it "
	"starts. Once a worker was more than 85 % busy for a second while another was below 60 %, the "
	"queue that evens them out goes over, without losing a frame: one a second at most, and none "
	"twice within 5 s. `lanyard stats` shows how busy each one is.",
};

static int cpus_parse(const char *text, struct options *o, struct err *err)
{
	const char *at = text;

	for (;;) {
		unsigned lo, hi;
		int n = 0;

		if (sscanf(at, "%5u%n", &lo, &n) != 1 || *at == '-' || *at == '+')
			break;
		at += n;
		hi = lo;
		if (*at == '-' && (sscanf(at + 1, "%5u%n", &hi, &n) != 1 || hi < lo))
			break;
		if (*at == '-')
			at += n + 1;
		for (; lo <= hi; lo++) {
			if (o->n_workers == WORKERS_MAX)
				return err_set(err, -EINVAL, "--workers: more than %d workers",
					       WORKERS_MAX);
			o->cpus[o->n_workers++] = (int)lo;
		}
		if (!*at) {
			o->pinned = true;
			return 0;
		}
		if (*at++ != ',')
			break;
	}
	return err_set(err, -EINVAL, "--workers: \"%.60s\" is no list of CPUs like 1,4-6", text);
}

static const char *text_of(const json_t *values, const char *name)
{
	return json_string_value(json_object_get(values, name));
}

static int access_take(const json_t *values, struct access *a, struct err *err)
{
	static const enum role roles[] = {ROLE_VIEW, ROLE_OPERATE, ROLE_ADMIN};
	const char *owner = text_of(values, "socket_owner"), *group = text_of(values, "socket_group");
	int rc = 0;

	access_init(a);
	if (owner)
		rc = access_owner_set(a, owner, err);
	if (rc == 0 && group)
		rc = access_group_set(a, group, err);
	for (unsigned i = 0; rc == 0 && i < 3; i++) {
		const char *list = text_of(values, role_name(roles[i]));
		char option[16];

		snprintf(option, sizeof(option), "--%s", role_name(roles[i]));
		if (list)
			rc = access_add(a, option, roles[i], list, err);
	}
	return rc;
}

/* Those of the switch that runs stay what they are. */
static int takeover_check(const json_t *values, struct err *err)
{
	static const char *const taken[] = {"takeover", "run_dir", "log", NULL};
	const char *name;
	json_t *value;

	if (!json_is_true(json_object_get(values, "takeover")))
		return 0;
	json_object_foreach ((json_t *)values, name, value) {
		unsigned i = 0;

		while (taken[i] && strcmp(taken[i], name))
			i++;
		if (!taken[i])
			return err_set(err, -EINVAL,
				       "--takeover: \"%s\" cannot be changed; the switch that runs keeps its options",
				       name);
	}
	return 0;
}

/* option: its name, for sentences. */
static int texts_take(const json_t *list, const char *option, char **out, unsigned *n, unsigned max, struct err *err)
{
	const json_t *text;
	size_t i;

	json_array_foreach (list, i, text) {
		if (i == max)
			return err_set(err, -EINVAL, "--%s: more than %u", option, max);
		out[i] = strdup(json_string_value(text));
		if (!out[i])
			return err_set(err, -ENOMEM, "out of memory");
		(*n)++;
	}
	return 0;
}

static int socket_dirs_take(const json_t *dirs, struct options *o, struct err *err)
{
	int rc = texts_take(dirs, "socket-dir", o->socket_dirs, &o->n_socket_dirs, SOCKET_DIRS_MAX, err);

	for (unsigned i = 0; rc == 0 && i < o->n_socket_dirs; i++)
		if (o->socket_dirs[i][0] != '/')
			rc = err_set(err, -EINVAL, "--socket-dir: \"%.60s\" does not begin with /", o->socket_dirs[i]);
	return rc;
}

static int values_take(const json_t *values, struct options *o, struct err *err)
{
	const char *workers = text_of(values, "workers"), *mode = text_of(values, "mode");
	const char *huge = text_of(values, "hugepages"), *level = text_of(values, "log");
	const char *metrics = text_of(values, "metrics");
	enum log_level log;
	int rc = takeover_check(values, err);

	if (rc == 0)
		rc = dir_run(text_of(values, "run_dir"), o->run_dir, sizeof(o->run_dir), err);
	if (rc == 0)
		rc = dir_state(text_of(values, "state_dir"), o->state_dir, sizeof(o->state_dir),
			       err);
	if (rc == 0 && workers)
		rc = cpus_parse(workers, o, err);
	if (rc == 0)
		rc = access_take(values, &o->access, err);
	if (rc == 0)
		rc = access_ports(&o->ports, text_of(values, "port_owner"), text_of(values, "port_group"),
				  text_of(values, "port_mode"), err);
	if (rc == 0)
		rc = socket_dirs_take(json_object_get(values, "socket_dir"), o, err);
	if (rc == 0)
		rc = texts_take(json_object_get(values, "uplink_device"), "uplink-device", o->uplink_devices,
				&o->n_uplink_devices, UPLINK_DEVICES_MAX, err);
	if (rc == 0 && metrics) {
		o->serve_metrics = true;
		rc = metrics_address_parse(metrics, &o->metrics, err);
	}
	if (rc == 0 && text_of(values, "run_as"))
		rc = run_as_parse(text_of(values, "run_as"), &o->run_as, err);
	if (rc < 0)
		return rc;
	if (!o->n_workers)
		o->n_workers = 1;
	o->mode = mode && !strcmp(mode, "poll") ? SWITCH_POLL : SWITCH_ADAPTIVE;
	o->hugepages = EAL_HUGEPAGES_AUTO;
	if (huge && !strcmp(huge, "no"))
		o->hugepages = EAL_HUGEPAGES_NO;
	else if (huge && !strcmp(huge, "yes"))
		o->hugepages = EAL_HUGEPAGES_YES;
	if (level && log_level_parse(level, &log) == 0) {
		log_level_set(log);
		o->verbose = log == LOG_LEVEL_DEBUG;
	}
	o->no_keeper = json_is_true(json_object_get(values, "no_keeper"));
	o->channel_fd = json_object_get(values, "channel") ?
				(int)json_integer_value(json_object_get(values, "channel")) : -1;
	o->fd_store = json_is_true(json_object_get(values, "fd_store"));
	snprintf(o->user, sizeof(o->user), "%s", text_of(values, "user") ? text_of(values, "user") : "");
	o->takeover = json_is_true(json_object_get(values, "takeover"));
	o->image_fd = json_object_get(values, "image") ? (int)json_integer_value(json_object_get(values, "image")) : -1;
	o->confine = !o->no_keeper && !json_is_true(json_object_get(values, "no_confine")) &&
		     (geteuid() != 0 || strcmp(o->user, "root"));
	o->until_unused = json_is_true(json_object_get(values, "until_unused"));
	return 0;
}

/* 0: go on; 1: something was printed that was asked for; -EINVAL with a sentence. */
static int parse(int argc, char **argv, struct options *o, struct err *err)
{
	struct args args = {params, NULL, json_object(), NULL};
	int rc = args_parse(&args, argc - 1, argv + 1, err);

	memset(o, 0, sizeof(*o));
	if (rc < 0) {
		if (!err->hint[0])
			err_hint(err, "try lanyard-switch --help");
	} else if (json_object_get(args.own_values, "help")) {
		help_method(stdout, NULL, &row, NULL);
		rc = 1;
	} else if (json_object_get(args.own_values, "man")) {
		man_program(stdout, "lanyard-switch", 8, &row);
		rc = 1;
	} else if (json_object_get(args.own_values, "version")) {
		puts("lanyard-switch " LANYARD_VERSION);
		rc = 1;
	} else {
		rc = values_take(args.own_values, o, err);
	}
	json_decref(args.own_values);
	return rc;
}

int options_main(int argc, char **argv, struct options *o, int *status)
{
	struct err err = ERR_NONE;
	int rc = parse(argc, argv, o, &err);

	*status = rc < 0 ? 2 : 0;
	if (rc < 0)
		fprintf(stderr, "lanyard-switch: %s%s%s\n", err.text, err.hint[0] ? "; " : "",
			err.hint);
	return rc;
}
