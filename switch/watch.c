/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "switch/internal.h"
#include "switch/worker.h"

/* Bytes of a worker's ring: some milliseconds of a busy worker's frames. All rings of a capture
 * together are RINGS_SIZE at most: they are made, and filled with zeros, while control waits. */
#define RING_MAX   (8u << 20)
#define RINGS_SIZE (32u << 20)
#define RING_MIN   (512u << 10) /* with 64 workers */

static size_t ring_size_for(unsigned n_workers)
{
	size_t size = RING_MAX;

	while (size > RING_MIN && size * n_workers > RINGS_SIZE)
		size /= 2;
	return size;
}

/* ---- memory of a capture ---- */

static int memory_make(struct watch *w, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	const unsigned n = w->sw->opts.n_workers;

	w->ring_size = ring_size_for(n);
	w->memory_size = n * (CAPTURE_PAGE + w->ring_size);
	w->writers = aligned_alloc(64, n * sizeof(*w->writers));
	w->fd = memfd_create("lanyard-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Memory that is not there would be missed by a worker, in the middle of a burst. */
	if (!w->writers || w->fd < 0 || ftruncate(w->fd, (off_t)w->memory_size) < 0 ||
	    fcntl(w->fd, F_ADD_SEALS, seals) < 0 ||
	    fallocate(w->fd, 0, 0, (off_t)w->memory_size) < 0)
		return err_set(err, -ENOMEM, "cannot make %zu MiB of memory for the capture: %s",
			       w->memory_size >> 20, strerror(errno));
	w->memory = mmap(NULL, w->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	if (w->memory == MAP_FAILED) {
		w->memory = NULL;
		return err_set(err, -ENOMEM, "cannot map the capture's memory: %s",
			       strerror(errno));
	}
	memset(w->writers, 0, n * sizeof(*w->writers));
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = (uint8_t *)w->memory + i * (CAPTURE_PAGE + w->ring_size);

		w->writers[i].ring = (struct capture_ring *)(void *)at;
		w->writers[i].data = at + CAPTURE_PAGE;
	}
	return 0;
}

static void watch_free(struct watch *w)
{
	if (w->memory)
		munmap(w->memory, w->memory_size);
	if (w->fd >= 0)
		close(w->fd);
	free(w->writers);
	free(w->filter);
	free(w);
}

/* ---- what there is ---- */

static int bit_take(struct switch_ *sw, const struct watch_opts *opts, unsigned *out,
		    struct err *err)
{
	bool is_mirror = opts->to;
	unsigned n_captures = 0;
	uint32_t used = 0;
	struct watch *w;

	if (opts->instead) {
		*out = opts->instead->bit;
		return 0;
	}
	TAILQ_FOREACH (w, &sw->watches, link) {
		used |= 1u << w->bit;
		n_captures += !w->is_mirror;
	}
	if (!is_mirror && n_captures == CAPTURES_MAX) {
		err_set(err, -ENOSPC, "%d captures are running, the most there can be",
			CAPTURES_MAX);
		err_hint(err, "end one of them first");
		return -ENOSPC;
	}
	if (used == UINT32_MAX)
		return err_set(err, -ENOSPC,
			       "%d captures and mirrors are there, the most there can be",
			       WATCHES_MAX);
	*out = (unsigned)__builtin_ctz(~used);
	return 0;
}

static int watch_fill(struct watch *w, const struct watch_opts *opts, struct err *err)
{
	if (opts->n_ports > CAPTURE_PORTS_MAX)
		return err_set(err, -EINVAL,
			       "%u ports are more than the %d that one capture or mirror can have",
			       opts->n_ports, CAPTURE_PORTS_MAX);
	if (opts->filter) {
		w->filter = malloc(opts->n_filter * sizeof(*w->filter));
		if (!w->filter)
			return err_set(err, -ENOMEM, "out of memory");
		memcpy(w->filter, opts->filter, opts->n_filter * sizeof(*w->filter));
	}
	w->ways = opts->ways;
	w->drops = opts->drops;
	w->snaplen = opts->snaplen;
	w->n_ports = w->n_left = opts->n_ports;
	for (unsigned i = 0; i < opts->n_ports; i++) {
		w->ports[i] = opts->ports[i];
		w->index[opts->ports[i]->id] = (uint16_t)i;
	}
	w->to = opts->to;
	w->is_mirror = opts->to;
	w->to_id = opts->to ? opts->to->id : 0;
	return opts->to ? 0 : memory_make(w, err);
}

int watch_add(struct switch_ *sw, const struct watch_opts *opts, struct watch **out,
	      struct err *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	w->sw = sw;
	w->fd = -1;
	rc = bit_take(sw, opts, &w->bit, err);
	for (unsigned i = 0; rc == 0 && i < sw->opts.n_workers; i++)
		if (worker_room_make(sw->workers[i]) < 0)
			rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = watch_fill(w, opts, err);
	if (rc < 0) {
		watch_free(w);
		return rc;
	}
	TAILQ_INSERT_TAIL(&sw->watches, w, link);
	if (opts->instead)
		TAILQ_REMOVE(&sw->watches, opts->instead, link);
	rc = switch_publish(sw);
	if (rc < 0) {
		TAILQ_REMOVE(&sw->watches, w, link);
		if (opts->instead)
			TAILQ_INSERT_TAIL(&sw->watches, opts->instead, link);
		watch_free(w);
		return err_set(err, rc, "out of memory");
	}
	if (opts->instead)
		watch_free(opts->instead);
	*out = w;
	return 0;
}

void watch_del(struct watch *w)
{
	if (!w)
		return;
	TAILQ_REMOVE(&w->sw->watches, w, link);
	/* Workers write into its memory until there is a view without it: memory must come. */
	while (switch_publish(w->sw) < 0)
		usleep(1000);
	watch_free(w);
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

size_t watch_ring_size(const struct watch *w)
{
	return w->ring_size;
}

void watch_clock(const struct switch_ *sw, uint64_t *tsc, uint64_t *time_ns, uint64_t *hz)
{
	struct timespec now;

	*tsc = rte_rdtsc();
	clock_gettime(CLOCK_REALTIME, &now);
	*time_ns = (uint64_t)now.tv_sec * S_NS + (uint64_t)now.tv_nsec;
	*hz = sw->tsc_hz;
}

void watch_port_gone(struct switch_ *sw, struct port *p)
{
	struct watch *w;

	TAILQ_FOREACH (w, &sw->watches, link) {
		for (unsigned i = 0; i < w->n_ports; i++)
			if (w->ports[i] == p) {
				w->ports[i] = NULL;
				w->n_left--;
			}
		if (w->to == p)
			w->to = NULL;
	}
}

void watch_ports_ended(struct switch_ *sw)
{
	struct watch *w;

	TAILQ_FOREACH (w, &sw->watches, link)
		if (!w->is_mirror && !w->n_left)
			atomic_store_explicit(&w->writers[0].ring->ended, 1, memory_order_release);
}

/* ---- the view ---- */

static void port_fill(const struct watch *w, struct view_watch *to)
{
	const uint32_t bit = 1u << w->bit;

	if (w->drops) {
		to->in_drops |= w->ways & WATCH_IN ? bit : 0;
		to->out_drops |= w->ways & WATCH_OUT ? bit : 0;
	} else {
		to->in |= w->ways & WATCH_IN ? bit : 0;
		to->out |= w->ways & WATCH_OUT ? bit : 0;
	}
}

/* Whose frames may come to a port that is looked at: those of its bridge and of bridges that are
 * linked with it, in any number of steps. */
static void reach_fill(const struct switch_ *sw, const struct view *v, bool *bridges)
{
	bool more = true;
	struct port *p;

	TAILQ_FOREACH (p, &sw->ports, link) {
		const struct view_watch *w = &v->by_id[p->id]->watch;

		bridges[p->bridge->index] |= (w->in | w->out | w->in_drops | w->out_drops) != 0;
	}
	while (more) {
		more = false;
		TAILQ_FOREACH (p, &sw->ports, link)
			if (p->peer && bridges[p->bridge->index] &&
			    !bridges[p->peer->bridge->index])
				more = bridges[p->peer->bridge->index] = true;
	}
}

void watch_view_fill(const struct switch_ *sw, struct view *v)
{
	bool bridges[SWITCH_BRIDGES_MAX] = {false};
	struct watch *w;

	if (TAILQ_EMPTY(&sw->watches))
		return;
	TAILQ_FOREACH (w, &sw->watches, link) {
		v->watches[w->bit] = w;
		for (unsigned i = 0; i < w->n_ports && (w->to || !w->is_mirror); i++)
			if (w->ports[i])
				port_fill(w, &v->by_id[w->ports[i]->id]->watch);
	}
	reach_fill(sw, v, bridges);
	for (unsigned i = 0; i < v->n_workers; i++)
		for (unsigned k = 0; k < v->worker[i].n; k++) {
			struct view_source *s = &v->worker[i].s[k];

			if (bridges[s->port->port->bridge->index])
				s->special |= SOURCE_WATCHED;
		}
}
