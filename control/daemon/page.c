/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/page.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With one item of the largest kind (a port with every other VLAN, 25 KiB) above it, still below
 * RPC_REPLY_MAX_BYTES. */
#define PAGE_BYTES (200 * 1024)

void page_begin(struct page *page, const json_t *params, size_t n_default)
{
	json_int_t limit = json_integer_value(json_object_get(params, "limit"));

	page->items = json_array();
	page->n_bytes = 0;
	page->limit = limit > 0 ? (size_t)limit : n_default;
}

bool page_has_room(const struct page *page)
{
	return page->n_bytes < PAGE_BYTES && json_array_size(page->items) < page->limit;
}

void page_add(struct page *page, json_t *item)
{
	page->n_bytes += json_dumpb(item, NULL, 0, JSON_COMPACT) + 1;
	json_array_append_new(page->items, item);
}

json_t *page_end(struct page *page, const char *cursor)
{
	return json_pack("{soso}", "items", page->items, "next",
			 cursor ? json_string(cursor) : json_null());
}

size_t page_position(const json_t *params)
{
	const char *cursor = json_string_value(json_object_get(params, "cursor"));

	return cursor ? strtoul(cursor, NULL, 10) : 0;
}

json_t *json_text(const char *text)
{
	json_t *out = json_string(text);
	char *copy;

	if (out)
		return out;
	copy = strdup(text);
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	out = json_string(copy ? copy : "");
	free(copy);
	return out;
}
