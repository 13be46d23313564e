/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings of a front end whose descriptors are written by hand: what is sent in pieces that begin and end
 * anywhere, and receive buffers that are chains.
 */
#ifndef TESTS_UNIT_MATRIX_RINGS_H
#define TESTS_UNIT_MATRIX_RINGS_H

#include "tests/front_end.h"

/* How a frame and its header lie in descriptors. */
enum matrix_layout {
	MATRIX_DESC_ONE,
	MATRIX_DESC_TWO,      /* header, frame */
	MATRIX_DESC_INDIRECT, /* the same in a table */
	MATRIX_DESC_SPLIT,    /* cut at random places, most of them within header and headers */
	MATRIX_DESC_SPLIT_INDIRECT,
	MATRIX_N_LAYOUTS
};
extern const char *const matrix_layout_names[MATRIX_N_LAYOUTS];

/* The end of each buffer, which holds its table; fe_opts.buf_size is that much more than what goes in. */
#define MATRIX_TABLE 1024

/* Puts a frame on transmit ring 1 without showing it yet; false when there is no room. */
bool matrix_send(struct fe *fe, enum matrix_layout layout, const struct vnet_hdr *hdr,
		 const void *frame, uint32_t len);

/* Shows all of them at once, so that the back end takes them in one burst. */
void matrix_publish(struct fe *fe);

/* Makes each receive buffer a table of pieces of so many bytes, n of them; before anything came. */
void matrix_receive_in_pieces(struct fe *fe, const uint32_t *pieces, unsigned n);

#endif
