/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-switch: the process that forwards.
 *
 * How      Start: options, locks, EAL, switch, saved configuration, control socket, ready.
 *          End: the reverse. After the start the process never ends on its own, except by
 *          signal, `lanyard stop` or the last lease.
 * Threads  this one is control; the switch starts its workers.
 *
 * What stays open: 1. the locks in run dir and state dir, 2. the state dir, 3. the signalfd,
 * 4. the control socket and its clients, 5. the socket of --metrics and its clients, 6. what ports
 * and workers open.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "control/daemon/apply.h"
#include "control/daemon/daemon.h"
#include "control/daemon/event_sources.h"
#include "control/daemon/metrics.h"
#include "control/daemon/notify.h"
#include "control/daemon/options.h"
#include "control/daemon/priv.h"
#include "control/daemon/vms.h"
#include "control/rpc/dirs.h"
#include "switch/eal.h"

struct process {
	struct daemon d;
	struct options options;
	char socket_path[PATH_MAX + sizeof(SWITCH_SOCKET)];
	int run_lock, state_lock, signal_fd;
	int metrics_fd; /* until the server has it */
	struct loop_fd *signal_watch;
	bool eal, socket;
};

static void on_signal(void *arg, int fd, uint32_t events)
{
	struct process *p = arg;
	struct signalfd_siginfo info;
	char why[64];

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	snprintf(why, sizeof(why), "%s from process %u", strsignal((int)info.ssi_signo),
		 info.ssi_pid);
	daemon_stop_soon(&p->d, why);
}

/* Before EAL: its threads inherit the mask, so that signals come here alone. */
static int signals_take(struct process *p, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, -errno, "cannot block signals");
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0)
		return err_set(err, -errno, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

static int locks_take(struct process *p, struct err *err)
{
	int rc = priv_dir_lock(p->options.run_dir, "switch.lock", &p->run_lock, err);

	if (rc == 0)
		rc = priv_dir_lock(p->options.state_dir, "switch.lock", &p->state_lock, err);
	if (rc == -EBUSY)
		err_hint(err, "stop it with `lanyard stop`, or give this one folders of its own: "
			      "--run-dir, --state-dir");
	if (rc == 0)
		rc = store_open(&p->d.store, p->options.state_dir, err);
	return rc;
}

static int switch_start(struct process *p, struct err *err)
{
	struct eal_opts eal = {
		.cpus = p->options.pinned ? p->options.cpus : NULL,
		.n_workers = p->options.n_workers,
		.hugepages = p->options.hugepages,
		.verbose = p->options.verbose,
	};
	struct switch_opts sw = {.mode = p->options.mode, .n_workers = p->options.n_workers};
	int rc = eal_start(&eal, err);

	if (rc < 0)
		return rc;
	p->eal = true;
	rc = loop_create(&p->d.loop);
	if (rc < 0)
		return err_set(err, rc, "out of memory");
	sw.loop = p->d.loop;
	rc = switch_create(&sw, &p->d.sw, err);
	if (rc == 0)
		rc = event_sources_start(&p->d, err);
	if (rc == 0 && p->metrics_fd >= 0) {
		rc = metrics_start(&p->d, p->metrics_fd, METRICS_DEADLINE_NS, err);
		p->metrics_fd = -1;
	}
	if (rc == 0)
		rc = host_ports_begin(p->options.run_dir, err);
	if (rc < 0)
		return rc;
	daemon_restore(&p->d);
	host_ports_settle();
	return 0;
}

static int server_start(struct process *p, struct err *err)
{
	struct rpc_server_opts opts = {.methods = daemon_methods,
				       .ctx = &p->d,
				       .after_change = daemon_save,
				       .role = access_role,
				       .role_ctx = &p->options.access};
	int rc;

	snprintf(p->socket_path, sizeof(p->socket_path), "%s/%s", p->options.run_dir,
		 SWITCH_SOCKET);
	rc = priv_listen(p->socket_path, &p->options.access, &opts.listen_fd, err);
	if (rc < 0)
		return rc;
	p->socket = true;
	rc = rpc_server_create(p->d.loop, &opts, &p->d.server, err);
	if (rc < 0) {
		close(opts.listen_fd);
		return rc;
	}
	rc = loop_fd_add(p->d.loop, p->signal_fd, EPOLLIN, on_signal, p, &p->signal_watch);
	return rc < 0 ? err_set(err, rc, "cannot wait for signals: %s", strerror(-rc)) : 0;
}

static void process_end(struct process *p)
{
	/* Clients first: one that asks again finds no socket rather than half a switch. */
	if (p->socket)
		priv_unlink(p->socket_path);
	rpc_server_destroy(p->d.server);
	metrics_stop(&p->d);
	event_sources_stop(&p->d);
	vms_forget(&p->d);
	apply_free(p->d.apply);
	if (p->d.sw)
		daemon_forget(&p->d);
	switch_destroy(p->d.sw);
	host_ports_end();
	loop_destroy(p->d.loop);
	store_close(&p->d.store);
	if (p->eal)
		eal_stop();
	if (p->metrics_fd >= 0)
		close(p->metrics_fd);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	if (p->state_lock >= 0)
		close(p->state_lock);
	if (p->run_lock >= 0)
		close(p->run_lock);
}

int main(int argc, char **argv)
{
	struct process p = {.run_lock = -1, .state_lock = -1, .signal_fd = -1, .metrics_fd = -1};
	struct err err = ERR_NONE;
	int rc;

	p.d.store.dir_fd = -1;
	p.d.types = port_types;
	p.d.start_ns = loop_now_ns();
	rc = options_parse(argc, argv, &p.options, &err);
	if (rc > 0)
		return EXIT_SUCCESS;
	if (rc < 0) {
		fprintf(stderr, "lanyard-switch: %s%s%s\n", err.text, err.hint[0] ? "; " : "",
			err.hint);
		return 2;
	}
	p.d.run_dir = p.options.run_dir;
	p.d.until_unused = p.options.until_unused;
	priv_nofile_raise();
	rc = signals_take(&p, &err);
	if (rc == 0)
		rc = locks_take(&p, &err);
	if (rc == 0 && p.options.serve_metrics)
		rc = priv_listen_tcp(&p.options.metrics, &p.metrics_fd, &err);
	if (rc == 0)
		rc = switch_start(&p, &err);
	if (rc == 0)
		rc = server_start(&p, &err);
	if (rc < 0) {
		LOG_ERR("%s%s%s", err.text, err.hint[0] ? "; " : "", err.hint);
	} else {
		daemon_lease_wait(&p.d);
		LOG_INFO("switch: ready on %s after %llu ms", p.socket_path,
			 (unsigned long long)((loop_now_ns() - p.d.start_ns) / MS_NS));
		if (metrics_where(&p.d))
			LOG_INFO("switch: metrics are at http://%s/metrics", metrics_where(&p.d));
		notify_send("READY=1");
		rc = loop_run(p.d.loop);
		notify_send("STOPPING=1");
	}
	process_end(&p);
	if (rc == -EBUSY)
		return SWITCH_EXIT_BUSY;
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
