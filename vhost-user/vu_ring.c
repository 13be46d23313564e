/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH: all but vu_ring_start(), vu_ring_stop() and vu_ring_fault_text(). See vhost-user/vu_ring.h.
 */
#include "vhost-user/vu_ring.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* One load, whatever the guest does meanwhile. */
#define load_once(p) (*(const volatile __typeof__(*(p)) *)(p))

typedef uint64_t __attribute__((may_alias)) alias_u64;

static inline uint16_t load_idx(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint16_t *used_event(const struct vu_ring *r)
{
	return &r->avail->ring[r->size];
}

static inline uint16_t *avail_event(const struct vu_ring *r)
{
	return (uint16_t *)&r->used->ring[r->size];
}

static void fault(struct vu_ring *r, enum vu_ring_fault what, uint64_t a, uint64_t b)
{
	if (atomic_load_explicit(&r->fault, memory_order_relaxed))
		return;
	r->fault_a = a;
	r->fault_b = b;
	atomic_store_explicit(&r->fault, (uint8_t)what, memory_order_release);
}

static inline bool faulted(struct vu_ring *r)
{
	if (unlikely(atomic_load_explicit(&r->mem->lost, memory_order_relaxed)))
		fault(r, VU_FAULT_MEMORY_LOST, 0, 0);
	return unlikely(atomic_load_explicit(&r->fault, memory_order_relaxed));
}

static inline struct vring_desc desc_load(const struct vring_desc *d)
{
	uint64_t addr = load_once(&d->addr), rest = load_once((const alias_u64 *)&d->len);

	return (struct vring_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/* ---- chains ---- */

/* The pieces of one chain, gathered in somebody's array. */
struct gather {
	struct seg *segs;
	unsigned n, max;
	uint64_t bytes;
};

/* Adds the memory of one descriptor. False after a fault, or when the array is full (no fault). */
static bool gather_desc(struct vu_ring *r, struct gather *g, const struct vring_desc *d)
{
	uint64_t gpa = d->addr, left = d->len, here;

	while (left) {
		uint8_t *va = vu_mem_at(r->mem, gpa, &here);

		if (unlikely(!va)) {
			fault(r, VU_FAULT_ADDRESS, d->addr, d->len);
			return false;
		}
		if (unlikely(g->n == g->max))
			return false;
		if (here > left)
			here = left;
		g->segs[g->n++] = (struct seg){.va = va, .len = (uint32_t)here};
		g->bytes += here;
		gpa += here;
		left -= here;
	}
	return true;
}

/* The table of an indirect descriptor, copied descriptor by descriptor through regions. */
static bool indirect_load(struct vu_ring *r, const struct vring_desc *table, unsigned i,
			  struct vring_desc *out)
{
	uint64_t at = table->addr + (uint64_t)i * sizeof(*out), here;
	uint8_t *va = vu_mem_at(r->mem, at, &here);

	if (unlikely(!va || here < sizeof(*out) || at % 8)) {
		fault(r, VU_FAULT_ADDRESS, at, sizeof(*out));
		return false;
	}
	*out = desc_load((const struct vring_desc *)va);
	return true;
}

static bool indirect_check(struct vu_ring *r, uint16_t head, const struct vring_desc *d)
{
	if (!r->indirect)
		fault(r, VU_FAULT_INDIRECT_FEATURE, head, 0);
	else if (!d->len || d->len % sizeof(*d) || d->len / sizeof(*d) > VU_RING_MAX ||
		 d->flags & VRING_DESC_NEXT)
		fault(r, VU_FAULT_INDIRECT, head, d->len);
	else
		return true;
	return false;
}

/*
 * Gathers the chain that begins with descriptor first (already loaded, number head), all of direction
 * `flag`. False after a fault, or with g->n == g->max when the array is too small.
 */
static bool gather_chain(struct vu_ring *r, uint16_t head, struct vring_desc d, uint16_t flag,
			 struct gather *g)
{
	struct vring_desc table = {0};
	unsigned limit = r->size, n = 0;

	if (d.flags & VRING_DESC_INDIRECT) {
		if (!indirect_check(r, head, &d))
			return false;
		table = d;
		limit = table.len / (unsigned)sizeof(d);
		if (!indirect_load(r, &table, 0, &d))
			return false;
	}
	for (;;) {
		if (unlikely(table.len && d.flags & VRING_DESC_INDIRECT)) {
			fault(r, VU_FAULT_INDIRECT_NESTED, head, 0);
			return false;
		}
		if (unlikely((d.flags & VRING_DESC_WRITE) != flag ||
			     d.flags & VRING_DESC_INDIRECT)) {
			fault(r, VU_FAULT_DIRECTION, head, 0);
			return false;
		}
		if (!gather_desc(r, g, &d))
			return false;
		if (!(d.flags & VRING_DESC_NEXT))
			return true;
		if (unlikely(++n >= limit || n >= CHAIN_MAX)) {
			fault(r, VU_FAULT_CHAIN_LONG, head, 0);
			return false;
		}
		if (unlikely(d.next >= limit)) {
			fault(r, VU_FAULT_NEXT_RANGE, d.next, 0);
			return false;
		}
		if (table.len) {
			if (!indirect_load(r, &table, d.next, &d))
				return false;
		} else {
			d = desc_load(&r->desc[d.next]);
		}
	}
}

/* ---- from the guest ---- */

/* Moves up to n bytes from the front of the pieces to out; returns how many there were. */
static uint32_t segs_take(struct seg *segs, unsigned n_segs, unsigned *at, uint8_t *out, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && *at < n_segs) {
		struct seg *s = &segs[*at];
		uint32_t here = s->len < n - done ? s->len : n - done;

		memcpy(out + done, s->va, here);
		done += here;
		s->va += here;
		s->len -= here;
		if (!s->len)
			(*at)++;
	}
	return done;
}

/* No offload was negotiated: a header that asks for one is the guest's mistake. */
static inline uint8_t header_check(const struct vnet_hdr *h)
{
	return h->flags & 1 || h->gso_type ? RX_BAD_OFFLOAD : FRAME_NO_DROP;
}

/* A frame in any layout. False after a fault, or when the burst's store cannot hold its pieces. */
static bool frame_gather(struct vu_ring *r, uint16_t head, struct vring_desc d, struct burst *b,
			 struct frame *f)
{
	struct gather g = {.segs = &b->segs[b->n_segs], .max = BURST_SEGS - b->n_segs};
	struct vnet_hdr hdr = {0};
	unsigned at = 0;

	if (!gather_chain(r, head, d, 0, &g)) {
		/* More pieces than the whole store has, in a burst of its own: too long to be true. */
		if (!b->n_segs && !atomic_load_explicit(&r->fault, memory_order_relaxed))
			fault(r, VU_FAULT_CHAIN_LONG, head, 0);
		return false;
	}
	if (unlikely(g.bytes < r->hdr_len)) {
		fault(r, VU_FAULT_HEADER_SHORT, head, g.bytes);
		return false;
	}
	segs_take(g.segs, g.n, &at, (uint8_t *)&hdr, r->hdr_len);
	f->drop = header_check(&hdr);
	g.bytes -= r->hdr_len;
	if (g.bytes > FRAME_MAX) {
		f->drop = RX_TOO_LONG;
		g.bytes = g.bytes > UINT32_MAX ? UINT32_MAX : g.bytes;
	}
	f->len = (uint32_t)g.bytes;
	f->head_len = (uint8_t)segs_take(g.segs, g.n, &at, f->head, FRAME_HEAD);
	f->segs = &g.segs[at];
	f->n_segs = (uint16_t)(g.n - at);
	b->n_segs += g.n;
	return true;
}

/* A frame whose header and data are one piece at va: what most drivers send. */
static inline void frame_simple(const struct vu_ring *r, uint8_t *va, uint32_t len, struct burst *b,
				struct frame *f)
{
	struct vnet_hdr hdr;

	memcpy(&hdr, va, VNET_HDR_LEGACY);
	va += r->hdr_len;
	len -= r->hdr_len;
	f->len = len;
	f->drop = header_check(&hdr);
	f->n_segs = 0;
	if (likely(len > FRAME_HEAD)) {
		struct seg *s = &b->segs[b->n_segs++];

		memcpy(f->head, va, FRAME_HEAD);
		f->head_len = FRAME_HEAD;
		s->va = va + FRAME_HEAD;
		s->len = len - FRAME_HEAD;
		f->segs = s;
		f->n_segs = 1;
	} else {
		memcpy(f->head, va, len);
		f->head_len = (uint8_t)len;
	}
	if (unlikely(len > FRAME_MAX))
		f->drop = RX_TOO_LONG;
}

/* Loads the next n available entries into heads[]; returns how many are sane. */
static unsigned heads_load(struct vu_ring *r, uint16_t *heads, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t head = load_once(&r->avail->ring[(r->last_avail + i) & (r->size - 1)]);

		if (unlikely(head >= r->size)) {
			fault(r, VU_FAULT_HEAD_RANGE, head, 0);
			return i;
		}
		heads[i] = head;
		__builtin_prefetch(&r->desc[head]);
	}
	return n;
}

/* How many entries the guest has made available beyond last_avail. */
static inline unsigned n_available(struct vu_ring *r)
{
	uint16_t idx = load_idx(&r->avail->idx), n = (uint16_t)(idx - r->last_avail);

	if (unlikely(n > r->size)) {
		fault(r, VU_FAULT_AVAIL_JUMP, r->last_avail, idx);
		return 0;
	}
	return n;
}

unsigned vu_ring_rx(struct vu_ring *r, struct burst *b)
{
	struct vring_desc descs[BURST_MAX];
	uint8_t *va[BURST_MAX];
	unsigned n, i;

	if (faulted(r))
		return 0;
	n = n_available(r);
	if (!n)
		return 0;
	n = heads_load(r, r->heads, n < BURST_MAX ? n : BURST_MAX);
	for (i = 0; i < n; i++) {
		uint64_t here;

		descs[i] = desc_load(&r->desc[r->heads[i]]);
		va[i] = NULL;
		if (unlikely(descs[i].flags & (VRING_DESC_NEXT | VRING_DESC_WRITE |
					       VRING_DESC_INDIRECT)))
			continue;
		va[i] = vu_mem_at(r->mem, descs[i].addr, &here);
		if (unlikely(!va[i] || here < descs[i].len || descs[i].len < VNET_HDR)) {
			va[i] = NULL;
			continue;
		}
		__builtin_prefetch(va[i]);
		__builtin_prefetch(va[i] + 64);
	}
	for (i = 0; i < n; i++) {
		struct frame *f = &b->frames[i];

		if (unlikely(b->n_segs == BURST_SEGS))
			break;
		if (likely(va[i] != NULL))
			frame_simple(r, va[i], descs[i].len, b, f);
		else if (!frame_gather(r, r->heads[i], descs[i], b, f))
			break;
	}
	r->n_taken = i;
	r->last_avail = (uint16_t)(r->last_avail + i);
	return i;
}

/* ---- notifications: virtio 1.1, 2.6.7 and 2.6.8 ---- */

static inline bool need_event(uint16_t event, uint16_t new_idx, uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

void vu_ring_call(struct vu_ring *r)
{
	uint64_t one = 1;

	/* EAGAIN: the guest has 2^64 - 2 calls to read already. */
	if (r->call_fd >= 0 && write(r->call_fd, &one, sizeof(one)) < 0)
		return;
}

/* Publishes last_used and calls the guest if it asked for that. */
static void used_publish(struct vu_ring *r)
{
	uint16_t old = r->signalled;
	bool valid = r->signalled_valid;

	__atomic_store_n(&r->used->idx, r->last_used, __ATOMIC_RELEASE);
	/* The guest's wish must be read after it can see the new index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (r->event_idx) {
		r->signalled_valid = true;
		if (valid && !need_event(load_once(used_event(r)), r->last_used, old))
			return;
		r->signalled = r->last_used;
	} else if (load_once(&r->avail->flags) & VRING_AVAIL_NO_INTERRUPT) {
		return;
	}
	vu_ring_call(r);
}

void vu_ring_rx_done(struct vu_ring *r)
{
	for (unsigned i = 0; i < r->n_taken; i++) {
		struct vring_used_elem *e = &r->used->ring[(r->last_used + i) & (r->size - 1)];

		e->id = r->heads[i];
		e->len = 0;
	}
	r->last_used = (uint16_t)(r->last_used + r->n_taken);
	r->n_taken = 0;
	used_publish(r);
}

bool vu_ring_arm(struct vu_ring *r)
{
	if (atomic_load_explicit(&r->fault, memory_order_relaxed))
		return false;
	if (r->event_idx)
		__atomic_store_n(avail_event(r), r->last_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->used->flags, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
	return load_once(&r->avail->idx) != r->last_avail;
}

void vu_ring_disarm(struct vu_ring *r)
{
	/* With EVENT_IDX the event index simply falls behind. */
	if (!r->event_idx)
		__atomic_store_n(&r->used->flags, VRING_USED_NO_NOTIFY, __ATOMIC_RELAXED);
}

/* ---- to the guest ---- */

/* The available entries of one vu_ring_tx(), each loaded once. */
struct supply {
	unsigned n;	   /* available */
	unsigned n_loaded; /* of them in heads[] and descs[] */
	unsigned taken;
	uint16_t heads[BURST_MAX];
	struct vring_desc descs[BURST_MAX];
};

static void supply_load(struct vu_ring *r, struct supply *s, unsigned n_frames)
{
	s->taken = 0;
	s->n = n_available(r);
	s->n_loaded = s->n < n_frames ? s->n : n_frames;
	s->n_loaded = heads_load(r, s->heads, s->n_loaded);
	for (unsigned i = 0; i < s->n_loaded; i++) {
		uint64_t here;
		uint8_t *va;

		s->descs[i] = desc_load(&r->desc[s->heads[i]]);
		va = vu_mem_at(r->mem, s->descs[i].addr, &here);
		if (likely(va != NULL)) {
			__builtin_prefetch(va, 1);
			__builtin_prefetch(va + 64, 1);
		}
	}
}

/* The k-th available entry; false after a fault. */
static bool supply_get(struct vu_ring *r, struct supply *s, unsigned k, uint16_t *head,
		       struct vring_desc *d)
{
	if (likely(k < s->n_loaded)) {
		*head = s->heads[k];
		*d = s->descs[k];
		return true;
	}
	*head = load_once(&r->avail->ring[(r->last_avail + k) & (r->size - 1)]);
	if (unlikely(*head >= r->size)) {
		fault(r, VU_FAULT_HEAD_RANGE, *head, 0);
		return false;
	}
	*d = desc_load(&r->desc[*head]);
	return true;
}

static inline void used_put(struct vu_ring *r, unsigned k, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e = &r->used->ring[(r->last_used + k) & (r->size - 1)];

	e->id = head;
	e->len = len;
}

/* A cursor over receive buffers. */
struct sink {
	struct seg *segs;
	unsigned n, at;
};

static void sink_put(struct sink *k, const uint8_t *from, uint32_t len)
{
	while (len) {
		struct seg *s = &k->segs[k->at];
		uint32_t here = s->len < len ? s->len : len;

		memcpy(s->va, from, here);
		s->va += here;
		s->len -= here;
		from += here;
		len -= here;
		if (!s->len)
			k->at++;
	}
}

static void frame_put(struct sink *k, const struct vu_ring *r, const struct frame *f,
		      const struct delivery *d, uint16_t num_buffers)
{
	const struct vnet_hdr hdr = {.num_buffers = num_buffers};
	uint8_t changed[FRAME_HEAD + VLAN_TAG];

	sink_put(k, (const uint8_t *)&hdr, r->hdr_len);
	if (d->as_is)
		sink_put(k, f->head, f->head_len);
	else
		sink_put(k, changed, delivery_head(f, d, changed));
	for (unsigned i = 0; i < f->n_segs; i++)
		sink_put(k, f->segs[i].va, f->segs[i].len);
}

enum put { PUT_DONE, PUT_FULL, PUT_TOO_SMALL, PUT_FAULT };

/* Where put_gather() collects the pieces of one frame's buffers. */
static _Thread_local struct seg put_segs[BURST_SEGS];

/* A frame into chains of any layout, several of them with mergeable buffers. */
static enum put put_gather(struct vu_ring *r, struct supply *s, const struct frame *f,
			   const struct delivery *d, uint32_t need)
{
	struct gather g = {.segs = put_segs, .max = BURST_SEGS};
	unsigned n = 0;
	struct sink k;

	while (g.bytes < need) {
		uint64_t before = g.bytes, len;
		struct vring_desc desc;
		uint16_t head;

		if (n && !r->mergeable)
			return PUT_TOO_SMALL;
		if (s->taken + n >= s->n)
			return PUT_FULL;
		if (!supply_get(r, s, s->taken + n, &head, &desc))
			return PUT_FAULT;
		if (!gather_chain(r, head, desc, VRING_DESC_WRITE, &g))
			return atomic_load_explicit(&r->fault, memory_order_relaxed) ? PUT_FAULT :
										       PUT_TOO_SMALL;
		if (g.bytes == before) {
			fault(r, VU_FAULT_CHAIN_EMPTY, head, 0);
			return PUT_FAULT;
		}
		len = (g.bytes < need ? g.bytes : need) - before;
		/* Beyond the published index: given up again if the frame does not fit. */
		used_put(r, n, head, (uint32_t)len);
		n++;
	}
	k = (struct sink){.segs = g.segs, .n = g.n};
	frame_put(&k, r, f, d, (uint16_t)n);
	s->taken += n;
	r->last_used = (uint16_t)(r->last_used + n);
	return PUT_DONE;
}

/* A frame into one descriptor that holds it: what most drivers offer. */
static inline void put_simple(struct vu_ring *r, uint8_t *va, const struct frame *f,
			      const struct delivery *d)
{
	const struct vnet_hdr hdr = {.num_buffers = 1};
	uint8_t *to = va + r->hdr_len;

	memcpy(va, &hdr, r->hdr_len);
	if (likely(d->as_is)) {
		if (likely(f->head_len == FRAME_HEAD))
			memcpy(to, f->head, FRAME_HEAD);
		else
			memcpy(to, f->head, f->head_len);
		to += f->head_len;
	} else {
		/* Not straight into the guest: a short head would write beyond the frame. */
		uint8_t changed[FRAME_HEAD + VLAN_TAG];
		uint32_t n = delivery_head(f, d, changed);

		memcpy(to, changed, n);
		to += n;
	}
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(to, f->segs[i].va, f->segs[i].len);
		to += f->segs[i].len;
	}
}

static enum put put_frame(struct vu_ring *r, struct supply *s, const struct frame *f,
			  const struct delivery *d, uint32_t need)
{
	struct vring_desc desc;
	uint64_t here;
	uint16_t head;
	uint8_t *va;

	if (unlikely(s->taken >= s->n))
		return PUT_FULL;
	if (!supply_get(r, s, s->taken, &head, &desc))
		return PUT_FAULT;
	va = vu_mem_at(r->mem, desc.addr, &here);
	if (unlikely(desc.flags != VRING_DESC_WRITE || !va || here < desc.len || desc.len < need))
		return put_gather(r, s, f, d, need);
	put_simple(r, va, f, d);
	used_put(r, 0, head, need);
	s->taken++;
	r->last_used++;
	return PUT_DONE;
}

void vu_ring_tx(struct vu_ring *r, const struct frame *frames, const struct delivery *d, unsigned n,
		struct port_counters *c)
{
	uint16_t used_before = r->last_used;
	uint64_t bytes = 0;
	unsigned n_done = 0, i;
	struct supply s;

	if (faulted(r)) {
		c->tx_drops[TX_NOT_UP] += n;
		return;
	}
	supply_load(r, &s, n);
	for (i = 0; i < n; i++) {
		const struct frame *f = &frames[d[i].frame];
		uint32_t len = delivery_len(f, &d[i]);
		enum put put = put_frame(r, &s, f, &d[i], r->hdr_len + len);

		if (likely(put == PUT_DONE)) {
			n_done++;
			bytes += len;
		} else if (put == PUT_FULL) {
			c->tx_drops[TX_RING_FULL]++;
		} else if (put == PUT_TOO_SMALL) {
			c->tx_drops[TX_BUFFER_TOO_SMALL]++;
		} else {
			c->tx_drops[TX_NOT_UP] += n - i;
			break;
		}
	}
	r->last_avail = (uint16_t)(r->last_avail + s.taken);
	c->tx_frames += n_done;
	c->tx_bytes += bytes;
	if (r->last_used != used_before)
		used_publish(r);
}

/* ---- control ---- */

int vu_ring_start(struct vu_ring *r, const struct vu_ring_state *state, uint64_t features,
		  const struct vu_mem *mem, struct err *err)
{
	uint64_t n = state->num;
	bool v1 = features & VU_BIT(VIRTIO_F_VERSION_1);

	r->mergeable = features & VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
	r->indirect = features & VU_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	r->event_idx = features & VU_BIT(VIRTIO_RING_F_EVENT_IDX);
	r->hdr_len = v1 || r->mergeable ? VNET_HDR : VNET_HDR_LEGACY;
	r->mem = mem;
	r->size = state->num;
	r->desc = vu_mem_uva(mem, state->addr.desc, n * sizeof(struct vring_desc));
	r->avail = vu_mem_uva(mem, state->addr.avail, sizeof(struct vring_avail) + n * 2 + 2);
	r->used = vu_mem_uva(mem, state->addr.used,
			     sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + 2);
	if (!r->desc || !r->avail || !r->used)
		return err_set(err, -EINVAL, "a part of a ring of %u entries is outside guest memory",
			       state->num);
	/* A region's mapping need not be aligned as its addresses are. */
	if ((uintptr_t)r->desc % 16 || (uintptr_t)r->avail % 2 || (uintptr_t)r->used % 4)
		return err_set(err, -EINVAL, "a ring's parts are not aligned in the shared memory");
	r->last_avail = state->base;
	r->last_used = load_once(&r->used->idx);
	if ((uint16_t)(r->last_avail - r->last_used) > r->size)
		return err_set(err, -EINVAL,
			       "the ring is to go on at entry %u, but its used index is %u",
			       r->last_avail, r->last_used);
	r->signalled_valid = false;
	r->n_taken = 0;
	r->fault_told = false;
	atomic_store(&r->fault, VU_FAULT_NONE);
	vu_ring_disarm(r);
	r->running = true;
	return 0;
}

void vu_ring_stop(struct vu_ring *r)
{
	r->running = false;
}

void vu_ring_fault_text(const struct vu_ring *r, char *text, size_t size)
{
	unsigned long long a = r->fault_a, b = r->fault_b;

	switch ((enum vu_ring_fault)atomic_load_explicit(&r->fault, memory_order_acquire)) {
	case VU_FAULT_NONE:
		snprintf(text, size, "no fault");
		break;
	case VU_FAULT_AVAIL_JUMP:
		snprintf(text, size, "its available index went from %llu to %llu, more than the ring's %u entries",
			 a, b, r->size);
		break;
	case VU_FAULT_HEAD_RANGE:
		snprintf(text, size, "its available ring names descriptor %llu; there are %u", a, r->size);
		break;
	case VU_FAULT_NEXT_RANGE:
		snprintf(text, size, "a chain goes on at descriptor %llu, beyond its table", a);
		break;
	case VU_FAULT_CHAIN_LONG:
		snprintf(text, size, "the chain at descriptor %llu is longer than its table or %d, or loops",
			 a, CHAIN_MAX);
		break;
	case VU_FAULT_ADDRESS:
		snprintf(text, size, "guest address 0x%llx, %llu bytes, is outside guest memory", a, b);
		break;
	case VU_FAULT_DIRECTION:
		snprintf(text, size, "the chain at descriptor %llu mixes buffers to read with buffers to write", a);
		break;
	case VU_FAULT_INDIRECT:
		snprintf(text, size, "the indirect table of descriptor %llu has %llu bytes, or a chain goes on behind it",
			 a, b);
		break;
	case VU_FAULT_INDIRECT_NESTED:
		snprintf(text, size, "the indirect table of descriptor %llu holds another one", a);
		break;
	case VU_FAULT_INDIRECT_FEATURE:
		snprintf(text, size, "descriptor %llu is indirect, which was not negotiated", a);
		break;
	case VU_FAULT_HEADER_SHORT:
		snprintf(text, size, "the chain at descriptor %llu has %llu bytes, less than the %u of a virtio-net header",
			 a, b, r->hdr_len);
		break;
	case VU_FAULT_CHAIN_EMPTY:
		snprintf(text, size, "the receive buffer at descriptor %llu has no bytes", a);
		break;
	case VU_FAULT_MEMORY_LOST:
		snprintf(text, size, "its front end truncated the guest's memory");
		break;
	}
}
