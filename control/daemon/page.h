/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages of long lists: {items, next}. A page ends at its limit of items or of bytes, whichever
 * comes first; next is the cursor of the following page, or null.
 *
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_PAGE_H
#define CONTROL_DAEMON_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct page {
	json_t *items;
	size_t n_bytes, limit;
};

/* limit: what the client asked for, else n_default. */
void page_begin(struct page *page, const json_t *params, size_t n_default);

/* True when another item may be added. */
bool page_has_room(const struct page *page);

/* Adds item (stolen). */
void page_add(struct page *page, json_t *item);

/* The finished {items, next}; cursor NULL: this was the last. */
json_t *page_end(struct page *page, const char *cursor);

/* The cursor of params as a position in a list; 0 without one. */
size_t page_position(const json_t *params);

/* A text of ours as JSON, even where it quotes bytes that are no UTF-8. */
json_t *json_text(const char *text);

#endif
