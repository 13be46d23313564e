/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages for the vhost-user protocol step, as a front end sends them, one call each.
 *
 * How      What the step said of the last one is in talk_res.
 */
#ifndef TESTS_UNIT_PROTO_TALK_H
#define TESTS_UNIT_PROTO_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/proto_rules.h"

#define FEATURES                                                                                   \
	(VU_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VIRTIO_NET_F_MRG_RXBUF) |                             \
	 VU_BIT(VIRTIO_RING_F_EVENT_IDX) | VU_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                   \
	 VU_BIT(VIRTIO_NET_F_MTU) | VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define ACK	VU_BIT(VU_PROTO_REPLY_ACK)
#define SLOTS	VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS)
#define PROTO	(VU_BIT(VU_PROTO_MQ) | ACK | VU_BIT(VU_PROTO_NET_MTU) | SLOTS)
#define N_PAIRS 2
#define LAST	(2 * N_PAIRS - 1) /* ring */
#define MB	(1ull << 20)

extern struct vu_result talk_res;

/* A message in a heap block of exactly its size: the address sanitizer sees a read beyond msg->size. */
struct vu_msg *talk_message(uint32_t request, const void *payload, uint32_t size);

/* One step with n descriptors of one kind (files of 16 MB); the result is in talk_res. */
enum vu_verdict talk_step(struct vu_dev *dev, uint32_t request, const void *payload, uint32_t size,
			  unsigned n_fds, enum vu_fd_kind kind, uint32_t flags);

/* Without payload; with a number; about a ring; about a ring, with an eventfd. */
enum vu_verdict talk_plain(struct vu_dev *dev, uint32_t request);

enum vu_verdict talk_u64(struct vu_dev *dev, uint32_t request, uint64_t value);

enum vu_verdict talk_ring(struct vu_dev *dev, uint32_t request, uint32_t index, uint32_t num);

enum vu_verdict talk_event(struct vu_dev *dev, uint32_t request, uint64_t index);

/* Ring `index` at addresses within talk_table(…, 1)'s memory. */
enum vu_verdict talk_addr(struct vu_dev *dev, uint32_t index);

/* A memory table of n neighbours of 1 MB. */
enum vu_verdict talk_table(struct vu_dev *dev, uint32_t n);

/* ADD_MEM_REG with the file, or REM_MEM_REG without, to be acknowledged. */
enum vu_verdict talk_slot(struct vu_dev *dev, uint32_t request, struct vu_mem_region r);

/* All of FEATURES and these protocol features are acknowledged; then ring i is described and started. */
void talk_negotiate(struct vu_dev *dev, uint64_t proto);

void talk_start(struct vu_dev *dev, uint32_t i);

/* A device with N_PAIRS before its first message. */
struct vu_dev talk_device(void);

/* A negotiated device with memory whose first and last rings run. */
struct vu_dev talk_running(uint64_t proto);

#endif
