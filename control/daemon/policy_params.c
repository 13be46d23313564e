/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/policy_params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/guards.h"

static const char *const keys[] = {POLICY_KEYS};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The next word of "a,b": false at the end. One that is too long for it is cut off, and then no name. */
static bool word_next(const char **at, char *word, size_t size)
{
	size_t n = strcspn(*at, ",");

	if (!**at)
		return false;
	snprintf(word, size, "%.*s", (int)n, *at);
	*at += n + ((*at)[n] == ',');
	return true;
}

static int address_read(const char *word, struct guard *g, struct err *err)
{
	uint8_t *to = g->addresses[g->n_addresses];

	if (g->n_addresses == GUARD_ADDRESSES_MAX)
		return err_set(err, -EINVAL, "ip: more than %d addresses", GUARD_ADDRESSES_MAX);
	memcpy(to, v4_mapped, sizeof(v4_mapped));
	if (inet_pton(AF_INET, word, to + sizeof(v4_mapped)) != 1 &&
	    inet_pton(AF_INET6, word, to) != 1)
		return err_set(err, -EINVAL, "ip: \"%.40s\" is no address like 10.0.0.1 or fd00::1",
			       word);
	g->n_addresses++;
	return 0;
}

static int addresses_read(const json_t *list, struct guard *g, struct err *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);
		char word[64];

		while (text && word_next(&text, word, sizeof(word))) {
			int rc = address_read(word, g, err);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int mac_read(const char *text, uint8_t mac[6], struct err *err)
{
	unsigned b[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return err_set(err, -EINVAL,
			       "mac \"%.20s\" is no MAC address like 02:00:00:00:00:01", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

/* "10M", "1.5G", "64K" or a number of bits a second. */
static int rate_read(const char *text, uint64_t *rate, struct err *err)
{
	static const struct {
		const char *unit;
		double bits;
	} units[] = {{"", 1}, {"K", 1e3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
	char *end = NULL;
	double n = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : 0;

	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		n *= units[i].bits;
		if (n >= (double)POLICY_RATE_MIN && n <= (double)POLICY_RATE_MAX) {
			*rate = (uint64_t)n;
			return 0;
		}
		return err_set(err, -EINVAL, "rate %.20s is outside 8K-1000G bits a second", text);
	}
	return err_set(err, -EINVAL, "rate \"%.20s\" is no number of bits a second like 10M or 1.5G", text);
}

int policy_from_settings(const json_t *settings, struct port_policy *out, struct err *err)
{
	const char *guard = json_string_value(json_object_get(settings, "guard"));
	const char *rate = json_string_value(json_object_get(settings, "rate"));
	const char *mac = json_string_value(json_object_get(settings, "mac"));
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (guard)
		rc = guards_from_text(guard, &out->guard.checks, err);
	if (rc == 0 && mac)
		rc = mac_read(mac, out->guard.mac, err);
	if (rc == 0)
		rc = addresses_read(json_object_get(settings, "ip"), &out->guard, err);
	if (rc < 0)
		return rc;
	if (rate)
		rc = rate_read(rate, &out->rate, err);
	if (rc < 0)
		return rc;
	out->storm = (uint32_t)json_integer_value(json_object_get(settings, "storm"));
	out->max_macs = (uint32_t)json_integer_value(json_object_get(settings, "max_macs"));
	out->isolated = json_is_true(json_object_get(settings, "isolated"));
	return port_policy_check(out, err);
}

bool policy_differs(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		const json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);

		if (x != y && (!x || !y || !json_equal(x, y)))
			return true;
	}
	return false;
}

bool policy_key_ends(const char *key, const char *text)
{
	if (!strcmp(key, "guard"))
		return !strcmp(text, "off") || !strcmp(text, "none");
	return !strcmp(text, "none") && (!strcmp(key, "mac") || !strcmp(key, "ip") || !strcmp(key, "rate"));
}

static json_t *guards_json(const struct guard *g)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < GUARDS_N; i++)
		if (g->checks >> i & 1)
			json_array_append_new(list, json_string(guard_names[i]));
	return list;
}

static json_t *addresses_json(const struct guard *g)
{
	json_t *list = json_array();
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < g->n_addresses; i++) {
		const uint8_t *a = g->addresses[i];
		bool v4 = !memcmp(a, v4_mapped, sizeof(v4_mapped));

		inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + sizeof(v4_mapped) : a, text,
			  sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *number_or_null(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

void policy_to_json(const struct port_policy *p, json_t *to)
{
	static const uint8_t none[6];
	const uint8_t *m = p->guard.mac;

	json_object_set_new(to, "guard", guards_json(&p->guard));
	json_object_set_new(to, "mac",
			    memcmp(m, none, sizeof(none)) != 0
				    ? json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
						   m[2], m[3], m[4], m[5])
				    : json_null());
	json_object_set_new(to, "ip", addresses_json(&p->guard));
	json_object_set_new(to, "max_macs", number_or_null(p->max_macs));
	json_object_set_new(to, "storm", number_or_null(p->storm));
	json_object_set_new(to, "rate", number_or_null(p->rate));
	json_object_set_new(to, "isolated", json_boolean(p->isolated));
}
