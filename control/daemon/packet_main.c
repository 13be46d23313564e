/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lanyard-packet: the process that forwards.
 *
 * How      Start: options, EAL, then as a warm spare it waits for its keeper's GO; what it is handed, switch,
 *          state, control socket, ready. Without a keeper it takes locks and sockets itself. End: the
 *          reverse. After the start it never ends on its own, except by signal, `lanyard stop`,
 *          the last lease or its keeper's death.
 * Threads  this one is control; the switch starts its workers.
 *
 * What stays open: 1. the locks in run dir and state dir, 2. the state dir, 3. the signalfd,
 * 4. the control socket and its clients, 5. the socket of --metrics and its clients, 6. the keeper's channel,
 * 7. what ports and workers open.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/std_fds.h"
#include "control/daemon/apply.h"
#include "control/daemon/confine.h"
#include "control/daemon/daemon.h"
#include "control/daemon/event_sources.h"
#include "control/daemon/fit.h"
#include "control/daemon/metrics.h"
#include "control/daemon/notify.h"
#include "control/daemon/opener.h"
#include "control/daemon/options.h"
#include "control/daemon/priv.h"
#include "control/daemon/startup.h"
#include "control/daemon/succession.h"
#include "control/daemon/vms.h"
#include "control/keeper/kept.h"
#include "control/keeper/paths.h"
#include "control/rpc/dirs.h"
#include "switch/eal.h"
#include "switch/pulse.h"
#include "switch/quarantine.h"
#include "tap/device_allow.h"
#include "tap/device_early.h"
#include "tap/device_name.h"
#include "vhost-user/vu_mem.h"

struct process {
	struct daemon d;
	struct options options;
	struct kept *kept; /* NULL: no keeper */
	struct pulse *pulse;
	struct confinement confined;
	char socket_path[PATH_MAX + sizeof(SWITCH_SOCKET)];
	int locks[2], signal_fd;
	int metrics_fd; /* until the server has it */
	struct loop_fd *signal_watch, *kept_watch;
	uint64_t begin_ns, forwards_ns; /* since when frames flow; devices of uplinks may come later */
	bool eal, socket;
};

static void stopping_say(struct process *p)
{
	if (p->kept)
		kept_say(p->kept, CHANNEL_STOPPING);
	else
		notify_send("STOPPING=1");
}

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

static void on_keeper(void *arg, int fd, uint32_t events)
{
	struct process *p = arg;
	struct channel_msg m;

	switch (kept_hear(p->kept, &m)) {
	case CHANNEL_YIELD:
		succession_yield(&p->d, m.text);
		break;
	case CHANNEL_STAY:
		succession_stay(&p->d);
		break;
	case CHANNEL_OPENED:
		if (p->d.opener)
			opener_heard(p->d.opener, m.opened.number, m.opened.result, m.opened.text,
				     m.opened.hint);
		break;
	case -EPIPE:
		/* The next keeper has a copy of everything: a proper end would take it from the guests. */
		if (p->options.fd_store)
			raise(SIGKILL);
		loop_fd_del(p->kept_watch);
		p->kept_watch = NULL;
		daemon_stop_soon(&p->d, "the keeper has gone");
		break;
	}
}

static void keeper_ask(void *arg, const char *reason)
{
	kept_say_text(arg, CHANNEL_ASK, reason);
}

static void keeper_refuse(void *arg, const char *text)
{
	LOG_INFO("switch: process does not yield: %s", text);
	kept_say_text(arg, CHANNEL_STAYING, text);
}

static void keeper_open(void *arg, uint32_t number, const struct device_want *w)
{
	struct channel_device device = {.number = number, .n_queues = w->n_queues, .mtu = w->mtu};

	snprintf(device.device, sizeof(device.device), "%s", w->device);
	kept_say_device(arg, &device);
}

static void keeper_unopen(void *arg)
{
	kept_say(arg, CHANNEL_UNOPEN);
}

/* ---- what the keeper hands on, or we take ourselves ---- */

static int alone_begin(struct process *p, struct err *err)
{
	int rc;

	priv_nofile_raise();
	unix_path_access_set(&p->options.ports);
	rc = startup_locks(&p->options, p->locks, err);
	if (rc == 0 && p->options.serve_metrics)
		rc = priv_listen_tcp(&p->options.metrics, &p->metrics_fd, err);
	return rc;
}

static void pulse_map(struct process *p)
{
	int fd = kept_own(p->kept, OWN_PULSE, 0);

	if (fd < 0)
		return;
	p->pulse = mmap(NULL, sizeof(*p->pulse), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->pulse == MAP_FAILED)
		p->pulse = NULL;
	else
		pulse_live(&p->pulse->control);
	quarantine_show(p->pulse);
	close(fd);
}

static void past_take(struct past *p, const struct channel_past *from)
{
	p->n = from->n;
	p->at_ns = from->at_ns;
	p->gap_ns = from->gap_ns;
	memcpy(p->reason, from->reason, sizeof(p->reason));
}

static void restarts_take(struct restarts *r, const struct channel_go *go)
{
	r->keeper_pid = go->keeper_pid;
	past_take(&r->deaths, &go->deaths);
	past_take(&r->planned, &go->planned);
	if (go->end == KEEP_YIELDED)
		r->last = &r->planned;
	else if (r->deaths.n)
		r->last = &r->deaths;
}

static int fits(void *arg, struct kept *k, struct err *err)
{
	return fit_check(k, port_types, err);
}

/* For the one that forwards, which may be a guest's: whatever it says is a client's word. */
static int spare_open(void *arg, const struct channel_device *device, struct err *err)
{
	struct device_want w = {.n_queues = device->n_queues, .mtu = device->mtu};

	snprintf(w.device, sizeof(w.device), "%s", device->device);
	return device_early_open(&w, err);
}

static void spare_unopen(void *arg)
{
	device_early_close();
}

static const struct kept_spare_ops spare_ops = {fits, spare_open, spare_unopen};

/* Sleeps as a spare. 1: not needed any more. */
static int handed_begin(struct process *p, struct err *err)
{
	const struct channel_go *go;
	int rc = 0;

	/* The keeper has the same, and the last word; ours is there for sentences. */
	if (p->options.run_as.change)
		rc = socket_dirs_set(p->options.run_dir, p->options.socket_dirs, p->options.n_socket_dirs, err);
	if (rc == 0)
		rc = kept_await(p->kept, p->signal_fd, &spare_ops, NULL, err);
	if (rc != 0) {
		if (rc > 0)
			stopping_say(p);
		return rc;
	}
	p->begin_ns = loop_now_ns();
	go = kept_go(p->kept);
	/* A guest may have agreed something since it was asked. */
	if (go->must_fit && fits(NULL, p->kept, err) < 0)
		return -EPROTO;
	p->d.start_ns = go->start_ns;
	restarts_take(&p->d.restarts, go);
	p->d.keeper = (struct daemon_keeper){keeper_ask, keeper_refuse, keeper_open, keeper_unopen, p->kept};
	p->locks[0] = kept_own(p->kept, OWN_LOCK, 0);
	p->locks[1] = kept_own(p->kept, OWN_LOCK, 1);
	p->metrics_fd = kept_own(p->kept, OWN_METRICS, 0);
	paths_ask_by(kept_own(p->kept, OWN_PATHS, 0));
	pulse_map(p);
	return 0;
}

/* ---- start ---- */

static int eal_begin(struct process *p, struct err *err)
{
	struct eal_opts eal = {
		.cpus = p->options.pinned ? p->options.cpus : NULL,
		.n_workers = p->options.n_workers,
		.hugepages = p->options.hugepages,
		.verbose = p->options.verbose,
	};
	int rc = eal_start(&eal, err);

	p->eal = rc == 0;
	return rc;
}

static int switch_begin(struct process *p, struct err *err)
{
	struct switch_opts sw = {.mode = p->options.mode, .n_workers = p->options.n_workers};
	int rc = loop_create(&p->d.loop);

	if (rc < 0)
		return err_set(err, rc, "out of memory");
	sw.loop = p->d.loop;
	sw.pulse = p->pulse;
	if (p->kept) {
		sw.keep = &kept_ops;
		sw.keep_arg = p->kept;
		sw.end = (enum keep_end)kept_go(p->kept)->end;
	}
	rc = switch_create(&sw, &p->d.sw, err);
	if (rc == 0)
		rc = event_sources_start(&p->d, err);
	if (rc == 0 && p->metrics_fd >= 0) {
		rc = metrics_start(&p->d, p->metrics_fd, METRICS_DEADLINE_NS, err);
		p->metrics_fd = -1;
	}
	if (rc == 0)
		rc = host_ports_begin(p->d.loop, p->options.run_dir,
				      p->kept ? kept_own(p->kept, OWN_HOST, 0) : -1, err);
	vu_mem_guard_install();
	return rc;
}

/* From here on nothing can be opened that only root may. */
static int on_restored(void *arg, struct err *err)
{
	struct process *p = arg;

	if (!p->confined.on)
		return 0;
	if (opener_create(&p->d, &p->d.opener) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	host_ports_open();
	host_ports_confined(opener_table(p->d.opener));
	return confine_enter(&p->confined, p->options.state_dir, p->d.restarts.keeper_pid, err);
}

static int server_begin(struct process *p, struct err *err)
{
	struct rpc_server_opts opts = {.listen_fd = -1,
				       .methods = daemon_methods,
				       .ctx = &p->d,
				       .after_change = daemon_save,
				       .role = access_role,
				       .role_ctx = &p->options.access};
	int rc = 0;

	snprintf(p->socket_path, sizeof(p->socket_path), "%s/%s", p->options.run_dir,
		 SWITCH_SOCKET);
	if (p->kept)
		opts.listen_fd = kept_own(p->kept, OWN_CONTROL, 0);
	if (opts.listen_fd < 0)
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
	if (rc == 0 && p->kept)
		rc = loop_fd_add(p->d.loop, kept_fd(p->kept), EPOLLIN, on_keeper, p,
				 &p->kept_watch);
	return rc < 0 ? err_set(err, rc, "cannot wait for signals: %s", strerror(-rc)) : 0;
}

static int process_begin(struct process *p, struct err *err)
{
	int rc = startup_signals(&p->signal_fd, err);

	if (p->options.fd_store)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rc == 0 && p->options.channel_fd >= 0)
		rc = kept_create(p->options.channel_fd, &p->kept, err);
	if (rc == 0 && !p->kept)
		rc = alone_begin(p, err);
	if (rc == 0 && p->options.confine)
		rc = confine_begin(&p->confined, &p->options.run_as, err);
	if (rc == 0)
		rc = eal_begin(p, err);
	if (rc == 0 && p->kept)
		rc = handed_begin(p, err);
	if (rc == 0)
		rc = store_open(&p->d.store, p->options.state_dir, err);
	if (rc == 0)
		rc = switch_begin(p, err);
	if (rc == 0)
		rc = daemon_restore(&p->d, err);
	if (rc == 0) {
		p->forwards_ns = loop_now_ns();
		host_ports_open();
		host_ports_settle();
		rc = server_begin(p, err);
	}
	if (rc == 0 && p->kept)
		kept_sweep(p->kept);
	return rc;
}

static void confinement_say(struct process *p)
{
	static char text[160];

	confine_text(&p->confined, text, sizeof(text));
	p->d.confined = p->confined.on ? text : NULL;
	if (p->confined.on)
		LOG_INFO("switch: process %d is confined: %s", (int)getpid(), text);
	else
		LOG_INFO("switch: process %d keeps all rights of who started it", (int)getpid());
}

static void ready_say(struct process *p)
{
	struct past *last = p->d.restarts.last;
	uint64_t now_ns = loop_now_ns();

	if (last) {
		last->gap_ns = p->forwards_ns - last->at_ns;
		LOG_INFO("switch: process %d forwards %.1f ms after its predecessor's %s (%s), %.1f ms of them "
			 "its own; ready after %.1f ms",
			 (int)getpid(), (double)last->gap_ns / 1e6,
			 last == &p->d.restarts.planned ? "planned end" : "death", last->reason,
			 (double)(p->forwards_ns - p->begin_ns) / 1e6, (double)(now_ns - last->at_ns) / 1e6);
	} else {
		LOG_INFO("switch: ready on %s after %llu ms", p->socket_path,
			 (unsigned long long)((now_ns - p->d.start_ns) / MS_NS));
		if (metrics_where(&p->d))
			LOG_INFO("switch: metrics are at http://%s/metrics", metrics_where(&p->d));
	}
	confinement_say(p);
	if (p->kept)
		kept_say_number(p->kept, CHANNEL_READY, p->forwards_ns);
	else
		notify_send("READY=1");
}

/* ---- end ---- */

/* Another process goes on with everything: nothing may be undone here, and what is not said is not done. */
static void yield(struct process *p)
{
	uint64_t since_ns = loop_now_ns();

	kept_say(p->kept, CHANNEL_YIELDING);
	switch_yield(p->d.sw);
	kept_say_number(p->kept, CHANNEL_YIELDED, since_ns);
	_exit(EXIT_SUCCESS);
}

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void process_end(struct process *p)
{
	/* Clients first: one that asks again finds no socket rather than half a switch. */
	if (p->socket && !p->confined.on)
		priv_unlink(p->socket_path);
	rpc_server_destroy(p->d.server);
	metrics_stop(&p->d);
	event_sources_stop(&p->d);
	vms_forget(&p->d);
	apply_free(p->d.apply);
	opener_destroy(p->d.opener);
	if (p->d.sw) {
		daemon_forget(&p->d);
		host_ports_leave(p->d.sw);
	}
	switch_destroy(p->d.sw);
	host_ports_end();
	loop_destroy(p->d.loop);
	store_close(&p->d.store);
	if (p->eal)
		eal_stop();
	quarantine_show(NULL);
	if (p->pulse)
		munmap(p->pulse, sizeof(*p->pulse));
	paths_ask_end();
	kept_destroy(p->kept);
	confine_free(&p->confined);
	fd_close(p->metrics_fd);
	fd_close(p->signal_fd);
	fd_close(p->locks[1]);
	fd_close(p->locks[0]);
}

int main(int argc, char **argv)
{
	struct process p = {.locks = {-1, -1}, .signal_fd = -1, .metrics_fd = -1};
	struct err err = ERR_NONE;
	int rc, status;

	std_fds_fill();
	p.d.store.dir_fd = -1;
	p.d.types = port_types;
	p.d.restored = on_restored;
	p.d.restored_arg = &p;
	p.d.start_ns = p.begin_ns = loop_now_ns();
	getrlimit(RLIMIT_NOFILE, &p.d.nofile);
	quarantine_watch();
	rc = options_main(argc, argv, &p.options, &status);
	if (rc != 0)
		return status;
	device_allow_strict(p.options.run_as.change);
	device_names_only(p.options.uplink_devices, p.options.n_uplink_devices);
	p.d.run_dir = p.options.run_dir;
	p.d.until_unused = p.options.until_unused;
	rc = process_begin(&p, &err);
	if (rc < 0) {
		status = startup_failed(rc, &err);
	} else if (rc == 0) {
		daemon_lease_wait(&p.d);
		ready_say(&p);
		if (p.pulse)
			loop_pulse(p.d.loop, &p.pulse->control_since_ns);
		rc = loop_run(p.d.loop);
		if (rc == DAEMON_YIELDS)
			yield(&p);
		loop_pulse(p.d.loop, NULL);
		if (p.pulse)
			pulse_leave(&p.pulse->control);
		stopping_say(&p);
		status = rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	process_end(&p);
	return status;
}
