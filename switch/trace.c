/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "switch/classify.h"
#include "switch/decided.h"
#include "switch/internal.h"
#include "switch/owners.h"
#include "switch/pages.h"
#include "switch/watched.h"

struct trace {
	struct forward fw;
	struct burst burst;
	struct switch_ *sw;
	trace_fn fn;
	void *arg;
};

static struct trace_entry entry_of(struct trace *t, const struct view_port *vp, const uint8_t *mac,
				   uint16_t vid)
{
	struct trace_entry out = {0};
	struct fdb_entry e;

	if (!fdb_find(vp->bridge->fdb, fdb_key(mac, vid), t->fw.now_s, &e))
		return out;
	out.found = true;
	out.is_static = e.is_static;
	out.age_s = e.age_s;
	out.port = e.port < SWITCH_PORTS_MAX ? t->sw->by_id[e.port] : NULL;
	return out;
}

void trace_tell(struct forward *fw, enum trace_kind kind, const struct view_port *vp, uint16_t vid,
		const struct view_port *other, const struct delivery *d, uint8_t reason)
{
	struct trace *t = fw->trace;
	const struct frame *f = &t->burst.frames[0];
	struct trace_step s = {.kind = kind,
			       .port = vp->port,
			       .to = other ? other->port : NULL,
			       .vid = vid,
			       .reason = reason,
			       .len = f->len};

	if (kind == TRACE_LEARN)
		s.src = entry_of(t, vp, f->head + 6, vid);
	if (kind == TRACE_KNOWN || kind == TRACE_STALE)
		s.dst = entry_of(t, vp, f->head, vid);
	if (d) {
		s.len = delivery_len(f, d);
		s.tagged = d->tagged ||
			   (d->as_is && f->head_len >= 16 && head_u16(f, 12) == VLAN_TPID);
		s.tci = d->tagged ? d->tci : s.tagged ? head_u16(f, 14) : 0;
	}
	t->fn(t->arg, &s);
}

uint16_t trace_looked_up(struct forward *fw, const struct view_port *in, uint16_t vid, uint16_t id)
{
	struct trace *t = fw->trace;

	/* It is sent to itself: what was entered by hand stays, all else would have been learned on `in`. */
	return entry_of(t, in, t->burst.frames[0].head, vid).is_static ? id : in->id;
}

uint8_t traced_learn(struct forward *fw, const struct view_port *in, uint64_t key)
{
	struct fdb_entry e;
	bool known = fdb_find(in->bridge->fdb, key, fw->now_s, &e) && (e.is_static || e.port == in->id);
	uint8_t drop = known ? FRAME_NO_DROP : learn_refused(fw->view, in, key);

	if (drop == FRAME_NO_DROP)
		trace_tell(fw, TRACE_LEARN, in, key >> 48 & 0xfff, NULL, NULL, 0);
	return drop;
}

static void frame_put(struct trace *t, const uint8_t *bytes, uint32_t len)
{
	struct frame *f = &t->burst.frames[0];

	t->burst.n = 1;
	f->len = f->wire_len = len;
	f->drop = FRAME_NO_DROP;
	f->head_len = len < FRAME_HEAD ? (uint8_t)len : FRAME_HEAD;
	memcpy(f->head, bytes, f->head_len);
	f->one = (struct seg){(uint8_t *)bytes + f->head_len, len - f->head_len};
	f->segs = &f->one;
	f->n_segs = len > FRAME_HEAD;
}

int trace_run(struct switch_ *sw, struct port *in, const uint8_t *frame, uint32_t len, trace_fn fn,
	      void *arg, struct err *err)
{
	const struct view *v = atomic_load(&sw->view);
	const size_t decided_size = DECIDED_SETS * sizeof(struct decided_set);
	struct trace *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);
	int rc = 0;

	if (t)
		memset(t, 0, sizeof(*t));
	/* Nothing that workers have decided before is known here. */
	if (t)
		t->fw.decided = pages_alloc(decided_size, false);
	if (!t || !t->fw.decided) {
		rc = err_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	t->sw = sw;
	t->fn = fn;
	t->arg = arg;
	t->fw.worker = port_scratch_block(sw);
	t->fw.now_s = switch_now_s(sw);
	t->fw.view = v;
	t->fw.burst = &t->burst;
	t->fw.trace = t;
	frame_put(t, frame, len);
	forward_burst_watched(&t->fw, v->by_id[in->id], 0);
	pages_free(t->fw.decided, decided_size);
out:
	free(t);
	return rc;
}
