/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/metrics_page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/daemon/metrics_copy.h"

#define SLICE_NS   (3 * MS_NS)
#define LOOK_EVERY 16 /* items between looks at the clock */

struct metrics_page {
	struct daemon *daemon;
	metrics_page_fn fn;
	void *arg;
	struct loop_timer *timer;
	struct metrics_copy copy;
	size_t family, at; /* what is written next */
	char *text;
	size_t len, size;
	bool no_memory;
};

/* ---- text ---- */

static void put(struct metrics_page *p, const char *text, size_t len)
{
	if (p->len + len + 1 > p->size) {
		size_t size = p->size * 2 + len + 4096;
		char *more = realloc(p->text, size);

		if (!more) {
			p->no_memory = true;
			return;
		}
		p->text = more;
		p->size = size;
	}
	memcpy(p->text + p->len, text, len);
	p->len += len;
}

static void put_text(struct metrics_page *p, const char *text)
{
	put(p, text, strlen(text));
}

/* A label's value: backslash, quote and end of line are escaped. */
static void put_value(struct metrics_page *p, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, "\\\"\n");

		put(p, text, len);
		text += len;
		if (!*text)
			return;
		put_text(p, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
		text++;
	}
}

/* {a="x",b="y"}: labels are pairs of name and value, ended by NULL. */
static void put_labels(struct metrics_page *p, const char *const *labels)
{
	const char *before = "{";

	for (; *labels; labels += 2) {
		put_text(p, before);
		put_text(p, labels[0]);
		put_text(p, "=\"");
		put_value(p, labels[1]);
		put_text(p, "\"");
		before = ",";
	}
	if (*before == ',')
		put_text(p, "}");
}

static void put_whole(struct metrics_page *p, const char *name, const char *const *labels,
		      uint64_t value)
{
	char number[32];

	put_text(p, name);
	put_labels(p, labels);
	put(p, number,
	    (size_t)snprintf(number, sizeof(number), " %llu\n", (unsigned long long)value));
}

static void put_real(struct metrics_page *p, const char *name, const char *const *labels,
		     double value)
{
	char number[64];

	put_text(p, name);
	put_labels(p, labels);
	put(p, number, (size_t)snprintf(number, sizeof(number), " %.15g\n", value));
}

#define LABELS(...)                                                                                \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define NO_LABELS ((const char *const[]){NULL})

/* ---- families ---- */

enum over { ONCE, PORTS, WORKERS, BRIDGES, VMS };

struct family {
	const char *name, *type, *help;
	enum over over;
	void (*put)(struct metrics_page *p, const char *name, size_t i);
};

static void put_build(struct metrics_page *p, const char *name, size_t i)
{
	put_whole(p, name, LABELS("version", LANYARD_VERSION), 1);
}

static void put_start(struct metrics_page *p, const char *name, size_t i)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	put_real(p, name, NO_LABELS,
		 (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 -
			 (double)(loop_now_ns() - p->daemon->start_ns) / 1e9);
}

static void put_port_info(struct metrics_page *p, const char *name, size_t i)
{
	const struct port_copy *c = &p->copy.ports[i];

	put_whole(p, name,
		  LABELS("port", c->name, "bridge", c->bridge, "type", c->type, "lab", c->lab), 1);
}

static void put_port_state(struct metrics_page *p, const char *name, size_t i)
{
	const struct port_copy *c = &p->copy.ports[i];

	put_whole(p, name, LABELS("port", c->name, "state", port_state_name(c->state)), 1);
}

static void put_port_up(struct metrics_page *p, const char *name, size_t i)
{
	put_whole(p, name, LABELS("port", p->copy.ports[i].name),
		  p->copy.ports[i].state == PORT_UP);
}

#define PORT_COUNTER(fn, member)                                                                   \
	static void fn(struct metrics_page *p, const char *name, size_t i)                         \
	{                                                                                          \
		put_whole(p, name, LABELS("port", p->copy.ports[i].name),                          \
			  p->copy.ports[i].counters.member);                                       \
	}
PORT_COUNTER(put_rx_frames, rx_frames)
PORT_COUNTER(put_rx_bytes, rx_bytes)
PORT_COUNTER(put_rx_forwarded, rx_forwarded)
PORT_COUNTER(put_tx_frames, tx_frames)
PORT_COUNTER(put_tx_bytes, tx_bytes)

static void put_rx_drops(struct metrics_page *p, const char *name, size_t i)
{
	const struct port_copy *c = &p->copy.ports[i];

	for (unsigned r = 0; r < N_RX_DROPS; r++)
		put_whole(p, name, LABELS("port", c->name, "reason", rx_drop_names[r]),
			  c->counters.rx_drops[r]);
}

static void put_tx_drops(struct metrics_page *p, const char *name, size_t i)
{
	const struct port_copy *c = &p->copy.ports[i];

	for (unsigned r = 0; r < N_TX_DROPS; r++)
		put_whole(p, name, LABELS("port", c->name, "reason", tx_drop_names[r]),
			  c->counters.tx_drops[r]);
}

static const char *worker_name(const struct metrics_page *p, size_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%u", p->copy.workers[i].id);
	return buf;
}

static void put_worker_info(struct metrics_page *p, const char *name, size_t i)
{
	char id[16], cpu[16] = "";

	if (p->copy.workers[i].cpu >= 0)
		snprintf(cpu, sizeof(cpu), "%d", p->copy.workers[i].cpu);
	put_whole(p, name, LABELS("worker", worker_name(p, i, id, sizeof(id)), "cpu", cpu), 1);
}

static void put_worker_busy(struct metrics_page *p, const char *name, size_t i)
{
	char id[16];

	put_real(p, name, LABELS("worker", worker_name(p, i, id, sizeof(id))),
		 (double)p->copy.workers[i].busy_cycles / (double)switch_tsc_hz(p->daemon->sw));
}

#define WORKER_COUNTER(fn, member)                                                                 \
	static void fn(struct metrics_page *p, const char *name, size_t i)                         \
	{                                                                                          \
		char id[16];                                                                       \
                                                                                                   \
		put_whole(p, name, LABELS("worker", worker_name(p, i, id, sizeof(id))),            \
			  p->copy.workers[i].member);                                              \
	}
WORKER_COUNTER(put_worker_frames, frames)
WORKER_COUNTER(put_worker_polls, polls)
WORKER_COUNTER(put_worker_sleeps, sleeps)

#define BRIDGE_VALUE(fn, member)                                                                   \
	static void fn(struct metrics_page *p, const char *name, size_t i)                         \
	{                                                                                          \
		put_whole(p, name, LABELS("bridge", p->copy.bridges[i].name),                      \
			  p->copy.bridges[i].member);                                              \
	}
BRIDGE_VALUE(put_bridge_ports, n_ports)
BRIDGE_VALUE(put_bridge_macs, n_macs)
BRIDGE_VALUE(put_bridge_limit, max_macs)
BRIDGE_VALUE(put_bridge_refused, n_refused)
BRIDGE_VALUE(put_bridge_evicted, n_evicted)

static void put_vm_state(struct metrics_page *p, const char *name, size_t i)
{
	const struct vm_copy *c = &p->copy.vms[i];

	put_whole(p, name, LABELS("vm", c->name, "state", c->state), 1);
}

#define VM_VALUE(fn, put_it, member, when)                                                         \
	static void fn(struct metrics_page *p, const char *name, size_t i)                         \
	{                                                                                          \
		if (p->copy.vms[i].when)                                                           \
			put_it(p, name, LABELS("vm", p->copy.vms[i].name), p->copy.vms[i].member); \
	}
VM_VALUE(put_vm_ready, put_whole, ready, name)
VM_VALUE(put_vm_cpus, put_whole, cpus, cpus)
VM_VALUE(put_vm_memory, put_whole, memory_bytes, memory_bytes)
VM_VALUE(put_vm_cpu, put_real, cpu_s, has_process)
VM_VALUE(put_vm_resident, put_whole, resident_bytes, has_process)

static const struct family families[] = {
	{"lanyard_build_info", "gauge", "The version that runs.", ONCE, put_build},
	{"lanyard_start_time_seconds", "gauge", "When the switch was started, since 1970.", ONCE,
	 put_start},
	{"lanyard_port_info", "gauge", "A port's bridge, type and lab.", PORTS, put_port_info},
	{"lanyard_port_state", "gauge", "The state that a port is in.", PORTS, put_port_state},
	{"lanyard_port_up", "gauge", "1 while a port is up.", PORTS, put_port_up},
	{"lanyard_port_receive_frames_total", "counter", "Frames received from a port.", PORTS,
	 put_rx_frames},
	{"lanyard_port_receive_bytes_total", "counter", "Bytes received from a port.", PORTS,
	 put_rx_bytes},
	{"lanyard_port_receive_forwarded_frames_total", "counter",
	 "Frames received from a port of which a copy was offered to another.", PORTS,
	 put_rx_forwarded},
	{"lanyard_port_receive_dropped_frames_total", "counter",
	 "Frames received from a port and dropped, by reason.", PORTS, put_rx_drops},
	{"lanyard_port_transmit_frames_total", "counter", "Frames delivered to a port.", PORTS,
	 put_tx_frames},
	{"lanyard_port_transmit_bytes_total", "counter", "Bytes delivered to a port.", PORTS,
	 put_tx_bytes},
	{"lanyard_port_transmit_dropped_frames_total", "counter",
	 "Frames offered to a port and dropped, by reason.", PORTS, put_tx_drops},
	{"lanyard_worker_info", "gauge", "The CPU that a worker is pinned to.", WORKERS,
	 put_worker_info},
	{"lanyard_worker_busy_seconds_total", "counter", "Time spent in polls that found frames.",
	 WORKERS, put_worker_busy},
	{"lanyard_worker_frames_total", "counter", "Frames received by a worker.", WORKERS,
	 put_worker_frames},
	{"lanyard_worker_polls_total", "counter", "Rounds of a worker over its rings.", WORKERS,
	 put_worker_polls},
	{"lanyard_worker_sleeps_total", "counter", "Times a worker went to sleep.", WORKERS,
	 put_worker_sleeps},
	{"lanyard_bridge_ports", "gauge", "Ports on a bridge.", BRIDGES, put_bridge_ports},
	{"lanyard_bridge_addresses", "gauge", "Addresses in a bridge's table.", BRIDGES,
	 put_bridge_macs},
	{"lanyard_bridge_addresses_limit", "gauge", "Addresses that a bridge's table may hold.",
	 BRIDGES, put_bridge_limit},
	{"lanyard_bridge_addresses_refused_total", "counter",
	 "Addresses for which there was no room.", BRIDGES, put_bridge_refused},
	{"lanyard_bridge_addresses_evicted_total", "counter",
	 "Addresses that made room for others.", BRIDGES, put_bridge_evicted},
	{"lanyard_vm_state", "gauge", "The state that a VM is in.", VMS, put_vm_state},
	{"lanyard_vm_ready", "gauge", "1 while a VM's agent answers.", VMS, put_vm_ready},
	{"lanyard_vm_cpus", "gauge", "Virtual CPUs of a VM.", VMS, put_vm_cpus},
	{"lanyard_vm_memory_bytes", "gauge", "Memory that a VM was given.", VMS, put_vm_memory},
	{"lanyard_vm_cpu_seconds_total", "counter", "CPU time of a VM's QEMU.", VMS, put_vm_cpu},
	{"lanyard_vm_resident_memory_bytes", "gauge", "Memory that a VM's QEMU has touched.", VMS,
	 put_vm_resident},
};
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

static size_t n_items(const struct metrics_page *p, enum over over)
{
	switch (over) {
	case ONCE:
		return 1;
	case PORTS:
		return p->copy.n_ports;
	case WORKERS:
		return p->copy.n_workers;
	case BRIDGES:
		return p->copy.n_bridges;
	case VMS:
		return p->copy.n_vms;
	}
	return 0;
}

static void put_head(struct metrics_page *p, const struct family *f)
{
	put_text(p, "# HELP ");
	put_text(p, f->name);
	put_text(p, " ");
	put_text(p, f->help);
	put_text(p, "\n# TYPE ");
	put_text(p, f->name);
	put_text(p, " ");
	put_text(p, f->type);
	put_text(p, "\n");
}

/* Writes until end_ns. True when all is written. */
static bool write_some(struct metrics_page *p, uint64_t end_ns)
{
	while (p->family < N_FAMILIES) {
		const struct family *f = &families[p->family];
		size_t n = n_items(p, f->over);

		if (!p->at && n)
			put_head(p, f);
		while (p->at < n) {
			f->put(p, f->name, p->at++);
			if (p->at % LOOK_EVERY == 0 && loop_now_ns() >= end_ns)
				return false;
		}
		p->family++;
		p->at = 0;
	}
	return true;
}

static void slice(void *arg)
{
	struct metrics_page *p = arg;
	uint64_t end_ns = loop_now_ns() + SLICE_NS;
	int rc = metrics_copy_some(&p->copy, p->daemon, end_ns);
	bool done = rc < 0 || (rc > 0 && write_some(p, end_ns));
	metrics_page_fn fn = p->fn;
	void *fn_arg = p->arg;
	char *text = NULL;
	size_t len;

	if (!done && !p->no_memory && loop_timer_add(p->daemon->loop, 0, slice, p, &p->timer) == 0)
		return;
	if (done && rc > 0 && !p->no_memory) {
		text = p->text;
		p->text = NULL;
	}
	len = p->len;
	metrics_page_free(p);
	fn(fn_arg, text, len);
}

int metrics_page_make(struct daemon *d, metrics_page_fn fn, void *arg, struct metrics_page **out)
{
	struct metrics_page *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->daemon = d;
	p->fn = fn;
	p->arg = arg;
	if (loop_timer_add(d->loop, 0, slice, p, &p->timer) < 0) {
		free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void metrics_page_free(struct metrics_page *p)
{
	if (!p)
		return;
	loop_timer_del(p->timer);
	metrics_copy_free(&p->copy);
	free(p->text);
	free(p);
}
