/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol's step function: the table of all messages, and what is checked of each before
 * its handler is called. See vhost-user/vu_proto.h and vhost-user/vu_step.h.
 */
#include "vhost-user/vu_proto.h"

#include <stdio.h>
#include <string.h>

#include "vhost-user/vu_step.h"

/* Payload sizes of rows; SIZE_TABLE: checked by the handler. */
#define SIZE_U64   8
#define SIZE_STATE 8
#define SIZE_ADDR  40
#define SIZE_REG   40
#define SIZE_TABLE UINT32_MAX

static const struct row {
	const char *name;
	void (*handle)(struct vu_step *s);
	uint32_t size; /* of the payload, bytes */
	uint8_t fds_min, fds_max;
} rows[] = {
	[VU_GET_FEATURES] = {"GET_FEATURES", vu_on_get_features, 0, 0, 0},
	[VU_SET_FEATURES] = {"SET_FEATURES", vu_on_set_features, SIZE_U64, 0, 0},
	[VU_SET_OWNER] = {"SET_OWNER", vu_on_set_owner, 0, 0, 0},
	[VU_RESET_OWNER] = {"RESET_OWNER", vu_on_reset_owner, 0, 0, 0},
	[VU_SET_MEM_TABLE] = {"SET_MEM_TABLE", vu_on_set_mem_table, SIZE_TABLE, 0, VU_MSG_FDS},
	[VU_SET_VRING_NUM] = {"SET_VRING_NUM", vu_on_set_vring_num, SIZE_STATE, 0, 0},
	[VU_SET_VRING_ADDR] = {"SET_VRING_ADDR", vu_on_set_vring_addr, SIZE_ADDR, 0, 0},
	[VU_SET_VRING_BASE] = {"SET_VRING_BASE", vu_on_set_vring_base, SIZE_STATE, 0, 0},
	[VU_GET_VRING_BASE] = {"GET_VRING_BASE", vu_on_get_vring_base, SIZE_STATE, 0, 0},
	[VU_SET_VRING_KICK] = {"SET_VRING_KICK", vu_on_set_vring_kick, SIZE_U64, 0, 1},
	[VU_SET_VRING_CALL] = {"SET_VRING_CALL", vu_on_set_vring_call, SIZE_U64, 0, 1},
	[VU_SET_VRING_ERR] = {"SET_VRING_ERR", vu_on_set_vring_err, SIZE_U64, 0, 1},
	[VU_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", vu_on_get_protocol_features, 0, 0, 0},
	[VU_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", vu_on_set_protocol_features, SIZE_U64,
				      0, 0},
	[VU_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", vu_on_get_queue_num, 0, 0, 0},
	[VU_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", vu_on_set_vring_enable, SIZE_STATE, 0, 0},
	[VU_NET_SET_MTU] = {"NET_SET_MTU", vu_on_net_set_mtu, SIZE_U64, 0, 0},
	[VU_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", vu_on_get_max_mem_slots, 0, 0, 0},
	[VU_ADD_MEM_REG] = {"ADD_MEM_REG", vu_on_add_mem_reg, SIZE_REG, 1, 1},
	/* The specification lets old front ends send a descriptor with it, which means nothing. */
	[VU_REM_MEM_REG] = {"REM_MEM_REG", vu_on_rem_mem_reg, SIZE_REG, 0, 1},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Requests of the specification that we do not carry out, and whether the front end waits for an
 * answer of their own kind. */
static const struct {
	uint32_t request;
	const char *name;
	bool has_answer;
} others[] = {
	{6, "SET_LOG_BASE", true},	   {7, "SET_LOG_FD", false},
	{19, "SEND_RARP", false},	   {21, "SET_BACKEND_REQ_FD", false},
	{22, "IOTLB_MSG", true},	   {23, "SET_VRING_ENDIAN", false},
	{24, "GET_CONFIG", true},	   {25, "SET_CONFIG", false},
	{26, "CREATE_CRYPTO_SESSION", true}, {27, "CLOSE_CRYPTO_SESSION", false},
	{28, "POSTCOPY_ADVISE", true},	   {29, "POSTCOPY_LISTEN", false},
	{30, "POSTCOPY_END", true},	   {31, "GET_INFLIGHT_FD", true},
	{32, "SET_INFLIGHT_FD", false},	   {33, "GPU_SET_SOCKET", false},
	{34, "RESET_DEVICE", false},	   {35, "VRING_KICK", false},
	{39, "SET_STATUS", false},	   {40, "GET_STATUS", true},
};

static const struct row *row_of(uint32_t request)
{
	return request < N_ROWS && rows[request].handle ? &rows[request] : NULL;
}

const char *vu_request_name(uint32_t request)
{
	const struct row *row = row_of(request);

	for (size_t i = 0; !row && i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].request == request)
			return others[i].name;
	return row ? row->name : NULL;
}

void vu_dev_init(struct vu_dev *dev, uint64_t features_offered, unsigned n_pairs, uint32_t mtu_max)
{
	memset(dev, 0, sizeof(*dev));
	dev->features_offered = features_offered;
	dev->n_rings = n_pairs * 2;
	dev->mtu_max = mtu_max;
}

void vu_dev_reset(struct vu_dev *dev)
{
	vu_dev_init(dev, dev->features_offered, dev->n_rings / 2, dev->mtu_max);
}

enum vu_verdict vu_header_check(const struct vu_msg *msg, char *text, unsigned text_size)
{
	const struct row *row = row_of(msg->request);
	const char *name = vu_request_name(msg->request);

	if ((msg->flags & VU_VERSION_MASK) != VU_VERSION || msg->flags & VU_REPLY) {
		snprintf(text, text_size, "%s: flags 0x%x are not those of a request of version 1",
			 name ? name : "message", msg->flags);
		return VU_VIOLATION;
	}
	if (msg->size > VU_PAYLOAD_MAX) {
		snprintf(text, text_size, "%s: %u bytes of payload; %d are the most there can be",
			 name ? name : "message", msg->size, VU_PAYLOAD_MAX);
		return VU_VIOLATION;
	}
	if (row && row->size != SIZE_TABLE && row->size != msg->size) {
		snprintf(text, text_size, "%s: %u bytes of payload instead of %u", row->name, msg->size,
			 row->size);
		return VU_VIOLATION;
	}
	return VU_OK;
}

/* A request that we do not know or do not offer. */
static void on_other(struct vu_step *s)
{
	const char *name = vu_request_name(s->msg->request);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].request == s->msg->request && others[i].has_answer) {
			/* Silence would leave the front end waiting for ever. */
			vu_violate(s, "needs a feature that was not offered");
			return;
		}
	if (name)
		vu_refuse(s, "needs a feature that was not offered");
	else
		vu_refuse(s, "request %u is unknown", s->msg->request);
}

/* A refusal is told to a front end that asked for acknowledgement. One that did not would go on as
 * if it had been obeyed: that cannot be let happen, except for requests that mean nothing here. */
static void refusal_finish(struct vu_step *s, bool known)
{
	struct vu_dev *dev = s->dev;
	uint64_t bit = 1ull << (s->msg->request % 64);
	bool ack = s->msg->flags & VU_NEED_REPLY &&
		   dev->proto_features & VU_BIT(VU_PROTO_REPLY_ACK);

	if (!ack && known) {
		s->out->verdict = VU_VIOLATION;
		return;
	}
	if (ack)
		vu_reply_u64(s, 1);
	if (!(dev->refused_logged & bit))
		vu_act(s, VU_ACT_LOG, 0, -1, 0);
	dev->refused_logged |= bit;
}

void vu_step(struct vu_dev *dev, const struct vu_msg *msg, const struct vu_fd_fact *fds,
	     unsigned n_fds, struct vu_result *out)
{
	const struct row *row = row_of(msg->request);
	struct vu_step s = {.dev = dev, .msg = msg, .fds = fds, .n_fds = n_fds, .out = out};

	out->verdict = VU_OK;
	out->text[0] = '\0';
	out->n_actions = 0;
	out->has_reply = false;
	if (vu_header_check(msg, out->text, sizeof(out->text)) != VU_OK) {
		out->verdict = VU_VIOLATION;
		return;
	}
	if (row && (n_fds < row->fds_min || n_fds > row->fds_max)) {
		vu_violate(&s, "came with %u descriptors instead of %u to %u", n_fds, row->fds_min,
			row->fds_max);
		return;
	}
	if (row)
		row->handle(&s);
	else
		on_other(&s);
	if (out->verdict == VU_REFUSED)
		refusal_finish(&s, row != NULL);
	else if (out->verdict == VU_OK && !out->has_reply && msg->flags & VU_NEED_REPLY &&
		 dev->proto_features & VU_BIT(VU_PROTO_REPLY_ACK))
		vu_reply_u64(&s, 0);
}
