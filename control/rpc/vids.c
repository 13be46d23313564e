/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/vids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int range_add(long long lo, long long hi, uint64_t *set, struct err *err)
{
	if (lo < 1 || lo > VLAN_VID_MAX || hi < 1 || hi > VLAN_VID_MAX)
		return err_set(err, -EINVAL, "vlan %lld is outside 1-%d",
			       lo < 1 || lo > VLAN_VID_MAX ? lo : hi, VLAN_VID_MAX);
	if (lo > hi)
		return err_set(err, -EINVAL, "vlans %lld-%lld run backwards", lo, hi);
	for (long long v = lo; v <= hi; v++)
		vlan_set_add(set, (uint16_t)v);
	return 0;
}

/* Reads digits at *at; -1 without any. Values past five digits are only known to be too large. */
static long long number(const char **at)
{
	long long n = 0;
	const char *p = *at;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++)
		if (n < 100000)
			n = n * 10 + (*p - '0');
	*at = p;
	return n;
}

int vids_from_text(const char *text, uint64_t *set, struct err *err)
{
	const char *at = text;

	memset(set, 0, VLAN_SET_WORDS * sizeof(*set));
	for (;;) {
		long long lo = number(&at), hi = lo;
		int rc;

		if (lo >= 0 && *at == '-') {
			at++;
			hi = number(&at);
		}
		if (lo < 0 || hi < 0 || (*at && *at != ','))
			return err_set(err, -EINVAL, "\"%.60s\" is no list of vlans like 10,20-29",
				       text);
		rc = range_add(lo, hi, set, err);
		if (rc < 0 || !*at)
			return rc;
		at++;
	}
}

int vids_from_json(const json_t *vids, uint64_t *set, struct err *err)
{
	const json_t *pair;
	size_t i;

	if (json_is_string(vids))
		return vids_from_text(json_string_value(vids), set, err);
	memset(set, 0, VLAN_SET_WORDS * sizeof(*set));
	if (!json_is_array(vids) || json_array_size(vids) > VLAN_VID_MAX)
		return err_set(err, -EINVAL, "is no list of vlans like 10,20-29");
	json_array_foreach (vids, i, pair) {
		const json_t *lo = json_array_get(pair, 0), *hi = json_array_get(pair, 1);
		int rc;

		if (json_array_size(pair) != 2 || !json_is_integer(lo) || !json_is_integer(hi))
			return err_set(err, -EINVAL, "has something else than [first, last]");
		rc = range_add(json_integer_value(lo), json_integer_value(hi), set, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Finds the first run at or after *lo; false when there is none. */
static bool next_run(const uint64_t *set, unsigned *lo, unsigned *hi)
{
	while (*lo <= VLAN_VID_MAX && !vlan_set_has(set, (uint16_t)*lo))
		++*lo;
	if (*lo > VLAN_VID_MAX)
		return false;
	*hi = *lo;
	while (*hi < VLAN_VID_MAX && vlan_set_has(set, (uint16_t)(*hi + 1)))
		++*hi;
	return true;
}

json_t *vids_to_json(const uint64_t *set)
{
	json_t *list = json_array();

	for (unsigned lo = 1, hi; list && next_run(set, &lo, &hi); lo = hi + 1)
		if (json_array_append_new(list, json_pack("[ii]", (int)lo, (int)hi)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

char *vids_to_text(const uint64_t *set, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned lo = 1, hi; next_run(set, &lo, &hi); lo = hi + 1) {
		char run[16];
		int n = lo == hi ? snprintf(run, sizeof(run), "%s%u", len ? "," : "", lo)
				 : snprintf(run, sizeof(run), "%s%u-%u", len ? "," : "", lo, hi);

		if (len + (size_t)n + sizeof("…") > size) {
			snprintf(buf + len, size - len, "…");
			return buf;
		}
		memcpy(buf + len, run, (size_t)n + 1);
		len += (size_t)n;
	}
	return buf;
}
