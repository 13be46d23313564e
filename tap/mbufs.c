/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT PATH; see tap/mbufs.h.
 */
#include "tap/mbufs.h"

#include <rte_mbuf.h>

#include "base/hot.h"
#include "tap/sum_check.h"

#define PROTO_TCP  6
#define PROTO_UDP  17
#define TCP_CHECK  16
#define UDP_CHECK  6
#define IPV4_CHECK 10
#define IPV4_PROTO 9
#define IPV6	   40
#define IPV6_PROTO 6
#define TYPE_IPV4  0x0800

/* Pieces of a frame: the longest of mbufs of MBUF_ROOM_MIN. */
#define PIECES_MAX (FRAME_MAX / MBUF_ROOM_MIN + 2)

/* ---- in ---- */

/* The pieces of m. Returns how many, 0 when they are too many or not as long as m says. */
static unsigned pieces_of(const struct rte_mbuf *m, struct seg *pieces)
{
	uint64_t len = 0;
	unsigned n = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next) {
		if (unlikely(n == PIECES_MAX))
			return 0;
		pieces[n++] = (struct seg){rte_pktmbuf_mtod(s, uint8_t *), s->data_len};
		len += s->data_len;
	}
	return len == m->pkt_len ? n : 0;
}

/* What the device says of its checksum, and what is seen where it says nothing. */
static uint8_t sum_verdict(const struct rte_mbuf *m, const struct seg *pieces, unsigned n,
			   const struct mbufs_rx *how)
{
	const uint64_t l3 = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	const uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint8_t verdict;

	if (unlikely(l3 == RTE_MBUF_F_RX_IP_CKSUM_BAD || l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD))
		return RX_BAD_CSUM;
	if (!how->sum_check || l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return FRAME_NO_DROP;
	verdict = sum_check(pieces, n, m->pkt_len, how->cut_len && m->pkt_len >= how->cut_len);
	/* So long it was merged on the way: nobody left a checksum out. */
	if (unlikely(verdict == RX_BAD_CSUM && how->len_max && m->pkt_len > how->len_max))
		return RX_TOO_LONG;
	return verdict;
}

void mbufs_to_frames(struct burst *b, struct rte_mbuf *const *m, unsigned n,
		     const struct mbufs_rx *how)
{
	struct seg pieces[PIECES_MAX];

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(rte_pktmbuf_mtod(m[i], uint8_t *));
	for (unsigned i = 0; i < n; i++) {
		unsigned n_pieces = pieces_of(m[i], pieces);

		/* More than the burst has room for, or than a sane device makes of one frame. */
		if (unlikely(!n_pieces || !flat_frame(b, i, NULL, 0, pieces, n_pieces))) {
			b->frames[i] = (struct frame){.len = m[i]->pkt_len, .drop = RX_TOO_LONG};
			continue;
		}
		if (likely(b->frames[i].drop == FRAME_NO_DROP))
			b->frames[i].drop = sum_verdict(m[i], pieces, n_pieces, how);
	}
}

/* ---- out ---- */

bool mbufs_take(struct rte_mempool *pool, struct rte_mbuf **m, unsigned n)
{
	if (unlikely(rte_mempool_get_bulk(pool, (void **)m, n) < 0))
		return false;
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_reset(m[i]);
	return true;
}

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Devices sum TCP and UDP that begin where the IP header ends, and cut such TCP. */
static uint32_t offloads_by_device(const struct mbufs_out *o)
{
	const struct offload *a = &o->frame->offload;
	const uint8_t *ip = o->frame->head + a->l3_off; /* behind two tags at most: in the head */
	uint32_t l3_len = IPV6;
	uint8_t proto = ip[IPV6_PROTO];

	if (!o->how->offloads || a->l3_off < FRAME_MIN)
		return 0;
	if (get_u16(ip - 2) == TYPE_IPV4) {
		l3_len = (ip[0] & 15) * 4u;
		proto = ip[IPV4_PROTO];
	}
	if (a->csum_start != a->l3_off + l3_len)
		return 0;
	if (!(proto == PROTO_TCP && a->csum_offset == TCP_CHECK) &&
	    !(proto == PROTO_UDP && a->csum_offset == UDP_CHECK))
		return 0;
	return o->how->offloads;
}

void mbufs_begin(struct mbufs_out *o, const struct mbufs_tx *how, const struct frame *f,
		 const struct delivery *d)
{
	o->how = how;
	o->frame = f;
	o->shift = delivery_shift(d);
	o->offloads = unlikely(f->offload.bits) ? offloads_by_device(o) : 0;
	flat_begin(&o->flat, f, d, o->offloads);
}

/* Tells the device what it has to do. */
static void flags_set(const struct mbufs_out *o, struct rte_mbuf *m)
{
	const struct offload *a = &o->frame->offload;
	const uint32_t l3 = (uint32_t)(a->l3_off + o->shift);
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3);
	const bool ipv4 = get_u16(ip - 2) == TYPE_IPV4;

	m->l2_len = l3;
	m->l3_len = (uint32_t)(a->csum_start - a->l3_off);
	m->ol_flags |= ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags |=
		a->csum_offset == TCP_CHECK ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (!(a->bits & OFFLOAD_TSO) || o->flat.ps.cut)
		return;
	m->l4_len = (uint32_t)(a->hdr_len - a->csum_start);
	m->tso_segsz = a->gso_size;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	if (ipv4) {
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		memset(ip + IPV4_CHECK, 0, 2); /* as DPDK wants it */
	}
}

/* Makes room for len bytes behind the empty m: its pieces. False: there are no more mbufs. */
static bool room_make(const struct mbufs_tx *how, struct rte_mbuf *m, uint32_t len,
		      struct seg *pieces)
{
	struct rte_mbuf *last = m;

	m->pkt_len = len;
	for (unsigned n = 0;; n++) {
		uint32_t room = rte_pktmbuf_tailroom(last), here = len < room ? len : room;

		if (unlikely(n == PIECES_MAX))
			return false;
		pieces[n] = (struct seg){rte_pktmbuf_mtod(last, uint8_t *), here};
		last->data_len = (uint16_t)here;
		len -= here;
		if (likely(!len))
			return true;
		if (!how->multi_seg || !mbufs_take(how->pool, &last->next, 1)) {
			last->next = NULL;
			return false;
		}
		last = last->next;
		m->nb_segs++;
	}
}

struct rte_mbuf *mbufs_next(struct mbufs_out *o, struct rte_mbuf *m)
{
	struct seg pieces[PIECES_MAX];
	struct vnet_hdr hdr;
	uint32_t len;

	if (!m && !mbufs_take(o->how->pool, &m, 1))
		return NULL;
	len = flat_next(&o->flat);
	if (unlikely(!room_make(o->how, m, len, pieces))) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	flat_write(&o->flat, pieces, &hdr);
	if (unlikely(len < FLAT_MIN))
		m->pkt_len = m->data_len = (uint16_t)flat_pad(pieces[0].va, len);
	if (unlikely(o->offloads))
		flags_set(o, m);
	return m;
}
