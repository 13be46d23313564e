/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about the guest's memory: tables of regions, and regions one by one. See vhost-user/vu_step.h.
 *
 * Trust    A region is taken when it lies within its file and overlaps no other, by guest address or by the
 *          front end's: an address so means one place or none.
 */
#include "vhost-user/vu_step.h"

#include <string.h>

void vu_on_get_max_mem_slots(struct vu_step *s)
{
	vu_reply_u64(s, VU_MEM_SLOTS);
}

static bool ranges_overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* True when region r is sane by itself, fits its file and overlaps none of the n before it. */
static bool region_check(struct vu_step *s, const struct vu_mem_region *r, const struct vu_fd_fact *fd,
			 const struct vu_mem_region *others, unsigned n)
{
	unsigned long long gpa = r->gpa;

	if (!r->size || r->gpa + r->size < r->gpa || r->uva + r->size < r->uva ||
	    r->mmap_offset + r->size < r->mmap_offset) {
		vu_refuse(s, "the region at guest address 0x%llx is empty or wraps around", gpa);
		return false;
	}
	if (fd->kind != VU_FD_FILE) {
		vu_refuse(s, "the region at guest address 0x%llx is in no memfd, nor in a writable file in "
			  "tmpfs or hugetlbfs", gpa);
		return false;
	}
	if (r->mmap_offset + r->size > fd->size) {
		vu_refuse(s, "the region at guest address 0x%llx ends at byte %llu of a file of %llu", gpa,
		       (unsigned long long)(r->mmap_offset + r->size), (unsigned long long)fd->size);
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (ranges_overlap(r->gpa, others[i].gpa, r->size, others[i].size) ||
		    ranges_overlap(r->uva, others[i].uva, r->size, others[i].size)) {
			vu_refuse(s, "the regions at guest addresses 0x%llx and 0x%llx overlap", gpa,
			       (unsigned long long)others[i].gpa);
			return false;
		}
	return true;
}

void vu_on_set_mem_table(struct vu_step *s)
{
	const struct vu_msg *m = s->msg;
	uint32_t n = m->size < 8 ? 0 : m->u.mem.n_regions;

	if (n < 1 || n > VU_MSG_FDS || m->size != 8 + n * sizeof(m->u.mem.regions[0])) {
		vu_violate(s, "%u regions in a message of %u bytes", n, m->size);
		return;
	}
	if (s->n_fds != n) {
		vu_violate(s, "%u regions came with %u descriptors", n, s->n_fds);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (!region_check(s, &m->u.mem.regions[i], &s->fds[i], m->u.mem.regions, i))
			return;
	vu_act(s, VU_ACT_MEM_CLEAR, 0, -1, 0);
	for (unsigned i = 0; i < n; i++) {
		s->dev->regions[i] = m->u.mem.regions[i];
		vu_act(s, VU_ACT_MEM_ADD, 0, (int)i, i);
	}
	s->dev->n_regions = n;
	vu_act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
}

static bool slots_negotiated(struct vu_step *s)
{
	if (s->dev->proto_features & VU_BIT(VU_PROTO_CONFIGURE_MEM_SLOTS))
		return true;
	vu_refuse(s, "CONFIGURE_MEM_SLOTS was not negotiated");
	return false;
}

void vu_on_add_mem_reg(struct vu_step *s)
{
	const struct vu_mem_region *r = &s->msg->u.mem_reg.region;
	struct vu_dev *dev = s->dev;

	if (!slots_negotiated(s))
		return;
	if (dev->n_regions == VU_MEM_SLOTS) {
		vu_refuse(s, "all %d memory slots are in use", VU_MEM_SLOTS);
		return;
	}
	if (!region_check(s, r, &s->fds[0], dev->regions, dev->n_regions))
		return;
	dev->regions[dev->n_regions] = *r;
	vu_act(s, VU_ACT_MEM_ADD, 0, 0, dev->n_regions);
	dev->n_regions++;
	vu_act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
}

void vu_on_rem_mem_reg(struct vu_step *s)
{
	const struct vu_mem_region *r = &s->msg->u.mem_reg.region;
	struct vu_dev *dev = s->dev;

	if (!slots_negotiated(s))
		return;
	for (unsigned i = 0; i < dev->n_regions; i++) {
		const struct vu_mem_region *have = &dev->regions[i];

		if (have->gpa != r->gpa || have->uva != r->uva || have->size != r->size)
			continue;
		memmove(&dev->regions[i], &dev->regions[i + 1],
			(dev->n_regions - i - 1) * sizeof(dev->regions[0]));
		dev->n_regions--;
		vu_act(s, VU_ACT_MEM_DEL, 0, -1, i);
		vu_act(s, VU_ACT_RINGS_RESOLVE, 0, -1, 0);
		return;
	}
	vu_refuse(s, "no region at guest address 0x%llx with that size", (unsigned long long)r->gpa);
}
