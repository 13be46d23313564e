/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_step.h"

#include <stdarg.h>
#include <stdio.h>

void vu_act(struct vu_step *s, enum vu_action_type type, unsigned ring, int fd, unsigned slot)
{
	struct vu_action *a = &s->out->actions[s->out->n_actions++];

	a->type = type;
	a->ring = (uint8_t)ring;
	a->fd = (int8_t)fd;
	a->slot = (uint8_t)slot;
}

void vu_verdict_set(struct vu_step *s, enum vu_verdict v, const char *fmt, ...)
{
	char text[sizeof(s->out->text) - 32];
	const char *name = vu_request_name(s->msg->request);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->out->verdict = v;
	s->out->n_actions = 0;
	s->out->has_reply = false;
	snprintf(s->out->text, sizeof(s->out->text), "%s: %s", name ? name : "message", text);
}

void vu_reply_u64(struct vu_step *s, uint64_t value)
{
	struct vu_msg *r = &s->out->reply;

	r->request = s->msg->request;
	r->flags = VU_VERSION | VU_REPLY;
	r->size = sizeof(r->u.u64);
	r->u.u64 = value;
	s->out->has_reply = true;
}
