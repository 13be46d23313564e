/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/handlers.h"
#include "control/daemon/owner.h"
#include "control/daemon/page.h"

#define PAGE_ENTRIES 500
#define READ_ENTRIES 64
#define SLICE_NS     (8 * MS_NS) /* a large, nearly empty table is read over several pages */
#define VLAN_DEFAULT 1

static int mac_parse(const json_t *params, uint8_t mac[6])
{
	const char *text = json_string_value(json_object_get(params, "mac"));
	unsigned b[6];

	/* The row has checked the form. */
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

static uint16_t vlan_of(const json_t *params)
{
	const json_t *vlan = json_object_get(params, "vlan");

	return vlan ? (uint16_t)json_integer_value(vlan) : VLAN_DEFAULT;
}

static json_t *record_json(const struct bridge *br, const struct fdb_record *r)
{
	struct port_info info = {.name = NULL};
	char mac[18];

	if (r->port)
		port_info(r->port, &info);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", r->mac[0], r->mac[1], r->mac[2],
		 r->mac[3], r->mac[4], r->mac[5]);
	return json_pack("{sssisssssbsi}", "bridge", bridge_name(br), "vlan", (int)r->vid, "mac",
			 mac, "port", info.name ? info.name : "", "static", r->is_static, "age_s",
			 (int)r->age_s);
}

/* Reads entries of one bridge into the page. *cursor is 0 at the bridge's end. */
static void bridge_read(struct bridge *br, uint64_t *cursor, struct page *page, uint64_t until_ns)
{
	struct fdb_record records[READ_ENTRIES];

	do {
		size_t room = page->limit - json_array_size(page->items);
		unsigned n = bridge_fdb_read(br, cursor, records,
					     (unsigned)(room < READ_ENTRIES ? room : READ_ENTRIES));

		for (unsigned i = 0; i < n; i++)
			page_add(page, record_json(br, &records[i]));
	} while (*cursor && page_has_room(page) && loop_now_ns() < until_ns);
}

/* "CURSOR@BRIDGE" */
static struct bridge *cursor_parse(struct daemon *d, const json_t *params, uint64_t *cursor)
{
	const char *text = json_string_value(json_object_get(params, "cursor"));
	const char *at = text ? strchr(text, '@') : NULL;

	*cursor = at ? strtoull(text, NULL, 10) : 0;
	return at ? bridge_find(d->sw, at + 1) : NULL;
}

int do_fdb_list(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const char *only = json_string_value(json_object_get(params, "bridge"));
	uint64_t cursor, until_ns = loop_now_ns() + SLICE_NS;
	struct daemon *d = rpc_ctx(call);
	struct bridge *br = cursor_parse(d, params, &cursor);
	char next[SWITCH_NAME_MAX + 24];
	struct page page;

	if (!br && json_object_get(params, "cursor")) {
		err_set(err, -EINVAL, "the bridge that was being read is gone");
		return err_hint(err, "begin again");
	}
	if (!br && only) {
		int rc = bridge_resolve(d, only, NULL, &br, err);

		if (rc < 0)
			return rc;
	}
	if (!br)
		br = bridge_next(d->sw, NULL);
	page_begin(&page, params, PAGE_ENTRIES);
	while (br) {
		bridge_read(br, &cursor, &page, until_ns);
		if (!cursor)
			br = only ? NULL : bridge_next(d->sw, br);
		if (!page_has_room(&page) || loop_now_ns() >= until_ns)
			break;
	}
	if (br)
		snprintf(next, sizeof(next), "%" PRIu64 "@%s", cursor, bridge_name(br));
	*result = page_end(&page, br ? next : NULL);
	return 0;
}

int do_fdb_add(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct daemon *d = rpc_ctx(call);
	struct bridge *br;
	struct port *p;
	uint8_t mac[6];
	int rc;

	rc = bridge_resolve(d, json_string_value(json_object_get(params, "bridge")), NULL, &br,
			    err);
	if (rc == 0)
		rc = port_resolve(d, json_string_value(json_object_get(params, "port")), NULL, &p,
				  err);
	if (rc < 0)
		return rc;
	rc = mac_parse(params, mac);
	if (rc < 0)
		return err_set(err, rc, "mac is no address");
	return bridge_fdb_add(br, mac, vlan_of(params), p, err);
}

/* Where else the bridge has the address: a hint. */
static void other_vlan(struct bridge *br, const uint8_t mac[6], struct err *err)
{
	struct fdb_record records[64];
	uint64_t cursor = 0;

	do {
		unsigned n = bridge_fdb_read(br, &cursor, records, 64);

		for (unsigned i = 0; i < n; i++)
			if (!memcmp(records[i].mac, mac, 6)) {
				err_hint(err, "it is in vlan %u; --vlan %u", records[i].vid, records[i].vid);
				return;
			}
	} while (cursor);
}

int do_fdb_del(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	struct bridge *br;
	uint8_t mac[6];
	int rc = bridge_resolve(rpc_ctx(call), json_string_value(json_object_get(params, "bridge")),
				NULL, &br, err);

	if (rc < 0)
		return rc;
	rc = mac_parse(params, mac);
	if (rc < 0)
		return err_set(err, rc, "mac is no address");
	rc = bridge_fdb_del(br, mac, vlan_of(params), err);
	if (rc == -ENOENT)
		other_vlan(br, mac, err);
	return rc;
}

int do_fdb_flush(struct rpc_call *call, const json_t *params, json_t **result, struct err *err)
{
	const char *bridge = json_string_value(json_object_get(params, "bridge"));
	const char *port = json_string_value(json_object_get(params, "port"));
	struct daemon *d = rpc_ctx(call);
	struct bridge *only = NULL;
	struct port *p = NULL;
	unsigned n = 0;
	int rc = 0;

	if (bridge)
		rc = bridge_resolve(d, bridge, NULL, &only, err);
	if (rc == 0 && port)
		rc = port_resolve(d, port, NULL, &p, err);
	if (rc < 0)
		return rc;
	for (struct bridge *br = bridge_next(d->sw, NULL); br; br = bridge_next(d->sw, br)) {
		struct port_info info = {.bridge = br};

		if (p)
			port_info(p, &info);
		if (br == info.bridge && (!only || br == only))
			n += bridge_fdb_flush(br, p);
	}
	*result = json_pack("{si}", "forgotten", (int)n);
	return 0;
}
