/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database against a naive model, and several writers at once.
 *
 * How      The model is an array of keys. Nothing is evicted, so both must agree in every answer.
 */
#include "tests/unit/fdb_tables.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/dice.h"

static uint32_t next_s; /* of sweeps where it does not matter */

/* ---- the model ---- */

#define MODEL_KEYS  2000
#define MODEL_PORTS 12

struct model_entry {
	bool there, is_static;
	uint16_t port;
	uint32_t seen_s;
};

static struct model_entry model[MODEL_KEYS];

static bool model_lives(unsigned i, uint32_t now_s)
{
	const struct model_entry *e = &model[i];

	return e->there && (e->is_static || now_s - e->seen_s <= AGEING_S);
}

static void model_learn(unsigned i, uint16_t port, uint32_t now_s)
{
	if (model[i].there && model[i].is_static)
		return;
	model[i] = (struct model_entry){.there = true, .port = port, .seen_s = now_s};
}

static void model_flush(uint16_t port, bool statics)
{
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		if ((port == FDB_NO_PORT || model[i].port == port) &&
		    (statics || !model[i].is_static))
			model[i].there = false;
}

static uint64_t model_key(unsigned i)
{
	return key_of(i / 4, (uint16_t)(1 + i % 4)); /* the same address in four VLANs */
}

/* Every live entry once and nothing else, in steps of n. */
static void read_equals_model(const struct fdb *t, uint32_t now_s, unsigned n)
{
	static unsigned seen[MODEL_KEYS];
	struct fdb_entry e[256];
	unsigned n_read = 0, n_live = 0;
	uint64_t at = 0;

	memset(seen, 0, sizeof(seen));
	do {
		unsigned got = fdb_read(t, &at, e, n, now_s);

		for (unsigned k = 0; k < got; k++) {
			unsigned i = (unsigned)(e[k].key >> 8 & 0xffff) * 4 +
				     (unsigned)(e[k].key >> 48 & 0xfff) - 1;

			assert_true(i < MODEL_KEYS && e[k].key == model_key(i));
			assert_true(model_lives(i, now_s));
			assert_int_equal(seen[i]++, 0);
			assert_int_equal(e[k].port, model[i].port);
			assert_int_equal(e[k].is_static, model[i].is_static);
			assert_int_equal(e[k].age_s,
					 model[i].is_static ? 0 : now_s - model[i].seen_s);
			n_read++;
		}
	} while (at);
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		n_live += model_lives(i, now_s);
	assert_int_equal(n_read, n_live);
}

static void random_change(struct fdb *t, uint32_t now_s, uint64_t *sweep_at)
{
	uint64_t r = dice();
	unsigned i = r % MODEL_KEYS, what = r >> 32 & 0xffff;
	uint16_t port = (uint16_t)(r >> 48) % MODEL_PORTS;

	if (what < 60000) {
		learn(t, model_key(i), port, now_s);
		model_learn(i, port, now_s);
	} else if (what < 61000) {
		assert_int_equal(fdb_add(t, model_key(i), port, now_s), 0);
		model[i] = (struct model_entry){true, true, port, now_s};
	} else if (what < 65000) {
		bool is_static = model[i].there && model[i].is_static;

		/* An expired entry may have been swept or not. */
		if (is_static || !model[i].there || model_lives(i, now_s))
			assert_int_equal(fdb_del(t, model_key(i)), model[i].there ? 0 : -ENOENT);
		else
			fdb_del(t, model_key(i));
		model[i].there = false;
	} else if (what < 65520) {
		fdb_sweep(t, sweep_at, r >> 50 & 255, now_s, &next_s);
	} else {
		fdb_flush(t, what & 1 ? port : FDB_NO_PORT, what & 2);
		model_flush(what & 1 ? port : FDB_NO_PORT, what & 2);
	}
}

static void random_operations_equal_the_model(void **state)
{
	struct fdb *t = table(65536); /* so wide that nothing is evicted */
	uint32_t now_s = 65000;	      /* the stamps soon wrap */
	uint64_t sweep_at = 0;

	memset(model, 0, sizeof(model));
	for (unsigned k = 0; k < 1000000; k++) {
		unsigned i = (unsigned)(dice() % MODEL_KEYS);

		random_change(t, now_s, &sweep_at);
		assert_int_equal(lookup(t, model_key(i), now_s),
				 model_lives(i, now_s) ? model[i].port : FDB_NO_PORT);
		if (k % 500 == 0)
			now_s += (uint32_t)(dice() % 90);
		if (k % 5000 == 0)
			read_equals_model(t, now_s, FDB_WAYS + (unsigned)(dice() % 250));
		/* As every 5 s in the switch: ages must not come round. */
		if (k % 20000 == 0)
			do
				fdb_sweep(t, &sweep_at, 65536, now_s, &next_s);
			while (sweep_at);
	}
	assert_int_equal(fdb_n_full(t), 0);
	assert_int_equal(fdb_n_evicted(t), 0);
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_entries(t), 0);
	fdb_destroy(t);
}

/* ---- age ---- */

static void entry_lives_for_its_ageing_time(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1);

	learn(t, key, 3, 1000);
	assert_int_equal(lookup(t, key, 1000 + AGEING_S), 3);
	assert_int_equal(lookup(t, key, 1001 + AGEING_S), FDB_NO_PORT);
	learn(t, key, 3, 1001 + AGEING_S);
	assert_int_equal(lookup(t, key, 1001 + 2 * AGEING_S), 3);
	fdb_destroy(t);
}

static void sweep_tells_when_the_next_entry_expires(void **state)
{
	struct fdb *t = table(64);
	uint32_t next = UINT32_MAX;
	uint64_t at = 0;

	assert_int_equal(fdb_add(t, key_of(1, 1), 3, 0), 0);
	fdb_sweep(t, &at, 1 << 20, 1000, &next);
	assert_int_equal(next, UINT32_MAX); /* static */
	learn(t, key_of(2, 1), 3, 1000);
	learn(t, key_of(3, 1), 3, 1010);
	fdb_sweep(t, &at, 1 << 20, 1020, &next);
	assert_int_equal(next, AGEING_S + 1 - 20);
	assert_int_equal(fdb_n_learned(t), 2);
	next = UINT32_MAX;
	fdb_sweep(t, &at, 1 << 20, 1020 + AGEING_S + 1 - 20, &next);
	assert_int_equal(fdb_n_learned(t), 1);
	assert_int_equal(next, 10);
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_learned(t), 0);
	fdb_destroy(t);
}

static void static_entry_neither_ages_nor_moves(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1), at = 0;

	assert_int_equal(fdb_add(t, key, 3, 0), 0);
	learn(t, key, 4, 1);
	fdb_sweep(t, &at, 1 << 20, 30000, &next_s);
	assert_int_equal(lookup(t, key, 30000), 3);
	assert_int_equal(fdb_flush(t, 3, false), 0);
	assert_int_equal(fdb_flush(t, 3, true), 1);
	fdb_destroy(t);
}

/* Workers look at the clock once a round: one may be a second behind the one that has learned. */
static void entry_learned_by_a_clock_ahead_is_not_expired(void **state)
{
	struct fdb *t = table(64);
	uint64_t key = key_of(1, 1), at = 0;
	struct fdb_entry e[FDB_WAYS * 2];
	unsigned n = 0;

	learn(t, key, 3, 70000);
	assert_int_equal(lookup(t, key, 69999), 3);
	fdb_sweep(t, &at, 1 << 20, 69999, &next_s);
	assert_int_equal(fdb_n_entries(t), 1);
	do
		n += fdb_read(t, &at, e, FDB_WAYS * 2, 69999);
	while (at && !n);
	assert_int_equal(n, 1);
	assert_int_equal(e[0].age_s, 0);
	fdb_destroy(t);
}

static void read_with_a_wild_cursor_ends(void **state)
{
	struct fdb *t = table(64);
	struct fdb_entry e[FDB_WAYS];
	uint64_t at = UINT64_MAX;

	assert_int_equal(fdb_read(t, &at, e, FDB_WAYS, 0), 0);
	assert_int_equal(at, 0);
	fdb_destroy(t);
}

/* ---- threads ---- */

#define SHARED_KEYS 256 /* in a table of 80 places: they push one another out all the time */

struct party {
	struct fdb *t;
	uint64_t seed;
	atomic_bool *stop;
	uint64_t n_wrong;
	_Atomic uint64_t n_found;
};

/* Key i is only ever learned on ports i % 64 and i % 64 + 64. */
static void *learn_and_look_up(void *arg)
{
	struct party *p = arg;
	uint64_t r = p->seed;

	while (!atomic_load_explicit(p->stop, memory_order_relaxed)) {
		uint64_t i, k, key;
		uint16_t port;

		r = r * 6364136223846793005ull + 1442695040888963407ull;
		i = r >> 33 & (SHARED_KEYS - 1);
		k = r >> 45 & (SHARED_KEYS - 1);
		learn(p->t, key_of(i, 1), (uint16_t)(i % 64 + (r >> 60 & 1) * 64), 1);
		key = key_of(k, 1);
		port = lookup(p->t, key, 1);
		p->n_found += port != FDB_NO_PORT;
		p->n_wrong += port != FDB_NO_PORT && port % 64 != k % 64;
	}
	return NULL;
}

static unsigned read_wrong(const struct fdb *t)
{
	struct fdb_entry e[64];
	unsigned n_wrong = 0;
	uint64_t at = 0;

	do {
		unsigned n = fdb_read(t, &at, e, 64, 1);

		for (unsigned k = 0; k < n; k++)
			n_wrong += e[k].port % 64 != (e[k].key >> 8 & 63);
	} while (at);
	return n_wrong;
}

static void threads_never_see_another_keys_port(void **state)
{
	struct fdb *t = table(16);
	atomic_bool stop = false;
	struct party p[2] = {{t, 1, &stop, 0, 0}, {t, 2, &stop, 0, 0}};
	pthread_t thread[2];
	unsigned n_wrong = 0, n_entries = 0;
	struct fdb_entry e[64];
	uint64_t at = 0;

	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, learn_and_look_up, &p[i]);
	for (unsigned k = 0; k < 20000 || p[0].n_found < 10000 || p[1].n_found < 10000; k++) {
		n_wrong += read_wrong(t);
		fdb_add(t, key_of(k % SHARED_KEYS, 1), k % 64, 1);
		fdb_flush(t, (uint16_t)(k % 128), true);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(p[0].n_wrong + p[1].n_wrong, 0);
	do
		n_entries += fdb_read(t, &at, e, 64, 1);
	while (at);
	assert_int_equal(fdb_n_entries(t), n_entries); /* the books are straight */
	fdb_flush(t, FDB_NO_PORT, true);
	assert_int_equal(fdb_n_entries(t), 0);
	fdb_destroy(t);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(random_operations_equal_the_model),
		T(entry_lives_for_its_ageing_time),
		T(sweep_tells_when_the_next_entry_expires),
		T(static_entry_neither_ages_nor_moves),
		T(entry_learned_by_a_clock_ahead_is_not_expired),
		T(read_with_a_wild_cursor_ends),
		T(threads_never_see_another_keys_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
