/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One step of the protocol, as the handlers of its messages see it: vhost-user/vu_proto.c calls one of them a
 * message, and they are in vu_step_device.c, vu_step_mem.c and vu_step_ring.c.
 *
 * How      A handler changes s->dev and asks for actions, or it refuses and has then changed nothing.
 * Threads  pure; any thread, one a device.
 * Trust    Handlers see a message whose size and descriptor count fit its row of vu_proto.c's table. All else is
 *          theirs to check.
 */
#ifndef VHOST_USER_VU_STEP_H
#define VHOST_USER_VU_STEP_H

#include "vhost-user/vu_proto.h"

struct vu_step {
	struct vu_dev *dev;
	const struct vu_msg *msg;
	const struct vu_fd_fact *fds; /* of the descriptors that came with it: n_fds */
	unsigned n_fds;
	struct vu_result *out;
};

/* Appends an action; see enum vu_action_type for which of ring, fd (-1: none) and slot it looks at. */
void vu_act(struct vu_step *s, enum vu_action_type type, unsigned ring, int fd, unsigned slot);

/* Answers with a number: for a request that asks for one, or as the acknowledgement (0: done, 1: refused). */
void vu_reply_u64(struct vu_step *s, uint64_t value);

/* Ends the step without actions or reply. The text says what is wrong; the request's name is put before it. */
void vu_verdict_set(struct vu_step *s, enum vu_verdict v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define vu_refuse(s, ...)  vu_verdict_set(s, VU_REFUSED, __VA_ARGS__)
#define vu_violate(s, ...) vu_verdict_set(s, VU_VIOLATION, __VA_ARGS__)

/* The device as a whole. */
void vu_on_get_features(struct vu_step *s);
void vu_on_set_features(struct vu_step *s);
void vu_on_set_owner(struct vu_step *s);
void vu_on_reset_owner(struct vu_step *s);
void vu_on_get_protocol_features(struct vu_step *s);
void vu_on_set_protocol_features(struct vu_step *s);
void vu_on_get_queue_num(struct vu_step *s);
void vu_on_net_set_mtu(struct vu_step *s);

/* The guest's memory. */
void vu_on_get_max_mem_slots(struct vu_step *s);
void vu_on_set_mem_table(struct vu_step *s);
void vu_on_add_mem_reg(struct vu_step *s);
void vu_on_rem_mem_reg(struct vu_step *s);

/* One ring. */
void vu_on_set_vring_num(struct vu_step *s);
void vu_on_set_vring_addr(struct vu_step *s);
void vu_on_set_vring_base(struct vu_step *s);
void vu_on_get_vring_base(struct vu_step *s);
void vu_on_set_vring_kick(struct vu_step *s);
void vu_on_set_vring_call(struct vu_step *s);
void vu_on_set_vring_err(struct vu_step *s);
void vu_on_set_vring_enable(struct vu_step *s);

#endif
