/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fake_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define N_IN   65536
#define N_OUT  65536
#define SETTLE_NS (10 * S_NS)

struct fake_frame {
	uint8_t *data;
	size_t len;
	unsigned q;
};

struct fake_queue {
	struct fake_frame in[N_IN];
	_Atomic unsigned n_in;		/* test: rw, worker: ro */
	_Atomic unsigned n_done;	/* worker: rw, test: ro */
	unsigned n_taken;		/* worker */
	atomic_bool armed;		/* worker: rw, test: ro */
	int kick_fd;
};

struct fake_port {
	struct port port;
	unsigned n_queues;
	struct fake_queue *queues;
	struct fake_frame *out; /* worker appends under the queue lock or as the only worker */
	_Atomic unsigned n_out;
	atomic_bool full, helper_counts;
	unsigned room, room_each; /* see fake_room_set(); the worker's once frames flow */
	atomic_uint n_tx_calls;
	void (*taken_fn)(void *arg, unsigned n_left);
	void *taken_arg;
	bool carrier;
	unsigned n_carrier; /* how often it was told */
};

static atomic_bool hold_all;

static struct fake_port *fake_of(struct port *p)
{
	return (struct fake_port *)p;
}

struct port *fake_port(struct fake_port *fp)
{
	return &fp->port;
}

static void die(const char *what)
{
	fprintf(stderr, "fake port: %s\n", what);
	abort();
}

static unsigned fake_rx_burst(struct port *p, unsigned q, struct burst *b)
{
	struct fake_queue *fq = &fake_of(p)->queues[q];
	unsigned n_in = atomic_load(&hold_all) ? 0 : atomic_load(&fq->n_in), n = 0;

	for (; fq->n_taken < n_in && n < BURST_MAX - b->n_unwanted; n++, fq->n_taken++) {
		struct fake_frame *in = &fq->in[fq->n_taken];
		struct frame *f = &b->frames[n];

		f->len = f->wire_len = (uint32_t)in->len;
		f->offload = (struct offload){0};
		f->has_flow = false;
		f->drop = FRAME_NO_DROP;
		f->head_len = in->len < FRAME_HEAD ? (uint8_t)in->len : FRAME_HEAD;
		memset(f->head, 0xee, FRAME_HEAD); /* what nobody may look at */
		memcpy(f->head, in->data, f->head_len);
		f->segs = &b->segs[b->n_segs];
		f->n_segs = 0;
		if (in->len > FRAME_HEAD) {
			b->segs[b->n_segs].va = in->data + FRAME_HEAD;
			b->segs[b->n_segs++].len = (uint32_t)in->len - FRAME_HEAD;
			f->n_segs = 1;
		}
	}
	if (n && !q && fake_of(p)->taken_fn)
		fake_of(p)->taken_fn(fake_of(p)->taken_arg, n_in - fq->n_taken);
	return n;
}

static void fake_rx_done(struct port *p, unsigned q, struct burst *b)
{
	struct fake_queue *fq = &fake_of(p)->queues[q];

	atomic_store(&fq->n_done, fq->n_taken);
}

static unsigned fake_tx_burst(struct port *p, unsigned q, const struct frame *frames,
			      const struct delivery *d, unsigned n, struct port_counters *c)
{
	struct fake_port *fp = fake_of(p);

	struct port_counters *to = atomic_load(&fp->helper_counts)
					   ? port_helper_counters(&fp->port, 0)
					   : c;

	atomic_fetch_add(&fp->n_tx_calls, 1);
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		uint8_t head[FRAME_HEAD + VLAN_TAG], *data;
		uint32_t len = delivery_len(f, &d[i]), at = f->head_len;
		unsigned slot;

		if (atomic_load(&fp->full))
			return i;
		if (fp->room_each && fp->room-- == 0) {
			fp->room = fp->room_each;
			return i;
		}
		if (d[i].as_is)
			memcpy(head, f->head, f->head_len);
		else
			at = delivery_head(f, &d[i], head);
		data = malloc(len);
		slot = atomic_fetch_add(&fp->n_out, 1);
		if (!data || slot >= N_OUT)
			die("too many frames came out");
		memcpy(data, head, at);
		for (unsigned k = 0; k < f->n_segs; k++) {
			memcpy(data + at, f->segs[k].va, f->segs[k].len);
			at += f->segs[k].len;
		}
		if (at != len)
			die("a delivery's pieces do not add up to its length");
		fp->out[slot] = (struct fake_frame){.data = data, .len = len, .q = q};
		to->tx_frames++;
		to->tx_bytes += len;
	}
	return n;
}

static bool fake_arm(struct port *p, unsigned q)
{
	struct fake_queue *fq = &fake_of(p)->queues[q];

	atomic_store(&fq->armed, true);
	return atomic_load(&fq->n_in) != fq->n_taken;
}

static void fake_disarm(struct port *p, unsigned q)
{
	atomic_store(&fake_of(p)->queues[q].armed, false);
}

static void fake_carrier_set(struct port *p, bool on)
{
	struct fake_port *fp = fake_of(p);

	fp->carrier = on;
	fp->n_carrier++;
}

bool fake_carrier(const struct fake_port *fp, unsigned *n_told)
{
	if (n_told)
		*n_told = fp->n_carrier;
	return fp->carrier;
}

static int fake_admin(struct port *p, bool up, struct err *err)
{
	struct fake_port *fp = fake_of(p);

	if (!up) {
		port_stop_all(p);
	} else {
		for (unsigned q = 0; q < fp->n_queues; q++) {
			int rc = port_rx_start(p, q, fp->queues[q].kick_fd, err);

			if (rc == 0)
				rc = port_tx_start(p, q, err);
			if (rc < 0)
				return rc;
		}
	}
	port_state_set(p, up ? PORT_UP : PORT_DOWN, "%s", "");
	return 0;
}

static void fake_destroy(struct port *p)
{
	struct fake_port *fp = fake_of(p);

	port_fini(p);
	fake_clear(fp);
	for (unsigned q = 0; q < fp->n_queues; q++) {
		for (unsigned i = 0; i < fp->queues[q].n_in; i++)
			free(fp->queues[q].in[i].data);
		close(fp->queues[q].kick_fd);
	}
	free(fp->queues);
	free(fp->out);
	free(fp);
}

static const struct port_ops fake_ops = {
	.type = "fake",
	.rx_burst = fake_rx_burst,
	.rx_done = fake_rx_done,
	.tx_burst = fake_tx_burst,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.admin = fake_admin,
	.carrier = fake_carrier_set,
	.destroy = fake_destroy,
};

int fake_port_add(struct switch_ *sw, const struct port_opts *opts, unsigned n_queues,
		  struct fake_port **out, struct err *err)
{
	struct fake_port *fp = calloc(1, sizeof(*fp));
	int rc;

	fp->n_queues = n_queues;
	fp->queues = calloc(n_queues, sizeof(*fp->queues));
	fp->out = calloc(N_OUT, sizeof(*fp->out));
	for (unsigned q = 0; q < n_queues; q++)
		fp->queues[q].kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = port_init(&fp->port, sw, opts, &fake_ops, err);
	if (rc < 0) {
		for (unsigned q = 0; q < n_queues; q++)
			close(fp->queues[q].kick_fd);
		free(fp->queues);
		free(fp->out);
		free(fp);
		return rc;
	}
	*out = fp;
	return fake_admin(&fp->port, true, err);
}

void fake_inject_q(struct fake_port *fp, unsigned q, const void *frame, size_t len)
{
	struct fake_queue *fq = &fp->queues[q];
	unsigned i = atomic_load(&fq->n_in);
	uint64_t one = 1;

	if (i >= N_IN)
		die("too many frames injected");
	fq->in[i].data = malloc(len + 1);
	memcpy(fq->in[i].data, frame, len);
	fq->in[i].len = len;
	atomic_store(&fq->n_in, i + 1);
	if (atomic_load(&fq->armed) && write(fq->kick_fd, &one, sizeof(one)) < 0)
		die("cannot kick");
}

void fake_inject(struct fake_port *fp, const void *frame, size_t len)
{
	fake_inject_q(fp, 0, frame, len);
}

bool fake_is_quiet(struct fake_port *fp)
{
	return atomic_load(&fp->queues[0].armed);
}

void fake_room_set(struct fake_port *fp, unsigned n)
{
	fp->room = fp->room_each = n;
}

void fake_hold_all(bool hold)
{
	atomic_store(&hold_all, hold);
}

void fake_on_taken(struct fake_port *fp, void (*fn)(void *arg, unsigned n_left), void *arg)
{
	fp->taken_fn = fn;
	fp->taken_arg = arg;
}

unsigned fake_n_tx_calls(const struct fake_port *fp)
{
	return atomic_load(&fp->n_tx_calls);
}

void fake_full_set(struct fake_port *fp, bool full)
{
	atomic_store(&fp->full, full);
}

void fake_helper_counts_set(struct fake_port *fp, bool on)
{
	atomic_store(&fp->helper_counts, on);
}

static bool at_rest(struct switch_ *sw)
{
	for (struct port *p = port_next(sw, NULL); p; p = port_next(sw, p)) {
		struct fake_port *fp = fake_of(p);

		if (p->ops != &fake_ops)
			continue;
		for (unsigned q = 0; q < fp->n_queues; q++)
			if (p->rx_mask >> q & 1 &&
			    atomic_load(&fp->queues[q].n_done) != atomic_load(&fp->queues[q].n_in))
				return false;
	}
	return true;
}

void fake_settle(struct switch_ *sw)
{
	uint64_t end_ns = loop_now_ns() + SETTLE_NS;

	while (!at_rest(sw)) {
		if (loop_now_ns() > end_ns)
			die("injected frames were not taken within 10 s");
		usleep(20);
	}
}

unsigned fake_n_out(struct fake_port *fp)
{
	return atomic_load(&fp->n_out);
}

const uint8_t *fake_out(struct fake_port *fp, unsigned i, size_t *len)
{
	if (i >= atomic_load(&fp->n_out))
		die("fewer frames came out");
	if (len)
		*len = fp->out[i].len;
	return fp->out[i].data;
}

unsigned fake_out_q(struct fake_port *fp, unsigned i)
{
	return fp->out[i].q;
}

void fake_clear(struct fake_port *fp)
{
	for (unsigned i = 0; i < fp->n_out; i++)
		free(fp->out[i].data);
	fp->n_out = 0;
}

void sums_check(struct switch_ *sw)
{
	for (struct port *p = port_next(sw, NULL); p; p = port_next(sw, p)) {
		struct port_counters c;
		uint64_t drops = 0;

		port_counters_read(p, &c);
		for (unsigned i = 0; i < N_RX_DROPS; i++)
			drops += c.rx_drops[i];
		if (c.rx_frames != c.rx_forwarded + drops) {
			fprintf(stderr, "port \"%s\": %lu received, %lu forwarded, %lu dropped\n",
				p->name, c.rx_frames, c.rx_forwarded, drops);
			abort();
		}
	}
}
