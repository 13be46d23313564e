/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/matrix_rings.h"

#include <assert.h>
#include <string.h>

#include "tests/unit/dice.h"

#define PIECES_MAX 24
#define TX	   1

const char *const matrix_layout_names[MATRIX_N_LAYOUTS] = {"one", "two", "indirect", "split",
							    "split in a table"};

struct piece {
	uint32_t at, len;
};

/* Cuts n bytes at random places, most of them before byte 200; a piece of no bytes now and then. */
static unsigned pieces_split(struct piece *p, uint32_t n)
{
	unsigned n_cuts = dice_in(1, PIECES_MAX - 1), k = 0;
	uint32_t at = 0;

	while (k < n_cuts && at < n) {
		uint32_t len = at < 200 ? dice_in(dice_once_in(50) ? 0 : 1, 40) : dice_in(1, n);

		if (at + len >= n)
			break;
		p[k++] = (struct piece){at, len};
		at += len;
	}
	p[k] = (struct piece){at, n - at};
	return k + 1;
}

static unsigned pieces_make(struct piece *p, const struct fe *fe, enum matrix_layout layout, uint32_t len)
{
	if (layout >= MATRIX_DESC_SPLIT)
		return pieces_split(p, fe->hdr_len + len);
	if (layout == MATRIX_DESC_ONE) {
		p[0] = (struct piece){0, fe->hdr_len + len};
		return 1;
	}
	p[0] = (struct piece){0, fe->hdr_len};
	p[1] = (struct piece){fe->hdr_len, len};
	return 2;
}

/* A free descriptor's number; the list of free ones is linked by `next`. */
static uint16_t desc_take(struct fe_ring *r)
{
	uint16_t i = r->free_head;

	r->free_head = r->desc[i].next;
	r->n_free--;
	return i;
}

static uint8_t *table_of(const struct fe *fe, uint8_t *buf)
{
	return buf + fe->stride - MATRIX_TABLE;
}

/* Writes a table of the pieces of buf behind it, and the descriptor that leads there. */
static void table_write(struct fe *fe, struct vring_desc *d, uint8_t *buf, const struct piece *p,
			unsigned n, uint16_t flag)
{
	struct vring_desc *t = (void *)table_of(fe, buf);

	assert(n * sizeof(*t) <= MATRIX_TABLE - 64);
	for (unsigned i = 0; i < n; i++) {
		t[i] = (struct vring_desc){fe_gpa(fe, buf + p[i].at), p[i].len, flag, 0};
		if (i + 1 < n) {
			t[i].flags |= VRING_DESC_NEXT;
			t[i].next = (uint16_t)(i + 1);
		}
	}
	d->addr = fe_gpa(fe, t);
	d->len = n * (uint32_t)sizeof(*t);
	d->flags = VRING_DESC_INDIRECT;
}

static void chain_write(struct fe *fe, struct fe_ring *r, uint16_t head, const uint8_t *buf,
			const struct piece *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc *d = &r->desc[head];

		d->addr = fe_gpa(fe, buf + p[i].at);
		d->len = p[i].len;
		d->flags = i + 1 < n ? VRING_DESC_NEXT : 0;
		if (i + 1 < n)
			d->next = head = desc_take(r);
	}
}

bool matrix_send(struct fe *fe, enum matrix_layout layout, const struct vnet_hdr *hdr,
		 const void *frame, uint32_t len)
{
	const bool table = layout == MATRIX_DESC_INDIRECT || layout == MATRIX_DESC_SPLIT_INDIRECT;
	struct fe_ring *r = &fe->rings[TX];
	struct piece p[PIECES_MAX + 1];
	unsigned n = pieces_make(p, fe, layout, len);
	uint16_t head;
	uint8_t *buf;

	fe_reclaim(fe, 0);
	if (r->n_free < n || fe->hdr_len + len > fe->stride - MATRIX_TABLE)
		return false;
	head = desc_take(r);
	buf = r->bufs + (size_t)head * fe->stride;
	memcpy(buf, hdr, fe->hdr_len);
	memcpy(buf + fe->hdr_len, frame, len);
	if (table)
		table_write(fe, &r->desc[head], buf, p, n, 0);
	else
		chain_write(fe, r, head, buf, p, n);
	r->avail->ring[r->next_avail++ & (r->size - 1)] = head;
	return true;
}

void matrix_publish(struct fe *fe)
{
	struct fe_ring *r = &fe->rings[TX];

	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_RELEASE);
	fe_kick(fe, TX);
}

void matrix_receive_in_pieces(struct fe *fe, const uint32_t *pieces, unsigned n)
{
	struct fe_ring *r = &fe->rings[0];
	struct piece p[PIECES_MAX];
	uint32_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		p[i] = (struct piece){at, pieces[i]};
		at += pieces[i];
	}
	for (unsigned i = 0; i < r->size; i++)
		table_write(fe, &r->desc[i], r->bufs + (size_t)i * fe->stride, p, n, VRING_DESC_WRITE);
}
