/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/rig.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "switch/eal.h"
#include "tests/fake_port.h"
#include "vhost-user/vu_port.h"

struct rig {
	struct loop *loop;
	struct switch_ *sw;
	struct bridge *br;
	struct port *port[RIG_PORTS];
	char dir[64], path[RIG_PORTS][96];
	char reason[256];
	bool keep_open;
	pthread_t thread;
	int call_fd;
	struct loop_fd *call_watch;
	pthread_mutex_t lock;
	pthread_cond_t done;
	void (*fn)(struct rig *rig, void *arg);
	void *arg;
};

int rig_group_setup(void **state)
{
	const struct eal_opts opts = {.n_workers = 2};
	struct err err = ERR_NONE;

	log_level_set(LOG_LEVEL_ERR);
	if (eal_start(&opts, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static void call_ready(void *arg, int fd, uint32_t events)
{
	struct rig *rig = arg;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&rig->lock);
	rig->fn(rig, rig->arg);
	rig->fn = NULL;
	pthread_cond_signal(&rig->done);
	pthread_mutex_unlock(&rig->lock);
}

void rig_call(struct rig *rig, void (*fn)(struct rig *rig, void *arg), void *arg)
{
	uint64_t one = 1;

	pthread_mutex_lock(&rig->lock);
	rig->fn = fn;
	rig->arg = arg;
	if (write(rig->call_fd, &one, sizeof(one)) < 0)
		abort();
	while (rig->fn)
		pthread_cond_wait(&rig->done, &rig->lock);
	pthread_mutex_unlock(&rig->lock);
}

static void *control(void *arg)
{
	loop_run(((struct rig *)arg)->loop);
	return NULL;
}

static int setup(void **state, unsigned n_workers)
{
	const struct bridge_opts bo = {.ageing_s = 300, .max_macs = 4096};
	struct switch_opts so = {.mode = SWITCH_ADAPTIVE, .n_workers = n_workers};
	struct rig *rig = calloc(1, sizeof(*rig));
	struct err err = ERR_NONE;

	snprintf(rig->dir, sizeof(rig->dir), "/tmp/lanyard-rig-XXXXXX");
	if (!mkdtemp(rig->dir) || loop_create(&rig->loop) < 0)
		return -1;
	so.loop = rig->loop;
	rig->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->done, NULL);
	if (loop_fd_add(rig->loop, rig->call_fd, EPOLLIN, call_ready, rig, &rig->call_watch) < 0 ||
	    switch_create(&so, &rig->sw, &err) < 0 ||
	    bridge_add(rig->sw, "br", &bo, &rig->br, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	pthread_create(&rig->thread, NULL, control, rig);
	*state = rig;
	return 0;
}

int rig_setup(void **state)
{
	return setup(state, 1);
}

int rig_setup_2_workers(void **state)
{
	return setup(state, 2);
}

static void stop(struct rig *rig, void *arg)
{
	loop_stop(rig->loop, 0);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig_call(rig, stop, NULL);
	pthread_join(rig->thread, NULL);
	sums_check(rig->sw);
	switch_destroy(rig->sw);
	loop_destroy(rig->loop);
	close(rig->call_fd);
	rmdir(rig->dir);
	free(rig);
	return 0;
}

struct switch_ *rig_switch(struct rig *rig)
{
	return rig->sw;
}

struct bridge *rig_bridge(struct rig *rig)
{
	return rig->br;
}

struct add {
	unsigned i;
	bool listen;
	struct err err;
};

static void add(struct rig *rig, void *arg)
{
	struct add *a = arg;
	char name[8];
	struct vu_port_opts o = {.path = rig->path[a->i], .listen = a->listen,
				 .keep_open = rig->keep_open};

	snprintf(name, sizeof(name), "v%u", a->i);
	o.port.name = name;
	o.port.bridge = rig->br;
	vlan_policy_default(&o.port.vlan);
	vu_port_add(rig->sw, &o, &rig->port[a->i], &a->err);
}

const char *rig_port_add(struct rig *rig, unsigned i, bool listen)
{
	struct add a = {.i = i, .listen = listen};

	snprintf(rig->path[i], sizeof(rig->path[i]), "%s/%u.sock", rig->dir, i);
	rig_call(rig, add, &a);
	if (a.err.code)
		fail_msg("%s", a.err.text);
	return rig->path[i];
}

void rig_keep_open(struct rig *rig)
{
	rig->keep_open = true;
}

static void del(struct rig *rig, void *arg)
{
	unsigned *i = arg;

	port_del(rig->port[*i], NULL);
	rig->port[*i] = NULL;
}

void rig_port_del(struct rig *rig, unsigned i)
{
	rig_call(rig, del, &i);
}

struct admin {
	unsigned i;
	bool up;
};

static void admin(struct rig *rig, void *arg)
{
	struct admin *a = arg;

	port_admin_set(rig->port[a->i], a->up, NULL);
}

void rig_port_admin(struct rig *rig, unsigned i, bool up)
{
	struct admin a = {.i = i, .up = up};

	rig_call(rig, admin, &a);
}

struct fe *rig_port(struct rig *rig, unsigned i, struct fe_opts opts)
{
	struct err err = ERR_NONE;
	struct fe *fe;

	opts.path = rig_port_add(rig, i, !opts.server);
	if (fe_open(&opts, &fe, &err) < 0)
		fail_msg("%s", err.text);
	if (!opts.no_rings)
		rig_await(rig, i, PORT_UP);
	return fe;
}

struct query {
	unsigned i;
	struct port_info info;
	struct port_counters counters;
};

static void query(struct rig *rig, void *arg)
{
	struct query *q = arg;

	port_info(rig->port[q->i], &q->info);
	port_counters_read(rig->port[q->i], &q->counters);
	snprintf(rig->reason, sizeof(rig->reason), "%s", q->info.reason);
}

enum port_state rig_state(struct rig *rig, unsigned i)
{
	struct query q = {.i = i};

	rig_call(rig, query, &q);
	return q.info.state;
}

const char *rig_reason(struct rig *rig, unsigned i)
{
	struct query q = {.i = i};

	rig_call(rig, query, &q);
	return rig->reason;
}

struct port_counters rig_counters(struct rig *rig, unsigned i)
{
	struct query q = {.i = i};

	rig_call(rig, query, &q);
	return q.counters;
}

void rig_await(struct rig *rig, unsigned i, enum port_state s)
{
	uint64_t end_ns = loop_now_ns() + 5 * S_NS;

	while (rig_state(rig, i) != s && loop_now_ns() < end_ns)
		usleep(500);
	if (rig_state(rig, i) != s)
		fail_msg("port v%u is %s (%s), not %s", i, port_state_name(rig_state(rig, i)),
			 rig->reason, port_state_name(s));
}

int fe_recv_wait(struct fe *fe, unsigned p, void *out, uint32_t size)
{
	uint64_t end_ns = loop_now_ns() + 2 * S_NS;
	int n;

	while ((n = fe_recv(fe, p, out, size)) < 0 && loop_now_ns() < end_ns)
		usleep(10);
	return n;
}
