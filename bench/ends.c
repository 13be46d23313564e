/* SPDX-License-Identifier: BSD-3-Clause */
/* How the load's ports are opened, and which flows each of them sends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/end.h"

/* The destinations of port `from`; 0xff: all ports at once. */
static unsigned targets(const struct options *o, unsigned from, uint8_t *to)
{
	unsigned n = 0;

	switch (o->pattern) {
	case PATTERN_PAIR:
		if (!o->one_way || !(from & 1))
			to[n++] = (uint8_t)(from ^ 1);
		break;
	case PATTERN_MANY_TO_ONE:
		if (from)
			to[n++] = 0;
		break;
	case PATTERN_BROADCAST:
	case PATTERN_FLOOD:
		if (!from)
			to[n++] = o->pattern == PATTERN_FLOOD ? FRAME_FLOOD : 0xff;
		break;
	case PATTERN_ONE_TO_MANY:
	case PATTERN_MESH:
		for (unsigned i = 0; i < o->n_busy; i++)
			if (i != from && (!from || o->pattern == PATTERN_MESH))
				to[n++] = (uint8_t)i;
		break;
	}
	return n;
}

static int flows_make(struct ends *l, struct err *err)
{
	const struct options *o = l->o;
	uint8_t to[PORTS_MAX];
	uint32_t n = 0, m = (2 * o->n_macs + o->n_busy - 1) / o->n_busy;

	/* Each queue has at least one flow of its own. */
	l->n_addresses = m > o->n_pairs ? m : o->n_pairs;
	for (unsigned i = 0; i < o->n_busy; i++)
		l->n_flows += targets(o, i, to) * l->n_addresses;
	l->flows = calloc(l->n_flows, sizeof(*l->flows));
	if (!l->flows)
		return err_set(err, -ENOMEM, "no memory for %u flows", l->n_flows);
	for (unsigned i = 0; i < o->n_busy; i++) {
		unsigned n_to = targets(o, i, to), q = o->n_pairs;
		uint32_t first = n;

		for (uint32_t a = 0; a < l->n_addresses; a++)
			for (unsigned k = 0; k < n_to; k++, n++) {
				frame_address(l->flows[n].addresses, to[k], a);
				frame_address(l->flows[n].addresses + 6, i, a);
			}
		for (unsigned p = 0; p < q; p++) {
			struct sender *s = &l->all[i].senders[p];
			uint32_t from = first + (uint32_t)((uint64_t)(n - first) * p / q);

			s->first = from;
			s->flows = l->flows + from;
			s->n_flows = first + (uint32_t)((uint64_t)(n - first) * (p + 1) / q) - from;
		}
	}
	return 0;
}

static struct fe_opts fe_options(const struct options *o)
{
	struct fe_opts f = {
		.server = o->server,
		.n_pairs = o->n_pairs,
		.ring_size = o->ring,
		.layout = o->layout,
		.buf_size = 2048 - 64,
		.tx_buf_size = o->size + 64 > 2048 - 64 ? o->size + 64 : 2048 - 64,
		.n_indirect = 3 + o->size / 4096,
		.features = fe_features_default(o->n_pairs),
	};

	if (!o->mergeable) {
		f.features &= ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
		f.buf_size = f.tx_buf_size;
	}
	if (o->send >= KIND_CSUM)
		f.features |= NET_F_CSUM;
	if (o->send >= KIND_TSO)
		f.features |= NET_F_HOST_TSO4;
	if (o->receive >= KIND_CSUM)
		f.features |= NET_F_GUEST_CSUM;
	if (o->receive >= KIND_TSO)
		f.features |= NET_F_GUEST_TSO4;
	return f;
}

static int end_open(struct ends *l, struct end *e, struct fe_opts *f, struct err *err)
{
	uint16_t n_slots = (uint16_t)(l->o->layout == FE_TWO ? f->ring_size / 2 : f->ring_size);
	uint32_t n_large = f->ring_size / (l->o->size / f->buf_size + 1);
	int rc = fe_open(f, &e->fe, err);

	if (rc < 0)
		return rc;
	e->seen = calloc(l->n_flows, sizeof(*e->seen));
	for (unsigned p = 0; e->seen && p < f->n_pairs; p++) {
		struct sender *s = &e->senders[p];

		s->fe = e->fe;
		s->ring = 2 * p + 1;
		s->r = &e->fe->rings[s->ring];
		s->mask = (uint16_t)(n_slots - 1);
		s->window = n_large < n_slots ? (uint16_t)n_large : n_slots;
		s->sizes = malloc(n_slots * sizeof(*s->sizes));
		if (!s->sizes)
			return err_set(err, -ENOMEM, "no memory");
		frame_sizes(l->o, s->sizes, n_slots);
		if (l->o->touch == TOUCH_NONE && s->n_flows > n_slots)
			return err_set(err, -EINVAL,
				       "--touch none: a ring of %u can carry %u flows, not %u; "
				       "--touch first can", f->ring_size, n_slots, s->n_flows);
		if (s->n_flows)
			sender_fill(l, s);
	}
	return e->seen ? 0 : err_set(err, -ENOMEM, "no memory for %u flows", l->n_flows);
}

int ends_open(struct ends *l, const struct options *o, struct err *err)
{
	struct fe_opts f = fe_options(o);
	int fds[PORTS_MAX] = {0}, rc;

	*l = (struct ends){.o = o, .copies = 1};
	if (o->pattern == PATTERN_BROADCAST || o->pattern == PATTERN_FLOOD)
		l->copies = o->n_ports - 1;
	l->big = o->size + VNET_HDR > f.buf_size || o->pcap || o->send != KIND_OFF;
	l->all = calloc(o->n_ports, sizeof(*l->all));
	if (!l->all)
		return err_set(err, -ENOMEM, "no memory");
	rc = flows_make(l, err);
	if (rc == 0 && o->pcap)
		rc = pcap_open(o->pcap, o->pcap_frames, &l->pcap, err);
	/* The switch may come to all sockets before the first of them is served. */
	for (unsigned i = 0; rc == 0 && o->server && i < o->n_ports; i++) {
		fds[i] = fe_listen(o->paths[i], err);
		rc = fds[i] < 0 ? fds[i] : 0;
	}
	for (unsigned i = 0; rc == 0 && i < o->n_ports; i++) {
		l->all[i].index = i;
		f.path = o->paths[i];
		f.listen_fd = fds[i];
		rc = end_open(l, &l->all[i], &f, err);
	}
	return rc;
}

void ends_close(struct ends *l)
{
	for (unsigned i = 0; l->all && i < l->o->n_ports; i++) {
		fe_close(l->all[i].fe);
		free(l->all[i].seen);
		for (unsigned p = 0; p < PAIRS_MAX; p++)
			free(l->all[i].senders[p].sizes);
	}
	free(l->all);
	free(l->flows);
	if (pcap_close(l->pcap) < 0)
		fprintf(stderr, "load: not all of the pcap file could be written\n");
}
