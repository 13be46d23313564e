/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/device_allow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS	"0123456789"
#define HEX	DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- forms of values ---- */

struct form {
	const char *chars; /* that it may have; NULL: one of words only */
	unsigned len_max;
	long min, max;		/* of a number; both 0: it is none */
	const char *words;	/* "|word|word|" that it may be as well, or NULL */
	const char *expression; /* for people */
};

static const struct form iface = {LETTERS DIGITS "_.-:@", 15, 0, 0, NULL, "a name of an interface"};
static const struct form mac = {HEX ":", 17, 0, 0, NULL, "a MAC address"};
static const struct form mac_or_fixed = {HEX ":", 17,	     0,
					 0,	  "|fixed|", "\"fixed\" or a MAC address"};
static const struct form bit = {DIGITS, 1, 0, 1, NULL, "0 or 1"};
static const struct form count = {DIGITS, 5, 1, 65535, NULL, "a number from 1 to 65535"};
static const struct form number = {DIGITS, 5, 0, 65535, NULL, "a number from 0 to 65535"};
static const struct form slots = {DIGITS, 5, 8, 16384, NULL, "a number from 8 to 16384"};
static const struct form speed = {DIGITS, 6, 1, 400000, NULL, "1 to 400000 Mb/s"};
static const struct form role = {NULL, 0, 0, 0, "|server|client|master|slave|", "server or client"};
static const struct form yes = {NULL, 0, 0, 0, "|yes|no|", "yes or no"};
/* A socket's own path: the peer's memory is shared with it, so the folder says who that is. */
static const struct form path = {
	LETTERS DIGITS "_./-", 107, 0, 0, NULL, "a path of letters, digits and _ . / -"};
static const struct form secret = {LETTERS DIGITS "_.-",       23, 0, 0, NULL,
				   "letters, digits and _ . -"};
/* Behind any other path there is a program, for whose answers control would wait. */
static const struct form vhost_net = {NULL, 0, 0, 0, "|/dev/vhost-net|", "/dev/vhost-net"};

/* ---- drivers and their arguments ---- */

struct arg {
	const char *key;
	const struct form *form;
};

#define ARGS_MAX 12

/* Left out: net_af_packet's qpairs and net_af_xdp's queue_count, which are --queues (what more of them
 * receive nobody would count), its framesz and blocksz (follow from the MTU; with less its driver
 * drops uncounted), net_af_xdp's xdp_prog (loads a file) and shared_umem (its
 * ports would be in each other's memory), busy_budget 0 (see tap/ethdev_sockets.h), net_tap's remote
 * (changes another interface), net_ring's nodeaction and internal (rings of others, a pointer),
 * net_virtio_user's server (see path). */
static const struct driver {
	const char *name;
	bool is_safe; /* net_memif binds, connects to and removes any path */
	struct arg args[ARGS_MAX];
} drivers[] = {
	{"net_af_packet", true, {{"iface", &iface}, {"framecnt", &slots}, {"qdisc_bypass", &bit}}},
	{"net_af_xdp", true,
	 {{"iface", &iface},
	  {"start_queue", &number},
	  {"busy_budget", &count},
	  {"force_copy", &bit}}},
	{"net_memif", false,
	 {{"id", &number},
	  {"role", &role},
	  {"bsize", &count},
	  {"rsize", &count},
	  {"socket", &path},
	  {"socket-abstract", &yes},
	  {"mac", &mac},
	  {"zero-copy", &yes},
	  {"secret", &secret}}},
	{"net_virtio_user", true,
	 {{"path", &vhost_net},
	  {"iface", &iface},
	  {"mac", &mac},
	  {"cq", &bit},
	  {"queue_size", &count},
	  {"queues", &count},
	  {"mrg_rxbuf", &bit},
	  {"in_order", &bit},
	  {"packed_vq", &bit},
	  {"speed", &speed},
	  {"vectorized", &bit}}},
	{"net_tap", true, {{"iface", &iface}, {"mac", &mac_or_fixed}}},
	{"net_null", true, {{"size", &count}, {"copy", &number}, {"no-rx", &bit}}},
	{"net_ring", true, {{NULL}}},
};

#define N_DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static const struct driver *driver_find(const char *name, size_t n)
{
	for (const struct driver *d = drivers; d < drivers + N_DRIVERS; d++) {
		size_t len = strlen(d->name);

		if (n >= len && !memcmp(name, d->name, len) &&
		    strspn(name + len, DIGITS) >= n - len)
			return d;
	}
	return NULL;
}

static const struct arg *arg_find(const struct driver *d, const char *key, size_t n)
{
	for (const struct arg *a = d->args; a->key; a++)
		if (strlen(a->key) == n && !memcmp(a->key, key, n))
			return a;
	return NULL;
}

/* ---- checking ---- */

static bool fits(const struct form *f, const char *value, size_t n)
{
	char word[32];
	long v;

	if (!n)
		return false;
	snprintf(word, sizeof(word), "|%.*s|", n > 20 ? 20 : (int)n, value);
	if (f->words && !memchr(value, '|', n) && strstr(f->words, word))
		return true;
	if (!f->chars || n > f->len_max || strspn(value, f->chars) < n)
		return false;
	v = strtol(value, NULL, 10);
	return (!f->min && !f->max) || (v >= f->min && v <= f->max);
}

static int arg_refuse(const struct driver *d, const char *key, size_t n, struct err *err)
{
	char list[200];
	int at = 0;

	if ((n == 6 && !memcmp(key, "qpairs", n)) || (n == 11 && !memcmp(key, "queue_count", n))) {
		err_set(err, -EINVAL, "%s is not given here", n == 6 ? "qpairs" : "queue_count");
		return err_hint(err, "--queues says how many queues the device has");
	}
	list[0] = '\0';
	for (const struct arg *a = d->args; a->key; a++)
		at += snprintf(list + at, sizeof(list) - (size_t)at, "%s%s", at ? ", " : "",
			       a->key);
	return err_set(err, -EINVAL,
		       "\"%.*s\" is no argument that an uplink gives to %s; it takes %s",
		       n > 40 ? 40 : (int)n, key, d->name, at ? list : "none");
}

/* args: "key=value,…". */
static int args_check(const struct driver *d, const char *args, struct err *err)
{
	unsigned seen = 0;

	for (const char *at = args; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t n = strcspn(at, ","), key = strcspn(at, "=,");
		const struct arg *a = arg_find(d, at, key);
		const char *value = at + key + 1;

		if (!a)
			return arg_refuse(d, at, key, err);
		if (key == n || !fits(a->form, value, n - key - 1))
			return err_set(err, -EINVAL, "\"%.*s\": %s is %s", n > 80 ? 80 : (int)n, at,
				       a->key, a->form->expression);
		if (seen & 1u << (a - d->args))
			return err_set(err, -EINVAL, "%s is there twice", a->key);
		seen |= 1u << (a - d->args);
	}
	return 0;
}

/* "0000:03:00.0" or "03:00.0", n bytes. */
static bool is_pci(const char *text, size_t n)
{
	unsigned domain, bus, slot, function;
	int end = 0;

	if (strspn(text, HEX ":.") < n)
		return false;
	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4 &&
	    (size_t)end == n)
		return true;
	return sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) == 3 && (size_t)end == n;
}

static int pci_check(const char *text, size_t name, struct err *err)
{
	if (text[name])
		return err_set(err, -EINVAL, "a PCI device has no arguments, \"%.40s\" has", text);
	return 0;
}

static bool is_strict;

void device_allow_strict(bool strict)
{
	is_strict = strict;
}

bool device_allow_is_strict(void)
{
	return is_strict;
}

int device_allow(const char *text, struct err *err)
{
	size_t n = strcspn(text, ",");
	const struct driver *d = driver_find(text, n);

	if (d && is_strict && !d->is_safe) {
		err_set(err, -EINVAL, "%s would open its socket with root's rights, which this switch has given up",
			d->name);
		return err_hint(err, "start lanyard-switch with --user root if no guest is to be feared");
	}
	if (d)
		return args_check(d, text[n] ? text + n + 1 : NULL, err);
	if (is_pci(text, n))
		return pci_check(text, n, err);
	err_set(err, -EINVAL, "\"%.*s\" is no device that an uplink takes", n > 60 ? 60 : (int)n,
		text);
	return err_hint(err,
			"net_af_packet0,iface=eth0, net_af_xdp0,iface=eth0, a PCI address like "
			"0000:03:00.0, or net_memif, net_virtio_user, net_tap, net_null, net_ring "
			"with a number at the end");
}
