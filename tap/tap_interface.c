/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/tap_interface.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tap/host.h"
#include "tap/tap_keep.h"
#include "tap/tun.h"

#define LET_GO_MAX (1 * S_NS) /* until whoever keeps our descriptors has closed them, too */

#define HASH_START 14695981039346656037u /* FNV-1a of 64 bits */
#define HASH_PRIME 1099511628211u

static uint64_t hash_more(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * HASH_PRIME;
	return hash;
}

void tap_interface_name(char out[IFNAMSIZ], const char *port_name)
{
	uint32_t hash = 2166136261u;

	for (const char *c = port_name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	if (strlen(port_name) < IFNAMSIZ)
		snprintf(out, IFNAMSIZ, "%s", port_name);
	else
		snprintf(out, IFNAMSIZ, "%.8s-%06x", port_name, hash & 0xffffff);
	for (char *c = out; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			*c = '-';
}

/* ---- one that we make ---- */

static uint64_t salt_hash; /* 0: none */
static uint64_t host_hash;

static size_t host_id(char *out, size_t size);

void tap_interface_salt(const char *salt)
{
	char host[256];

	/* Not when it is needed: by then the process may not be allowed to read it. */
	host_hash = hash_more(HASH_START, host, host_id(host, sizeof(host)));
	salt_hash = salt[0] ? hash_more(HASH_START, salt, strlen(salt)) : 0;
}

/* What tells this host from others: two of them may have ports of one name on one network. */
static size_t host_id(char *out, size_t size)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	if (fd >= 0)
		close(fd);
	if (n > 0)
		return (size_t)n;
	if (gethostname(out, size) < 0)
		return 0;
	out[size - 1] = '\0';
	return strlen(out);
}

/* Locally administered, of one device; the same for a port of that name each time. */
static void mac_make(uint8_t mac[6], const char *port_name)
{
	uint64_t hash = hash_more(host_hash, "", 1);

	hash = hash_more(hash, port_name, strlen(port_name));
	if (salt_hash)
		hash = hash_more(hash, (const char *)&salt_hash, sizeof(salt_hash));
	/* Its last bytes have hardly moved the upper bits. */
	hash ^= hash >> 32;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & ~0x01) | 0x02);
}

static int change(struct tap *t, struct link_change c, struct err *err)
{
	return host_link(t->fds[0], &c, err);
}

static int dress(struct tap *t, const char *port_name, struct err *err)
{
	struct link_change mac = {.what = LINK_MAC};

	mac_make(mac.mac, port_name);
	if (t->address[0])
		change(t, (struct link_change){.what = LINK_ANNOUNCE}, NULL);
	return change(t, mac, err);
}

static int address_change(struct tap *t, enum link_what what, struct err *err)
{
	struct link_change c = {.what = what};

	memcpy(c.address, t->address, sizeof(c.address));
	return change(t, c, err);
}

/* ---- one that is there ---- */

int tap_interface_kind_check(const struct netlink_link *link, struct err *err)
{
	if (!strcmp(link->kind, "tun"))
		return 0;
	err_set(err, -EEXIST, "interface \"%s\" exists and is no tap (%s)", link->name,
		link->kind[0] ? link->kind : "a device");
	err_hint(err, "choose another --ifname; `--type uplink` puts a device on a bridge");
	return -EEXIST;
}

static uint64_t left_ns; /* when we last left one; 0: not yet */

/* An interface that we, or one before us, have just left is held for a moment by whoever keeps our descriptors. */
static bool may_be_ours(void)
{
	uint64_t now_ns = loop_now_ns();

	if (!left_ns)
		left_ns = now_ns;
	return now_ns - left_ns < LET_GO_MAX;
}

void tap_interface_forget(struct tap *t)
{
	if (t->fds[0] >= 0)
		left_ns = loop_now_ns();
	tap_unkeep(t);
	for (unsigned q = 0; q < t->n_queues; q++) {
		if (t->fds[q] >= 0)
			close(t->fds[q]);
		t->fds[q] = -1;
	}
	t->present = false;
	t->address_ours = t->was_down = false;
	t->mtu_was = 0;
}

void tap_interface_close(struct tap *t)
{
	if (t->present && t->adopted && t->address_ours)
		address_change(t, LINK_ADDRESS_DEL, NULL);
	tap_interface_forget(t);
}

void tap_interface_restore(struct tap *t)
{
	if (t->present && t->adopted && t->was_down)
		change(t, (struct link_change){.what = LINK_DOWN}, NULL);
	if (t->present && t->adopted && t->mtu_was)
		change(t, (struct link_change){.what = LINK_MTU, .mtu = t->mtu_was}, NULL);
	t->was_down = false;
	t->mtu_was = 0;
}

/* ---- making ---- */

/* Gives the interface what was asked for. What is refused most often comes first. */
static int interface_set(struct tap *t, const char *port_name, uint32_t mtu, struct err *err)
{
	struct netlink_link link;
	int rc = netlink_find(t->nl, t->ifname, 0, &link, err);

	if (rc == -ENODEV)
		err_set(err, rc, "interface \"%s\" has gone at once", t->ifname);
	if (rc < 0)
		return rc;
	t->ifindex = link.index;
	if (!t->adopted)
		rc = dress(t, port_name, err);
	if (rc == 0 && t->address[0]) {
		rc = address_change(t, LINK_ADDRESS_ADD, err);
		t->address_ours = rc == 0; /* 1: it was there */
		rc = rc > 0 ? 0 : rc;
	}
	if (rc == 0 && mtu && mtu != link.mtu) {
		rc = change(t, (struct link_change){.what = LINK_MTU, .mtu = mtu}, err);
		t->mtu_was = rc == 0 ? link.mtu : 0;
	}
	if (rc == 0 && !link.up) {
		rc = change(t, (struct link_change){.what = LINK_UP}, err);
		t->was_down = rc == 0;
	}
	t->link_up = rc == 0;
	return rc;
}

/* Makes it, or attaches to the one that is there. */
static int queues_open(struct tap *t, struct err *err)
{
	struct netlink_link link;
	int rc = netlink_find(t->nl, t->ifname, 0, &link, err);

	if (rc < 0 && rc != -ENODEV)
		return rc;
	t->adopted = rc == 0;
	if (t->adopted && tap_interface_kind_check(&link, err) < 0)
		return -EEXIST;
	return host_tun(t->ns_fd, t->ifname, t->adopted, t->fds, t->n_queues, err);
}

int tap_interface_open(struct tap *t, const char *port_name, uint32_t mtu, struct err *err)
{
	int rc = queues_open(t, err);

	if (rc == -EBUSY && may_be_ours())
		rc = -EAGAIN;
	if (rc < 0)
		return rc;
	t->present = true;
	if (t->admin_down)
		tun_carrier(t->fds[0], false); /* before it is up: the host shall see none at all */
	rc = interface_set(t, port_name, mtu, err);
	if (rc < 0) {
		tap_interface_restore(t);
		tap_interface_close(t);
		return rc;
	}
	tun_carrier(t->fds[0], t->port.carrier); /* port_init() sees to it at first */
	return 0;
}
