/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from and into mbufs: in several pieces, padded, cut, with what a device is told.
 */
#include "tests/unit/lab.h"

#include <stdlib.h>
#include <string.h>

#include "tap/mbuf_pool.h"
#include "tap/mbufs.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_random.h"

#include <rte_mbuf.h>

#define N_MBUFS 64
#define ROOM	1024
#define BYTES	20000

static struct rte_mempool *pool;
static uint8_t sent[BYTES], got[BYTES];
static struct burst burst;

static int pool_setup(void **state)
{
	const struct mbuf_pool_opts opts = {.n = N_MBUFS, .room = ROOM, .own = true};
	struct err err = ERR_NONE;

	if (lab_group_setup(state) < 0)
		return -1;
	return mbuf_pool_create(&opts, &pool, &err);
}

static int pool_teardown(void **state)
{
	mbuf_pool_destroy(pool);
	return 0;
}

static void assert_nothing_leaked(void)
{
	assert_int_equal(rte_mempool_avail_count(pool), N_MBUFS);
}

/* What the mbufs of one packet hold, to got. */
static uint32_t gather(const struct rte_mbuf *m)
{
	uint32_t at = 0, n = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next, n++) {
		memcpy(got + at, rte_pktmbuf_mtod(s, uint8_t *), s->data_len);
		at += s->data_len;
	}
	assert_int_equal(at, m->pkt_len);
	assert_int_equal(n, m->nb_segs);
	return at;
}

/* len bytes of sent in mbufs of random lengths. */
static struct rte_mbuf *scatter(uint32_t len, uint32_t first)
{
	struct rte_mbuf *m = NULL, *s;

	for (uint32_t at = 0, here; at < len || !m; at += here) {
		assert_true(mbufs_take(pool, &s, 1));
		here = m ? dice_in(0, 700) : first;
		here = here < len - at ? here : len - at;
		memcpy(rte_pktmbuf_append(s, (uint16_t)here), sent + at, here);
		if (m)
			assert_int_equal(rte_pktmbuf_chain(m, s), 0);
		else
			m = s;
	}
	return m;
}

static struct frame *frame_in(struct rte_mbuf *m, const struct mbufs_rx *how)
{
	burst.n_segs = 0;
	mbufs_to_frames(&burst, &m, 1, how);
	return &burst.frames[0];
}

static void frame_has_all_bytes_of_its_mbufs(void **state)
{
	const struct mbufs_rx how = {0};

	dice_fill(sent, sizeof(sent));
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t len = dice_in(0, 9018), at;
		struct rte_mbuf *m = scatter(len, dice_in(0, 700));
		struct frame *f = frame_in(m, &how);

		assert_int_equal(f->drop, FRAME_NO_DROP);
		assert_int_equal(f->len, len);
		assert_int_equal(f->head_len, len < FRAME_HEAD ? len : FRAME_HEAD);
		assert_memory_equal(f->head, sent, f->head_len);
		at = f->head_len;
		for (unsigned k = 0; k < f->n_segs; k++) {
			assert_memory_equal(f->segs[k].va, sent + at, f->segs[k].len);
			at += f->segs[k].len;
		}
		assert_int_equal(at, len);
		rte_pktmbuf_free(m);
	}
	assert_nothing_leaked();
}

static void mbufs_that_lie_are_dropped(void **state)
{
	const struct mbufs_rx how = {0};
	struct rte_mbuf *m = scatter(300, 200);

	m->pkt_len = 500;
	assert_int_equal(frame_in(m, &how)->drop, RX_TOO_LONG);
	rte_pktmbuf_free(m);
	assert_nothing_leaked();
}

static void verdict_of_the_device_counts(void **state)
{
	struct mbufs_rx how = {.sum_check = true};
	struct fields f;
	struct rte_mbuf *m;
	struct layout l;

	do {
		random_fields(&f, ORACLE_TCP);
	} while (f.v6);
	l = oracle_build(&f, ORACLE_PARTIAL, sent);
	m = scatter((uint32_t)l.len, 700);
	assert_int_equal(frame_in(m, &how)->drop, RX_BAD_CSUM);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(frame_in(m, &how)->drop, FRAME_NO_DROP);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
	assert_int_equal(frame_in(m, &how)->drop, RX_BAD_CSUM);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
	assert_int_equal(frame_in(m, &how)->drop, RX_BAD_CSUM);
	m->ol_flags = 0;
	how.len_max = (uint32_t)l.len;
	assert_int_equal(frame_in(m, &how)->drop, RX_BAD_CSUM);
	how.len_max--;
	assert_int_equal(frame_in(m, &how)->drop, RX_TOO_LONG);
	rte_pktmbuf_free(m);
	assert_nothing_leaked();
}

/* A frame of the burst: len bytes of sent, with what a header asks for. */
static struct frame *frame_out(uint32_t len, const struct vnet_hdr *hdr)
{
	struct seg piece = {sent, len};

	burst.n_segs = 0;
	assert_true(flat_frame(&burst, 0, hdr, OFFLOAD_CSUM | OFFLOAD_TSO, &piece, 1));
	assert_int_equal(burst.frames[0].drop, FRAME_NO_DROP);
	return &burst.frames[0];
}

static const struct delivery as_is = {.off = 12, .as_is = true};

static void frames_are_padded_and_go_in_several_mbufs(void **state)
{
	const struct mbufs_tx how = {.pool = pool, .multi_seg = true};

	dice_fill(sent, sizeof(sent));
	for (uint32_t len = FRAME_MIN; len < 9018; len += 1 + len / 100) {
		struct mbufs_out o;
		struct rte_mbuf *m;
		uint32_t n;

		mbufs_begin(&o, &how, frame_out(len, NULL), &as_is);
		assert_int_equal(mbufs_n(&o), 1);
		m = mbufs_next(&o, NULL);
		assert_non_null(m);
		n = gather(m);
		assert_int_equal(n, len < 60 ? 60 : len);
		assert_memory_equal(got, sent, len);
		for (uint32_t k = len; k < n; k++)
			assert_int_equal(got[k], 0);
		rte_pktmbuf_free(m);
	}
	assert_nothing_leaked();
}

static void no_room_leaves_nothing_behind(void **state)
{
	struct mbufs_tx how = {.pool = pool};
	struct rte_mbuf *all[N_MBUFS];
	struct mbufs_out o;

	mbufs_begin(&o, &how, frame_out(5000, NULL), &as_is);
	assert_null(mbufs_next(&o, NULL)); /* this device takes one mbuf a packet */
	assert_nothing_leaked();
	how.multi_seg = true;
	assert_true(mbufs_take(pool, all, N_MBUFS - 2));
	mbufs_begin(&o, &how, frame_out(5000, NULL), &as_is);
	assert_null(mbufs_next(&o, NULL));
	assert_int_equal(rte_mempool_avail_count(pool), 2);
	rte_pktmbuf_free_bulk(all, N_MBUFS - 2);
	assert_nothing_leaked();
}

/* A TCP packet with this payload to sent, and the header of a guest that leaves all to others. */
static struct layout tcp(struct fields *f, const uint8_t *payload, uint32_t n, struct vnet_hdr *hdr)
{
	struct layout l;

	random_fields(f, ORACLE_TCP);
	f->n_between = f->n_extensions = 0;
	memcpy(f->last_dst, f->dst, 16);
	f->n_tags = 0;
	f->frag = 0;
	f->payload = payload;
	f->n_payload = n;
	l = oracle_build(f, ORACLE_PARTIAL, sent);
	*hdr = (struct vnet_hdr){
		.flags = VNET_HDR_NEEDS_CSUM,
		.gso_type = f->v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)l.payload,
		.gso_size = 500,
		.csum_start = (uint16_t)l.l4,
		.csum_offset = 16,
	};
	return l;
}

static void segments_of_software_are_those_of_the_oracle(void **state)
{
	const struct mbufs_tx how = {.pool = pool, .multi_seg = true};
	static uint8_t payload[5000], want[BYTES];

	dice_fill(payload, sizeof(payload));
	for (unsigned i = 0; i < 500; i++) {
		struct fields f, part;
		struct vnet_hdr hdr;
		struct layout l = tcp(&f, payload, dice_in(501, sizeof(payload)), &hdr);
		struct mbufs_out o;
		unsigned n;

		mbufs_begin(&o, &how, frame_out((uint32_t)l.len, &hdr), &as_is);
		n = oracle_segment(&f, 500, 0, &part);
		assert_int_equal(mbufs_n(&o), n);
		for (unsigned k = 0; k < n; k++) {
			struct rte_mbuf *m = mbufs_next(&o, NULL);

			oracle_segment(&f, 500, k, &part);
			l = oracle_build(&part, ORACLE_FULL, want);
			if (l.len < 60)
				memset(want + l.len, 0, 60 - l.len);
			assert_int_equal(gather(m), l.len < 60 ? 60 : l.len);
			assert_memory_equal(got, want, m->pkt_len);
			assert_int_equal(m->ol_flags, 0);
			rte_pktmbuf_free(m);
		}
	}
	assert_nothing_leaked();
}

static void device_is_told_what_is_left_to_it(void **state)
{
	const struct mbufs_tx how = {
		.pool = pool, .offloads = OFFLOAD_CSUM | OFFLOAD_TSO, .multi_seg = true};
	const uint64_t tso = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	static uint8_t payload[5000];

	for (unsigned i = 0; i < 200; i++) {
		struct fields f;
		struct vnet_hdr hdr;
		struct layout l = tcp(&f, payload, 4000, &hdr);
		struct delivery tagged = {.off = 12, .tagged = true, .tci = 5};
		bool tag = dice_once_in(2);
		struct mbufs_out o;
		struct rte_mbuf *m;

		mbufs_begin(&o, &how, frame_out((uint32_t)l.len, &hdr), tag ? &tagged : &as_is);
		assert_int_equal(mbufs_n(&o), 1);
		m = mbufs_next(&o, NULL);
		assert_int_equal(gather(m), l.len + (tag ? 4 : 0));
		assert_int_equal(m->l2_len, l.l3 + (tag ? 4 : 0));
		assert_int_equal(m->l3_len, l.l4 - l.l3);
		assert_int_equal(m->l4_len, l.payload - l.l4);
		assert_int_equal(m->tso_segsz, 500);
		assert_int_equal(m->ol_flags,
				 f.v6 ? tso | RTE_MBUF_F_TX_IPV6
				      : tso | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
		rte_pktmbuf_free(m);
	}
	assert_nothing_leaked();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_has_all_bytes_of_its_mbufs),
		cmocka_unit_test(mbufs_that_lie_are_dropped),
		cmocka_unit_test(verdict_of_the_device_counts),
		cmocka_unit_test(frames_are_padded_and_go_in_several_mbufs),
		cmocka_unit_test(no_room_leaves_nothing_behind),
		cmocka_unit_test(segments_of_software_are_those_of_the_oracle),
		cmocka_unit_test(device_is_told_what_is_left_to_it),
	};

	dice_seed();
	return cmocka_run_group_tests(tests, pool_setup, pool_teardown);
}
