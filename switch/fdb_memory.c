/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of a forwarding database: made, and found again by a successor. See switch/fdb.h.
 *
 * How      A memfd with the buckets and, behind them, a page that says whose they are. Looking at a page
 *          of it makes that page, so that all who go through a whole table ask first which pages
 *          anything was ever put in (fdb_page_next()).
 *          A writer that dies leaves its bucket locked. Each word of an entry is written at once and
 *          its key last; but what was learned can be learned anew, so what such a bucket had learned
 *          goes, and what an administrator has put there stays.
 * Threads  control only.
 * Trust    fdb_adopt(): the predecessor may have written anywhere while it crashed. An entry is taken
 *          only where its key's hash leads, to a port that there can be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "switch/fdb_write.h"
#include "switch/pages.h"

#define TABLE_VERSION 1 /* count up with every change of struct bucket, of keys or of the hash */

struct owner_page {
	char magic[8];
	uint32_t version, bucket_bytes;
	uint64_t n_buckets;
	uint64_t secret[3];
	uint32_t max_macs;
};

static const char magic[8] = "LANYFDB";

uint64_t fdb_secret[3];

void fdb_secret_make(void)
{
	while (!fdb_secret[1])
		if (getrandom(fdb_secret, sizeof(fdb_secret), 0) == sizeof(fdb_secret))
			fdb_secret[1] |= 1;
}

/* Load 0.4 at max_macs: two of five ways, so that second buckets stay rare. */
static uint64_t buckets_for(uint32_t max_macs)
{
	uint64_t n = 16;

	while (n * 2 < max_macs)
		n *= 2;
	return n;
}

/* Takes fd, on success. */
static struct fdb *map(int fd, uint32_t max_macs, uint32_t ageing_s)
{
	uint64_t n = buckets_for(max_macs);
	struct fdb *t = calloc(1, sizeof(*t) + (n + FDB_PAGE_BUCKETS - 1) / FDB_PAGE_BUCKETS);

	if (!t)
		return NULL;
	t->mask = n - 1;
	t->max_macs = max_macs;
	t->ageing_s = ageing_s;
	t->size_bytes = n * sizeof(struct bucket) + sizeof(struct owner_page);
	/* Default tables stay with small pages, of which each of a lab's many bridges touches a few. */
	t->buckets = pages_map(fd, t->size_bytes, n * sizeof(struct bucket) > PAGES_HUGE);
	if (!t->buckets) {
		free(t);
		return NULL;
	}
	t->fd = fd;
	return t;
}

static struct owner_page *owner_of(const struct fdb *t)
{
	return (struct owner_page *)(void *)&t->buckets[t->mask + 1];
}

int fdb_create(uint32_t max_macs, uint32_t ageing_s, struct fdb **out)
{
	uint64_t n = buckets_for(max_macs);
	int fd = memfd_sized("lanyard-fdb", n * sizeof(struct bucket) + sizeof(struct owner_page)), rc = 0;
	struct owner_page *o;

	fdb_secret_make();
	*out = NULL;
	if (fd < 0)
		return fd;
	if (!(*out = map(fd, max_macs, ageing_s)))
		rc = -ENOMEM;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	o = owner_of(*out);
	o->version = TABLE_VERSION;
	o->bucket_bytes = sizeof(struct bucket);
	o->n_buckets = n;
	o->max_macs = max_macs;
	memcpy(o->secret, fdb_secret, sizeof(fdb_secret));
	memcpy(o->magic, magic, sizeof(magic));
	return 0;
}

void fdb_destroy(struct fdb *t)
{
	if (!t)
		return;
	pages_free(t->buckets, t->size_bytes);
	fdb_fd_close(t);
	free(t);
}

int fdb_fd(const struct fdb *t)
{
	return t->fd;
}

void fdb_fd_close(struct fdb *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

uint32_t fdb_max_macs(const struct fdb *t)
{
	return t->max_macs;
}

/* ---- adoption ---- */

/* Reads the page behind the buckets; -EPROTO unless it belongs to a table like ours. */
static int owner_read(int fd, struct owner_page *o)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Nobody may cut it shorter while we have it. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size <= (off_t)sizeof(*o) ||
	    pread(fd, o, sizeof(*o), st.st_size - (off_t)sizeof(*o)) != sizeof(*o) ||
	    memcmp(o->magic, magic, sizeof(magic)) || o->version != TABLE_VERSION ||
	    o->bucket_bytes != sizeof(struct bucket) || o->max_macs < BRIDGE_MACS_MIN ||
	    o->max_macs > BRIDGE_MACS_MAX || o->n_buckets != buckets_for(o->max_macs) ||
	    memcmp(o->secret, fdb_secret, sizeof(fdb_secret)) ||
	    st.st_size != (off_t)(o->n_buckets * sizeof(struct bucket) + sizeof(*o)))
		return -EPROTO;
	return 0;
}

bool fdb_fits(int fd)
{
	struct owner_page o;
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(o) &&
	       pread(fd, &o, sizeof(o), st.st_size - (off_t)sizeof(o)) == sizeof(o) &&
	       !memcmp(o.magic, magic, sizeof(magic)) && o.version == TABLE_VERSION &&
	       o.bucket_bytes == sizeof(struct bucket);
}

static bool key_holds(uint64_t key)
{
	uint16_t vid = key >> 48 & 0xfff;

	return key >> 60 == 8 && vid && vid <= VLAN_VID_MAX && !(key & 1);
}

/* True for an entry that can be where it is; one in its second bucket is said to be there in its first. */
static bool way_holds(struct fdb *t, struct bucket *b, int i)
{
	uint64_t key = relaxed_load(&b->key[i]), hash = fdb_hash(key);
	struct bucket *first = first_bucket(t, hash);

	if (!key_holds(key) || PORT_OF(relaxed_load(&b->port[i])) >= SWITCH_PORTS_MAX)
		return false;
	for (int j = 0; j < i; j++)
		if (relaxed_load(&b->key[j]) == key)
			return false;
	if (first == b)
		return true;
	if (second_bucket(t, hash) != b || way_of(first, key) >= 0)
		return false;
	relaxed_store(&first->seq, relaxed_load(&first->seq) | SEQ_OVERFLOW);
	return true;
}

static unsigned bucket_adopt(struct fdb *t, struct bucket *b)
{
	bool torn = relaxed_load(&b->seq) & SEQ_LOCKED;
	unsigned n_dropped = 0;

	for (int i = 0; i < FDB_WAYS; i++) {
		uint16_t port = relaxed_load(&b->port[i]);

		if (!relaxed_load(&b->key[i]))
			continue;
		if ((torn && !(port & STATIC_BIT)) || !way_holds(t, b, i)) {
			relaxed_store(&b->key[i], 0);
			n_dropped++;
			continue;
		}
		way_count(t, b, port);
	}
	if (torn)
		bucket_unlock(b);
	return n_dropped;
}

/* Goes through what has pages, and only through that. */
static unsigned buckets_adopt(struct fdb *t)
{
	const off_t end = (off_t)((t->mask + 1) * sizeof(struct bucket));
	unsigned n_dropped = 0;
	off_t at = 0, to;

	while ((at = lseek(t->fd, at, SEEK_DATA)) >= 0 && at < end) {
		to = lseek(t->fd, at, SEEK_HOLE);
		if (to < 0 || to > end)
			to = end;
		for (; at < to; at += sizeof(struct bucket))
			n_dropped +=
				bucket_adopt(t, &t->buckets[(uint64_t)at / sizeof(struct bucket)]);
	}
	return n_dropped;
}

int fdb_adopt(int fd, uint32_t ageing_s, struct fdb **out, unsigned *n_dropped)
{
	struct owner_page o;
	int rc = owner_read(fd, &o);

	if (rc < 0)
		return rc;
	*out = map(fd, o.max_macs, ageing_s);
	if (!*out)
		return -ENOMEM;
	*n_dropped = buckets_adopt(*out);
	return 0;
}
