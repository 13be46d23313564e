/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/arena.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "LANYARD";

struct header {
	char magic[8];
	uint32_t version;
	uint32_t n_bridges, bridge_bytes;
	uint32_t n_ports, port_bytes, driver_bytes;
};

/* What lies in the memfd. */
struct memory {
	struct header header;
	struct arena_bridge bridges[SWITCH_BRIDGES_MAX];
	struct arena_port ports[SWITCH_PORTS_MAX];
};

struct arena {
	int fd;
	struct memory *m;
};

static const struct header ours = {
	.magic = "LANYARD",
	.version = ARENA_VERSION,
	.n_bridges = SWITCH_BRIDGES_MAX,
	.bridge_bytes = sizeof(struct arena_bridge),
	.n_ports = SWITCH_PORTS_MAX,
	.port_bytes = sizeof(struct arena_port),
	.driver_bytes = ARENA_DRIVER_BYTES,
};

static int failed(const char *what, struct err *err)
{
	return err_set(err, -errno, "the switch's memory: %s: %s", what, strerror(errno));
}

static int map(int fd, struct arena **out, struct err *err)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return failed("calloc", err);
	a->fd = fd;
	a->m = mmap(NULL, sizeof(*a->m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (a->m == MAP_FAILED) {
		int rc = failed("mmap", err);

		free(a);
		return rc;
	}
	*out = a;
	return 0;
}

int arena_create(struct arena **out, struct err *err)
{
	int fd = memfd_create("lanyard-arena", MFD_CLOEXEC), rc;

	if (fd < 0)
		return failed("memfd_create", err);
	rc = ftruncate(fd, sizeof(struct memory)) < 0 ? failed("ftruncate", err) : map(fd, out, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	(*out)->m->header = ours;
	return 0;
}

static bool is_text(const char *text, size_t size)
{
	return text[0] && memchr(text, '\0', size);
}

/* A name that ends, and a bridge that is there. */
static bool port_holds(const struct memory *m, const struct arena_port *p)
{
	return is_text(p->name, sizeof(p->name)) && is_text(p->type, sizeof(p->type)) &&
	       memchr(p->owner.lab, '\0', sizeof(p->owner.lab)) &&
	       p->bridge < SWITCH_BRIDGES_MAX && m->bridges[p->bridge].used &&
	       (p->peer == ARENA_NONE || (p->peer < SWITCH_PORTS_MAX && m->ports[p->peer].used)) &&
	       vlan_policy_check(&p->vlan, NULL) == 0 && port_policy_check(&p->policy, NULL) == 0;
}

static bool bridge_holds(const struct arena_bridge *b)
{
	return is_text(b->name, sizeof(b->name)) &&
	       memchr(b->owner.lab, '\0', sizeof(b->owner.lab));
}

/* Bridges first, then ports until none is left whose bridge or other end has gone. */
static unsigned check(struct memory *m)
{
	unsigned n = 0, before;

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (m->bridges[i].used && !bridge_holds(&m->bridges[i])) {
			arena_bridge_drop(&m->bridges[i]);
			n++;
		}
	do {
		before = n;
		for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
			if (m->ports[i].used && !port_holds(m, &m->ports[i])) {
				arena_port_drop(&m->ports[i]);
				n++;
			}
	} while (n != before);
	return n;
}

int arena_adopt(int fd, struct arena **out, unsigned *n_dropped, struct err *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return failed("fstat", err);
	if (st.st_size != (off_t)sizeof(struct memory))
		return err_set(err, -EPROTO, "the switch's memory has %lld bytes instead of %zu",
			       (long long)st.st_size, sizeof(struct memory));
	rc = map(fd, out, err);
	if (rc < 0)
		return rc;
	if (memcmp((*out)->m->header.magic, magic, sizeof(magic)))
		rc = err_set(err, -EPROTO, "the switch's memory is none: its first bytes are wrong");
	else if ((*out)->m->header.version != ARENA_VERSION)
		rc = err_set(err, -EPROTO, "the switch's memory has version %u instead of %u",
			     (*out)->m->header.version, ARENA_VERSION);
	else if (memcmp(&(*out)->m->header, &ours, sizeof(ours)))
		rc = err_set(err, -EPROTO, "the switch's memory is of a build with other sizes");
	if (rc < 0) {
		munmap((*out)->m, sizeof(struct memory));
		free(*out);
		*out = NULL;
		return rc;
	}
	*n_dropped = check((*out)->m);
	return 0;
}

void arena_destroy(struct arena *a)
{
	if (!a)
		return;
	munmap(a->m, sizeof(*a->m));
	close(a->fd);
	free(a);
}

int arena_fd(const struct arena *a)
{
	return a->fd;
}

struct arena_bridge *arena_bridge(struct arena *a, unsigned i)
{
	return &a->m->bridges[i];
}

struct arena_port *arena_port(struct arena *a, unsigned i)
{
	return &a->m->ports[i];
}

unsigned arena_bridge_index(const struct arena *a, const struct arena_bridge *b)
{
	return (unsigned)(b - a->m->bridges);
}

struct arena_bridge *arena_bridge_free(struct arena *a)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (!a->m->bridges[i].used) {
			memset(&a->m->bridges[i], 0, sizeof(a->m->bridges[i]));
			return &a->m->bridges[i];
		}
	return NULL;
}

/* The process may be killed between any two stores; the compiler must not swap these. */
void arena_bridge_use(struct arena_bridge *b)
{
	atomic_signal_fence(memory_order_seq_cst);
	b->used = true;
}

void arena_port_use(struct arena_port *p)
{
	atomic_signal_fence(memory_order_seq_cst);
	p->used = true;
}

void arena_bridge_drop(struct arena_bridge *b)
{
	b->used = false;
	atomic_signal_fence(memory_order_seq_cst);
	memset(b, 0, sizeof(*b));
}

void arena_port_drop(struct arena_port *p)
{
	p->used = false;
	atomic_signal_fence(memory_order_seq_cst);
	memset(p, 0, sizeof(*p));
}
