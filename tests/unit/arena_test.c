/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arena: what a successor finds in it, and what it refuses.
 */
#include "tests/unit/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "switch/arena.h"
#include "switch/arena_text.h"

/* The lab's arena as a successor gets it: by a descriptor of its own. */
static struct arena *adopted(struct lab *lab, unsigned want_dropped)
{
	struct err err = ERR_NONE;
	struct arena *a = NULL;
	unsigned n_dropped;

	if (arena_adopt(dup(switch_arena_fd(lab->sw)), &a, &n_dropped, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n_dropped, want_dropped);
	return a;
}

static struct arena_port *kept_port(struct arena *a, const char *name)
{
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
		if (arena_port_used(a, i) && !strcmp(arena_port(a, i)->name, name))
			return arena_port(a, i);
	return NULL;
}

static struct arena_bridge *kept_bridge(struct arena *a, const char *name)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (arena_bridge_used(a, i) && !strcmp(arena_bridge(a, i)->name, name))
			return arena_bridge(a, i);
	return NULL;
}

static void successor_finds_bridges_and_ports(void **state)
{
	struct lab *lab = *state;
	struct vlan_policy access = vlan_access(10);
	struct arena_port *k;
	struct arena *a;

	lab_port(lab, 0, lab->br, NULL);
	lab_port(lab, 1, lab->br, NULL);
	assert_int_equal(port_vlan_set(fake_port(lab->port[1]), &access, NULL), 0);
	assert_int_equal(port_mtu_set(fake_port(lab->port[1]), 1500, NULL), 0);
	port_owner_set(fake_port(lab->port[1]), "class", true);
	bridge_owner_set(lab->br, NULL, false);
	a = adopted(lab, 0);
	k = kept_port(a, "p1");
	assert_non_null(k);
	assert_string_equal(arena_bridge(a, k->bridge)->name, "br");
	assert_int_equal(k->vlan.mode, VLAN_ACCESS);
	assert_int_equal(k->vlan.vid, 10);
	assert_int_equal(k->mtu, 1500);
	assert_string_equal(k->owner.lab, "class");
	assert_true(k->owner.transient);
	assert_int_equal(k->peer, ARENA_NONE);
	assert_int_equal(kept_bridge(a, "br")->opts.ageing_s, bridge_opts(lab->br)->ageing_s);
	arena_destroy(a);
}

static void what_is_deleted_is_gone(void **state)
{
	struct lab *lab = *state;
	const struct bridge_opts o = {.ageing_s = 300, .max_macs = 4096};
	struct port_opts po = {.name = "wire", .bridge = lab->br};
	struct bridge *other;
	struct port *wire;
	struct arena *a;

	vlan_policy_default(&po.vlan);
	assert_int_equal(bridge_add(lab->sw, "other", &o, &other, NULL), 0);
	assert_int_equal(link_add(lab->sw, &po, other, &wire, NULL), 0);
	assert_int_equal(port_admin_set(wire, false, NULL), 0);
	a = adopted(lab, 0);
	assert_ptr_equal(arena_port(a, kept_port(a, "wire")->peer), kept_port(a, "wire~peer"));
	assert_ptr_equal(arena_port(a, kept_port(a, "wire~peer")->peer), kept_port(a, "wire"));
	assert_true(kept_port(a, "wire~peer")->down);
	assert_int_equal(port_del(wire, NULL), 0);
	assert_int_equal(bridge_del(other, NULL), 0);
	assert_null(kept_port(a, "wire"));
	assert_null(kept_port(a, "wire~peer"));
	assert_null(kept_bridge(a, "other"));
	assert_non_null(kept_bridge(a, "br"));
	arena_destroy(a);
}

/* A fresh arena of one bridge and two linked ports, each as good as `bend` leaves it. */
static unsigned dropped_after(void (*bend)(struct arena *a, struct arena_bridge *b, struct arena_port *p))
{
	struct arena *a, *next;
	struct arena_bridge *b;
	unsigned n;

	assert_int_equal(arena_create(&a, NULL), 0);
	b = arena_bridge_free(a);
	memcpy(b->name, "br", 3);
	arena_bridge_use(a, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct arena_port *p = arena_port(a, i);

		p->name[0] = (char)('a' + i);
		memcpy(p->type, "link", 5);
		p->peer = (uint16_t)(1 - i);
		vlan_policy_default(&p->vlan);
		arena_port_use(a, i);
	}
	bend(a, b, arena_port(a, 0));
	assert_int_equal(arena_adopt(dup(arena_fd(a)), &next, &n, NULL), 0);
	arena_destroy(next);
	arena_destroy(a);
	return n;
}

static void nothing(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
}

static void bridge_gone(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	arena_bridge_drop(a, 0);
}

static void name_without_end(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	memset(p->name, 'x', sizeof(p->name));
}

static void bridge_beyond(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	p->bridge = SWITCH_BRIDGES_MAX;
}

static void peer_beyond(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	p->peer = SWITCH_PORTS_MAX;
}

static void vlan_beyond(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	p->vlan.mode = VLAN_ACCESS;
	p->vlan.vid = 4095;
}

static void bridge_without_name(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	b->name[0] = '\0';
}

static void port_half_made(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	arena_port_drop(a, 0);
}

static void slots_that_do_not_hold_together_are_dropped(void **state)
{
	assert_int_equal(dropped_after(nothing), 0);
	assert_int_equal(dropped_after(bridge_gone), 2);
	assert_int_equal(dropped_after(name_without_end), 2); /* its other end goes with it */
	assert_int_equal(dropped_after(bridge_beyond), 2);
	assert_int_equal(dropped_after(peer_beyond), 2);
	assert_int_equal(dropped_after(vlan_beyond), 2);
	assert_int_equal(dropped_after(bridge_without_name), 3);
	assert_int_equal(dropped_after(port_half_made), 1);
}

static void settings_wild(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	p->settings = UINT64_MAX;
}

static void settings_beyond(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	p->settings = 300ull << 32 | (TEXTS_BYTES / TEXTS_BLOCK - 1);
}

static void settings_without_end(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	assert_int_equal(arena_text_set(a, &p->settings, "text"), 0);
	p->settings -= 1ull << 32;
}

/* The bridge has it too, and is looked at first. */
static void settings_of_another(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	assert_int_equal(arena_text_set(a, &p->settings, "text"), 0);
	b->settings = p->settings;
}

static void byte_no_bool(struct arena *a, struct arena_bridge *b, struct arena_port *p)
{
	memset(&p->down, 7, 1);
}

static void slots_with_strange_words_are_dropped(void **state)
{
	assert_int_equal(dropped_after(settings_wild), 2);
	assert_int_equal(dropped_after(settings_beyond), 2);
	assert_int_equal(dropped_after(settings_without_end), 2);
	assert_int_equal(dropped_after(settings_of_another), 2);
	assert_int_equal(dropped_after(byte_no_bool), 2);
}

#define N_TEXTS 40

/* Texts of all lengths, changed in any order, over ten processes. */
static void texts_outlive_the_process(void **state)
{
	static char model[N_TEXTS][70000];
	struct arena *a, *next;
	unsigned n_dropped;

	assert_int_equal(arena_create(&a, NULL), 0);
	for (unsigned i = 0; i < N_TEXTS; i++) {
		arena_port(a, i)->name[0] = arena_port(a, i)->type[0] = 'p';
		arena_port(a, i)->peer = ARENA_NONE;
		vlan_policy_default(&arena_port(a, i)->vlan);
		arena_port_use(a, i);
	}
	memcpy(arena_bridge(a, 0)->name, "br", 3);
	arena_bridge_use(a, 0);
	for (unsigned life = 0; life < 10; life++) {
		for (unsigned k = 0; k < 400; k++) {
			unsigned i = (unsigned)rand() % N_TEXTS;
			size_t len = i == 1 ? 60000 : (unsigned)rand() % (k % 8 ? 700 : sizeof(model[i]));

			memset(model[i], 'a' + (int)(k % 26), len);
			model[i][len] = '\0';
			assert_int_equal(arena_text_set(a, &arena_port(a, i)->settings, model[i]), 0);
		}
		/* What is replaced makes room. */
		for (unsigned k = 0; life == 0 && k < 2 * TEXTS_BYTES / sizeof(model[0]); k++)
			assert_int_equal(arena_text_set(a, &arena_port(a, 0)->settings, model[1]), 0);
		arena_text_set(a, &arena_port(a, 0)->settings, model[0]);
		assert_int_equal(arena_adopt(dup(arena_fd(a)), &next, &n_dropped, NULL), 0);
		assert_int_equal(n_dropped, 0);
		arena_destroy(a);
		a = next;
		for (unsigned i = 0; i < N_TEXTS; i++)
			assert_string_equal(arena_text(a, arena_port(a, i)->settings), model[i]);
	}
	arena_destroy(a);
}

static void assert_refused(int fd, const char *why)
{
	struct err err = ERR_NONE;
	struct arena *a;
	unsigned n;

	assert_int_equal(arena_adopt(fd, &a, &n, &err), -EPROTO);
	assert_non_null(strstr(err.text, why));
}

static void memory_of_another_build_is_refused(void **state)
{
	struct arena *a;
	struct stat st;
	uint32_t *words;
	int fd, short_fd;

	assert_int_equal(arena_create(&a, NULL), 0);
	fd = arena_fd(a);
	fstat(fd, &st);
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	words[5]++; /* a size */
	assert_refused(fd, "other sizes");
	words[2]++;
	assert_refused(fd, "has version 5 instead of 4");
	words[0] = 0;
	assert_refused(fd, "its first bytes are wrong");
	/* Nobody cuts it under whoever maps it; one of another size is another's. */
	assert_int_equal(ftruncate(fd, st.st_size - 4096), -1);
	short_fd = memfd_create("unsealed", MFD_CLOEXEC);
	assert_int_equal(ftruncate(short_fd, st.st_size), 0);
	assert_refused(short_fd, "cut shorter");
	close(short_fd);
	short_fd = memfd_sized("short", (uint64_t)st.st_size - 4096);
	assert_refused(short_fd, "bytes instead of");
	close(short_fd);
	munmap(words, 4096);
	arena_destroy(a);
}

/* 4096 ports of 5 KiB each: only what is touched takes memory. */
static void empty_slots_cost_nothing(void **state)
{
	struct arena *a, *next;
	struct stat st;
	unsigned n;

	assert_int_equal(arena_create(&a, NULL), 0);
	fstat(arena_fd(a), &st);
	assert_true(st.st_blocks * 512 <= 4 * 4096);
	/* Nor does a look at all of them. */
	assert_int_equal(arena_adopt(dup(arena_fd(a)), &next, &n, NULL), 0);
	fstat(arena_fd(a), &st);
	assert_true(st.st_blocks * 512 <= 4 * 4096);
	arena_destroy(next);
	arena_destroy(a);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(successor_finds_bridges_and_ports),
		T(what_is_deleted_is_gone),
		cmocka_unit_test(slots_that_do_not_hold_together_are_dropped),
		cmocka_unit_test(slots_with_strange_words_are_dropped),
		cmocka_unit_test(texts_outlive_the_process),
		cmocka_unit_test(memory_of_another_build_is_refused),
		cmocka_unit_test(empty_slots_cost_nothing),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
