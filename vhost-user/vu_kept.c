/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-user/vu_kept.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "vhost-user/vu_offer.h"

static struct keep_key key(const struct port *p, enum keep_kind kind, unsigned index)
{
	return (struct keep_key){(uint16_t)kind, p->id, (uint16_t)index};
}

/* The process may be killed between any two stores: the compiler must not swap them with this one. */
static void stage_set(struct port *p, enum vu_stage stage)
{
	p->unsettled = stage != VU_SETTLED;
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uint8_t *)&vu_kept_of(p)->stage = (uint8_t)stage;
	atomic_signal_fence(memory_order_seq_cst);
}

void vu_kept_busy(struct port *p)
{
	stage_set(p, VU_BUSY);
}

void vu_kept_settle(struct port *p)
{
	if (!vu_kept_of(p)->lacking)
		stage_set(p, VU_SETTLED);
}

void vu_kept_fd(struct port *p, enum keep_kind kind, unsigned index, int fd)
{
	if (fd < 0) {
		keep_drop(p->sw, key(p, kind, index));
		return;
	}
	if (keep_put(p->sw, key(p, kind, index), fd) == 0)
		return;
	vu_kept_of(p)->lacking = true;
	vu_kept_busy(p);
}

/* The lowest that no region before slot has. */
static unsigned region_key_free(const struct vu_kept *k, unsigned slot)
{
	uint64_t taken = 0;

	_Static_assert(VU_MEM_SLOTS <= 64, "a bit each");
	for (unsigned i = 0; i < slot; i++)
		taken |= 1ull << (k->region_key[i] % 64);
	return (unsigned)__builtin_ctzll(~taken);
}

void vu_kept_region_add(struct port *p, unsigned slot, int fd)
{
	struct vu_kept *k = vu_kept_of(p);

	k->region_key[slot] = (uint8_t)region_key_free(k, slot);
	vu_kept_fd(p, KEEP_REGION, k->region_key[slot], fd);
}

void vu_kept_region_del(struct port *p, unsigned slot)
{
	struct vu_kept *k = vu_kept_of(p);

	vu_kept_fd(p, KEEP_REGION, k->region_key[slot], -1);
	memmove(&k->region_key[slot], &k->region_key[slot + 1], VU_MEM_SLOTS - slot - 1);
}

void vu_kept_regions_clear(struct port *p)
{
	keep_drop_slot(p->sw, p->id, KEEP_BIT(KEEP_REGION));
}

void vu_kept_forget(struct port *p)
{
	struct vu_kept *k = vu_kept_of(p);

	keep_drop_slot(p->sw, p->id, KEEP_OF_CONNECTION);
	vu_dev_reset(&k->dev);
	memset(k->region_key, 0, sizeof(k->region_key));
	k->errored[0] = '\0';
	k->mtu_agreed = 0;
	k->lacking = false;
	vu_kept_settle(p);
}

int vu_kept_take(struct port *p, enum keep_kind kind, unsigned index)
{
	return keep_take(p->sw, key(p, kind, index));
}

/* ---- what a successor believes ---- */

/* Any other byte in a bool may be both to the compiler. */
static bool is_bool(const bool *b)
{
	return *(const volatile uint8_t *)b <= 1;
}

static bool ring_holds(const struct vu_ring_state *r)
{
	if (r->phase != VU_RING_STOPPED && r->phase != VU_RING_STARTED)
		return false;
	if (!is_bool(&r->enabled) || !is_bool(&r->has_addr))
		return false;
	if (r->num & (r->num - 1) || r->num > VU_RING_MAX)
		return false;
	return r->phase == VU_RING_STOPPED || (r->num && r->has_addr);
}

static bool region_holds(const struct vu_mem_region *r)
{
	return r->size && r->gpa + r->size > r->gpa && r->uva + r->size > r->uva &&
	       r->mmap_offset + r->size > r->mmap_offset;
}

static int damaged(const char *what, struct err *err)
{
	return err_set(err, -EPROTO, "what was kept of its front end is damaged: %s", what);
}

static int offered(const struct vu_dev *dev, uint64_t offer, struct err *err)
{
	uint64_t missing = dev->features & ~offer, proto = dev->proto_features & ~vu_offer_protocol();
	unsigned bit = missing ? (unsigned)__builtin_ctzll(missing) : 0;

	if (missing)
		return err_set(err, -EPROTO, "this build does not offer feature %s (bit %u), which its guest uses",
			       virtio_feature_name(bit) ?: "unknown", bit);
	if (proto)
		return err_set(err, -EPROTO,
			       "this build does not offer protocol feature bit %u, which its front end uses",
			       (unsigned)__builtin_ctzll(proto));
	return 0;
}

int vu_kept_fits(const struct vu_kept *k, struct err *err)
{
	if (k->dev.n_rings > VU_QUEUES_MAX)
		return err_set(err, -EPROTO, "its front end was offered %u rings; this build has %u at most",
			       k->dev.n_rings, VU_QUEUES_MAX);
	return offered(&k->dev, vu_offer(k->dev.n_rings / 2), err);
}

int vu_kept_check(const struct vu_kept *k, uint64_t offer, unsigned n_rings, struct err *err)
{
	const struct vu_dev *dev = &k->dev;
	uint64_t keys = 0;

	if (k->stage != VU_SETTLED)
		return err_set(err, -EPROTO, "its front end was in the middle of a message");
	if (offered(dev, offer, err) < 0)
		return -EPROTO;
	if (dev->n_rings != n_rings)
		return err_set(err, -EPROTO, "its front end was offered %u rings, not %u", dev->n_rings,
			       n_rings);
	if (dev->phase > VU_NEGOTIATED || !memchr(k->errored, '\0', sizeof(k->errored)))
		return damaged("its phase", err);
	if (dev->n_regions > VU_MEM_SLOTS)
		return damaged("its memory table", err);
	for (unsigned i = 0; i < dev->n_regions; i++) {
		uint64_t bit = 1ull << (k->region_key[i] % 64);

		if (!region_holds(&dev->regions[i]) || k->region_key[i] >= VU_MEM_SLOTS || keys & bit)
			return damaged("its memory table", err);
		keys |= bit;
	}
	for (unsigned i = 0; i < n_rings; i++)
		if (!ring_holds(&dev->rings[i]))
			return damaged("its rings", err);
	return 0;
}
