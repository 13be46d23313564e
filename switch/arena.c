/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "switch/arena_text.h"

static const char magic[8] = "LANYARD";

struct header {
	char magic[8];
	uint32_t version;
	uint32_t n_bridges, bridge_bytes;
	uint32_t n_ports, port_bytes, driver_bytes;
	uint32_t n_notes, text_bytes;
};

/* What lies in the memfd. */
struct memory {
	struct header header;
	uint64_t secret[3];
	struct arena_clock clock;
	struct arena_note notes[ARENA_NOTES];
	uint8_t bridge_used[SWITCH_BRIDGES_MAX], port_used[SWITCH_PORTS_MAX]; /* not 0: is */
	struct arena_bridge bridges[SWITCH_BRIDGES_MAX];
	struct arena_port ports[SWITCH_PORTS_MAX];
	alignas(4096) char texts[TEXTS_BYTES];
};

struct arena {
	int fd;
	struct memory *m;
	struct texts texts;
};

static const struct header ours = {
	.magic = "LANYARD",
	.version = ARENA_VERSION,
	.n_bridges = SWITCH_BRIDGES_MAX,
	.bridge_bytes = sizeof(struct arena_bridge),
	.n_ports = SWITCH_PORTS_MAX,
	.port_bytes = sizeof(struct arena_port),
	.driver_bytes = ARENA_DRIVER_BYTES,
	.n_notes = ARENA_NOTES,
	.text_bytes = TEXTS_BYTES,
};

static int failed(const char *what, struct err *err)
{
	return err_set(err, -errno, "the switch's memory: %s: %s", what, strerror(errno));
}

/* Leaves the descriptor. */
static void unmap(struct arena *a)
{
	if (a->m != MAP_FAILED)
		munmap(a->m, sizeof(*a->m));
	texts_fini(&a->texts);
	free(a);
}

/* flags: of mmap(2). */
static int map(int fd, int flags, struct arena **out, struct err *err)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return failed("calloc", err);
	a->fd = fd;
	a->m = mmap(NULL, sizeof(*a->m), PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (a->m == MAP_FAILED || texts_init(&a->texts, a->m->texts) < 0) {
		int rc = failed("mmap", err);

		unmap(a);
		return rc;
	}
	*out = a;
	return 0;
}

int arena_create(struct arena **out, struct err *err)
{
	int fd = memfd_sized("lanyard-arena", sizeof(struct memory)), rc;

	if (fd < 0) {
		errno = -fd;
		return failed("memfd_create", err);
	}
	rc = map(fd, MAP_SHARED, out, err);
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

/* Any other byte in a bool may be both to the compiler. */
static bool is_bool(const bool *b)
{
	return *(const volatile uint8_t *)b <= 1;
}

/* A name that ends, and a bridge that is there. */
static bool port_holds(const struct memory *m, const struct arena_port *p)
{
	return is_bool(&p->down) && is_bool(&p->quarantined) && is_bool(&p->owner.transient) &&
	       is_text(p->name, sizeof(p->name)) && is_text(p->type, sizeof(p->type)) &&
	       memchr(p->owner.lab, '\0', sizeof(p->owner.lab)) &&
	       p->bridge < SWITCH_BRIDGES_MAX && m->bridge_used[p->bridge] &&
	       (p->peer == ARENA_NONE || (p->peer < SWITCH_PORTS_MAX && m->port_used[p->peer])) &&
	       vlan_policy_check(&p->vlan, NULL) == 0 && port_policy_check(&p->policy, NULL) == 0;
}

static bool bridge_holds(const struct arena_bridge *b)
{
	return is_bool(&b->opts.wire) && is_bool(&b->owner.transient) &&
	       is_text(b->name, sizeof(b->name)) && memchr(b->owner.lab, '\0', sizeof(b->owner.lab));
}

/* The slot itself is as good as gone: no text is the arena's before it was claimed. */
static void slot_forget(uint8_t *used, void *slot, size_t size)
{
	*used = 0;
	memset(slot, 0, size);
}

static unsigned bridges_check(struct arena *a)
{
	struct memory *m = a->m;
	unsigned n = 0;

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		if (!m->bridge_used[i] ||
		    (bridge_holds(&m->bridges[i]) && texts_claim(&a->texts, m->bridges[i].settings)))
			continue;
		slot_forget(&m->bridge_used[i], &m->bridges[i], sizeof(m->bridges[i]));
		n++;
	}
	return n;
}

static unsigned ports_check(struct arena *a)
{
	struct memory *m = a->m;
	unsigned n = 0;

	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++) {
		if (!m->port_used[i] || texts_claim(&a->texts, m->ports[i].settings))
			continue;
		slot_forget(&m->port_used[i], &m->ports[i], sizeof(m->ports[i]));
		n++;
	}
	for (unsigned before = n - 1; n != before;) {
		before = n;
		for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
			if (m->port_used[i] && !port_holds(m, &m->ports[i])) {
				arena_port_drop(a, i);
				n++;
			}
	}
	return n;
}

/* Maps what is an arena of this build. */
static int map_ours(int fd, int flags, struct arena **out, struct err *err)
{
	struct stat st;
	int rc;

	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) < 0)
		return failed("fstat", err);
	/* Cut shorter while we have it, it would be our death; and that of whoever comes next. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return err_set(err, -EPROTO, "the switch's memory can be cut shorter by others");
	if (st.st_size != (off_t)sizeof(struct memory))
		return err_set(err, -EPROTO, "the switch's memory has %lld bytes instead of %zu",
			       (long long)st.st_size, sizeof(struct memory));
	rc = map(fd, flags, out, err);
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
		unmap(*out);
		*out = NULL;
	}
	return rc;
}

/* Its pages are the other's as long as nobody writes here. */
int arena_look(int fd, struct arena **out, struct err *err)
{
	return map_ours(fd, MAP_PRIVATE, out, err);
}

void arena_look_end(struct arena *a)
{
	unmap(a);
}

int arena_adopt(int fd, struct arena **out, unsigned *n_dropped, struct err *err)
{
	int rc = map_ours(fd, MAP_SHARED, out, err);

	if (rc < 0)
		return rc;
	/* Bridges first, then ports until none is left whose bridge or other end has gone. */
	*n_dropped = bridges_check(*out);
	*n_dropped += ports_check(*out);
	return 0;
}

void arena_destroy(struct arena *a)
{
	if (!a)
		return;
	close(a->fd);
	unmap(a);
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

bool arena_bridge_used(const struct arena *a, unsigned i)
{
	return a->m->bridge_used[i];
}

bool arena_port_used(const struct arena *a, unsigned i)
{
	return a->m->port_used[i];
}

struct arena_bridge *arena_bridge_free(struct arena *a)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (!a->m->bridge_used[i]) {
			memset(&a->m->bridges[i], 0, sizeof(a->m->bridges[i]));
			return &a->m->bridges[i];
		}
	return NULL;
}

/* The process may be killed between any two stores; the compiler must not swap these. */
static void used_set(uint8_t *used, bool on)
{
	atomic_signal_fence(memory_order_seq_cst);
	*used = on;
	atomic_signal_fence(memory_order_seq_cst);
}

void arena_bridge_use(struct arena *a, unsigned i)
{
	used_set(&a->m->bridge_used[i], true);
}

void arena_port_use(struct arena *a, unsigned i)
{
	used_set(&a->m->port_used[i], true);
}

void arena_bridge_drop(struct arena *a, unsigned i)
{
	struct arena_bridge *b = &a->m->bridges[i];

	used_set(&a->m->bridge_used[i], false);
	texts_set(&a->texts, &b->settings, "");
	memset(b, 0, sizeof(*b));
}

void arena_port_drop(struct arena *a, unsigned i)
{
	struct arena_port *p = &a->m->ports[i];

	used_set(&a->m->port_used[i], false);
	texts_set(&a->texts, &p->settings, "");
	memset(p, 0, sizeof(*p));
}

int arena_text_set(struct arena *a, uint64_t *where, const char *text)
{
	return texts_set(&a->texts, where, text);
}

const char *arena_text(const struct arena *a, uint64_t where)
{
	return texts_get(&a->texts, where);
}

struct arena_note *arena_note(struct arena *a, unsigned i)
{
	return &a->m->notes[i];
}

struct arena_clock *arena_clock(struct arena *a)
{
	return &a->m->clock;
}

uint64_t *arena_secret(struct arena *a)
{
	return a->m->secret;
}
