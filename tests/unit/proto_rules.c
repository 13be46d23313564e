/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/proto_rules.h"

#include <stddef.h>
#include <string.h>

/* One step, looked at from all sides. */
struct look {
	const struct vu_dev *before, *after;
	const struct vu_msg *msg;
	const struct vu_fd_fact *facts;
	unsigned n_fds;
	const struct vu_result *res;
};

#define RULE(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return #cond;                                                              \
	} while (0)

#define RULES(call)                                                                                \
	do {                                                                                       \
		const char *b_ = (call);                                                           \
                                                                                                   \
		if (b_)                                                                            \
			return b_;                                                                 \
	} while (0)

static bool is_get(uint32_t request)
{
	return request == VU_GET_FEATURES || request == VU_GET_PROTOCOL_FEATURES ||
	       request == VU_GET_QUEUE_NUM || request == VU_GET_VRING_BASE ||
	       request == VU_GET_MAX_MEM_SLOTS;
}

static bool is_served(uint32_t request)
{
	return request && request <= VU_REM_MEM_REG && request != 6 && request != 7 &&
	       request != 19 && !(request > 20 && request < 36);
}

static const char *reply_rules(const struct look *k)
{
	const struct vu_result *res = k->res;
	bool ack = k->msg->flags & VU_NEED_REPLY &&
		   k->after->proto_features & VU_BIT(VU_PROTO_REPLY_ACK);

	if (res->verdict == VU_VIOLATION)
		RULE(!res->has_reply);
	else if (res->verdict == VU_OK && is_get(k->msg->request))
		RULE(res->has_reply);
	else
		RULE(res->has_reply == ack);
	/* Without an answer a refused front end would go on as if it had been obeyed. */
	if (res->verdict == VU_REFUSED && is_served(k->msg->request))
		RULE(ack);
	if (!res->has_reply)
		return NULL;
	RULE(res->reply.request == k->msg->request);
	RULE(res->reply.flags == (VU_VERSION | VU_REPLY));
	RULE(res->reply.size == 8);
	if (!is_get(k->msg->request))
		RULE(!res->reply.u.u64 == (res->verdict == VU_OK));
	return NULL;
}

static const char *action_rules(const struct look *k, const struct vu_action *a)
{
	RULE(a->fd < (int)k->n_fds && a->fd >= -1);
	RULE(a->ring < k->after->n_rings);
	RULE(a->slot < VU_MEM_SLOTS);
	if (a->type == VU_ACT_MEM_ADD) {
		RULE(a->slot < k->after->n_regions);
		RULE(a->fd >= 0 && k->facts[a->fd].kind == VU_FD_FILE);
		RULE(k->after->regions[a->slot].mmap_offset + k->after->regions[a->slot].size <=
		     k->facts[a->fd].size);
	} else if (a->fd >= 0) {
		RULE(k->facts[a->fd].kind == VU_FD_EVENT);
	}
	if (a->type == VU_ACT_RING_START)
		RULE(vu_ring_runs(k->after, a->ring));
	return NULL;
}

static const char *memory_rules(const struct vu_dev *d)
{
	RULE(d->n_regions <= VU_MEM_SLOTS);
	for (unsigned i = 0; i < d->n_regions; i++) {
		const struct vu_mem_region *a = &d->regions[i];

		RULE(a->size && a->gpa + a->size > a->gpa && a->uva + a->size > a->uva);
		RULE(a->mmap_offset + a->size >= a->size);
		for (unsigned k = 0; k < i; k++) {
			const struct vu_mem_region *b = &d->regions[k];

			RULE(a->gpa >= b->gpa + b->size || b->gpa >= a->gpa + a->size);
			RULE(a->uva >= b->uva + b->size || b->uva >= a->uva + a->size);
		}
	}
	return NULL;
}

static const char *ring_rules(const struct vu_dev *d)
{
	static const struct vu_ring_state none;

	RULE(!(d->features & ~d->features_offered));
	for (unsigned i = 0; i < VU_QUEUES_MAX; i++) {
		const struct vu_ring_state *r = &d->rings[i];

		RULE(!(r->num & (r->num - 1)) && r->num <= VU_RING_MAX);
		if (r->phase == VU_RING_STARTED)
			RULE(r->num && r->has_addr && d->phase == VU_NEGOTIATED);
		if (i >= d->n_rings)
			RULE(!memcmp(r, &none, sizeof(none)));
	}
	return NULL;
}

static bool acted(const struct vu_result *res, enum vu_action_type type)
{
	for (unsigned i = 0; i < res->n_actions; i++)
		if (res->actions[i].type == type)
			return true;
	return false;
}

/* Whoever was refused or violated the protocol has changed nothing. */
static const char *refusal_rules(const struct look *k)
{
	static _Thread_local struct vu_dev dev;
	const struct vu_result *res = k->res;

	RULE(res->text[0] && strnlen(res->text, sizeof(res->text)) < sizeof(res->text));
	RULE(res->n_actions ==
	     (res->verdict == VU_REFUSED && k->after->refused_logged != k->before->refused_logged));
	dev = *k->after;
	dev.refused_logged = k->before->refused_logged;
	RULE(!memcmp(&dev, k->before, sizeof(dev)));
	return NULL;
}

static const char *rules(const struct look *k)
{
	const struct vu_result *res = k->res;

	RULE(res->n_actions <= VU_ACTIONS_MAX);
	for (unsigned i = 0; i < res->n_actions; i++)
		RULES(action_rules(k, &res->actions[i]));
	RULES(reply_rules(k));
	if (res->verdict != VU_OK)
		return refusal_rules(k);
	if (acted(res, VU_ACT_MEM_CLEAR) || acted(res, VU_ACT_MEM_ADD) ||
	    acted(res, VU_ACT_MEM_DEL))
		RULE(res->actions[res->n_actions - 1].type == VU_ACT_RINGS_RESOLVE);
	if (k->msg->request == VU_SET_MEM_TABLE)
		RULE(k->after->n_regions == k->n_fds);
	if (memcmp(k->after->regions, k->before->regions, sizeof(k->after->regions)))
		RULES(memory_rules(k->after));
	return ring_rules(k->after);
}

const char *proto_rules_step(struct vu_dev *dev, const struct vu_msg *m,
			     const struct vu_fd_fact *facts, unsigned n_fds, struct vu_result *res)
{
	static _Thread_local struct vu_dev before;
	const struct look k = {&before, dev, m, facts, n_fds, res};

	memcpy(&before, dev, sizeof(before));
	vu_step(dev, m, facts, n_fds, res);
	return rules(&k);
}
