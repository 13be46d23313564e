/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that another process opens, as the one that forwards sees it: what the keeper says, in whatever order, and what
 * whoever asked hears.
 *
 * How      The keeper is a table that writes down what it was asked; its answers are given by hand.
 */
#include "tests/unit/control_fixture.h"

#include <errno.h>
#include <string.h>

#include "control/daemon/opener.h"

struct scene {
	struct fixture *f;
	struct opener *o;
	uint32_t number;  /* of the last question */
	char device[64];  /* … and what for */
	unsigned n_opens, n_unopens, n_asks;
};

/* Who asked. */
struct asker {
	unsigned n;
	int rc;
	char text[128];
	bool needs;
};

static void on_ask(void *arg, const char *reason)
{
	((struct scene *)arg)->n_asks++;
}

static void on_open(void *arg, uint32_t number, const struct device_want *w)
{
	struct scene *s = arg;

	s->n_opens++;
	s->number = number;
	snprintf(s->device, sizeof(s->device), "%.60s", w->device);
}

static void on_unopen(void *arg)
{
	((struct scene *)arg)->n_unopens++;
}

static bool on_opened(void *arg, int rc, const struct err *err)
{
	struct asker *a = arg;

	a->n++;
	a->rc = rc;
	snprintf(a->text, sizeof(a->text), "%.120s", err->text);
	return a->needs;
}

static bool on_tried(void *arg, int rc, struct err *err)
{
	return on_opened(arg, rc, err);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_int_equal(fixture_setup((void **)&s->f), 0);
	s->f->d.keeper = (struct daemon_keeper){.ask = on_ask, .open = on_open, .unopen = on_unopen, .arg = s};
	assert_int_equal(opener_create(&s->f->d, &s->o), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	opener_destroy(s->o);
	loop_timer_del(s->f->d.hold_timer);
	fixture_teardown((void **)&s->f);
	free(s);
	return 0;
}

static struct device_want want(const char *device)
{
	struct device_want w = {0};

	snprintf(w.device, sizeof(w.device), "%s", device);
	return w;
}

static struct device_ask *ask_for(struct scene *s, const char *device, struct asker *a)
{
	const struct device_opener *t = opener_table(s->o);
	const struct device_want w = want(device);
	struct device_ask *out;

	assert_int_equal(t->ask(t->arg, &w, on_opened, a, &out, NULL), 0);
	return out;
}

static bool has(struct scene *s, const char *device)
{
	const struct device_opener *t = opener_table(s->o);
	const struct device_want w = want(device);

	return t->has(t->arg, &w);
}

static void what_opens_is_gone_on_with(void **state)
{
	struct asker a = {.needs = true};
	struct scene *s = *state;

	ask_for(s, "one", &a);
	assert_string_equal(s->device, "one");
	assert_true(opener_busy(s->o) && a.n == 0);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(a.n == 1 && a.rc == 0 && has(s, "one"));
	assert_false(opener_busy(s->o));
	assert_int_equal(s->n_asks, 1);
	assert_int_equal(s->n_unopens, 0);
}

static void what_does_not_open_is_its_own_sentence(void **state)
{
	struct asker a = {.needs = true};
	struct scene *s = *state;

	ask_for(s, "one", &a);
	opener_heard(s->o, s->number, -EPERM, "it may not be", "ask somebody");
	assert_true(a.n == 1 && a.rc == -EPERM && !has(s, "one"));
	assert_string_equal(a.text, "it may not be");
	assert_int_equal(s->n_asks, 0);
}

static void answers_to_others_questions_are_nobodys(void **state)
{
	struct asker a = {.needs = true};
	struct scene *s = *state;

	opener_heard(s->o, 77, 0, "", "");
	ask_for(s, "one", &a);
	opener_heard(s->o, s->number + 1, 0, "", "");
	opener_heard(s->o, s->number - 1, -EIO, "old", "");
	assert_true(a.n == 0 && opener_busy(s->o) && !has(s, "one"));
	opener_heard(s->o, s->number, -EIO, "its own", "");
	opener_heard(s->o, s->number, 0, "the same once more", "");
	assert_true(a.n == 1 && a.rc == -EIO && !has(s, "one"));
	assert_int_equal(s->n_asks, 0);
}

static void one_question_at_a_time(void **state)
{
	struct asker a = {.needs = true}, b = {.needs = true};
	struct scene *s = *state;
	uint32_t first;

	ask_for(s, "one", &a);
	first = s->number;
	ask_for(s, "two", &b);
	assert_int_equal(s->n_opens, 1);
	opener_heard(s->o, first, 0, "", "");
	assert_true(a.n == 1 && b.n == 0 && s->n_opens == 2);
	assert_string_equal(s->device, "two");
	assert_int_equal(s->n_asks, 0); /* the second one's turn first */
	assert_int_not_equal(s->number, first);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(b.n == 1 && has(s, "one") && has(s, "two") && s->n_asks == 1);
}

static void what_nobody_needs_is_closed_there(void **state)
{
	struct asker a = {.needs = false}, b = {.needs = true};
	struct scene *s = *state;
	struct device_ask *forgotten;

	ask_for(s, "one", &a);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(a.n == 1 && !has(s, "one") && s->n_asks == 0 && s->n_unopens == 1);
	forgotten = ask_for(s, "two", &b);
	opener_table(s->o)->forget(forgotten);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(b.n == 0 && !has(s, "two") && s->n_asks == 0 && s->n_unopens == 2);
	assert_false(opener_busy(s->o));
}

/* The process that had it open has died before it could go on. */
static void what_is_lost_is_open_no_more(void **state)
{
	struct asker a = {.needs = true}, b = {.needs = true};
	struct scene *s = *state;

	ask_for(s, "one", &a);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(has(s, "one"));
	ask_for(s, "two", &b);
	opener_heard(s->o, 0, -EIO, "it has died", "");
	assert_false(has(s, "one"));
	assert_true(b.n == 0 && opener_busy(s->o)); /* its own answer comes yet */
	opener_heard(s->o, s->number, -EIO, "it has died in the middle", "");
	assert_true(b.n == 1 && b.rc == -EIO);
	assert_false(opener_busy(s->o));
}

/* The switch ends first. */
static void who_is_never_answered_hears_of_the_end(void **state)
{
	struct asker a = {.needs = true}, b = {.needs = true};
	struct scene *s = *state;

	ask_for(s, "one", &a);
	ask_for(s, "two", &b);
	opener_destroy(s->o);
	s->o = NULL;
	assert_true(a.n == 1 && a.rc == -ESHUTDOWN && b.n == 1 && b.rc == -ESHUTDOWN);
}

static void refused_succession_is_asked_for_again(void **state)
{
	struct asker a = {.needs = true};
	struct scene *s = *state;

	ask_for(s, "one", &a);
	opener_heard(s->o, s->number, 0, "", "");
	opener_stayed(s->o);
	assert_int_equal(s->n_asks, 1);
	for (uint64_t end_ns = loop_now_ns() + 10 * S_NS; s->n_asks == 1 && loop_now_ns() < end_ns;)
		loop_once(s->f->d.loop, 100);
	assert_int_equal(s->n_asks, 2);
}

static void of_several_all_open_or_none(void **state)
{
	const struct device_want wants[] = {want("one"), want("two"), want("three")};
	struct asker a = {.needs = true};
	struct scene *s = *state;

	assert_int_equal(opener_try(s->o, wants, 3, on_tried, &a, NULL), 0);
	opener_heard(s->o, s->number, 0, "", "");
	opener_heard(s->o, s->number, -ENODEV, "two is not there", "");
	assert_true(a.n == 0);
	opener_heard(s->o, s->number, 0, "", "");
	assert_true(a.n == 1 && a.rc == -ENODEV);
	assert_string_equal(a.text, "two is not there");
	assert_false(has(s, "one") || has(s, "two") || has(s, "three"));
	assert_int_equal(s->n_asks, 0);
	assert_int_equal(s->n_unopens, 1);
	assert_int_equal(opener_try(s->o, wants, 3, on_tried, &a, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		opener_heard(s->o, s->number, 0, "", "");
	assert_true(a.n == 2 && a.rc == 0 && has(s, "one") && has(s, "two") && has(s, "three"));
	assert_int_equal(s->n_asks, 1);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_opens_is_gone_on_with),
		T(what_does_not_open_is_its_own_sentence),
		T(answers_to_others_questions_are_nobodys),
		T(one_question_at_a_time),
		T(what_nobody_needs_is_closed_there),
		T(what_is_lost_is_open_no_more),
		T(who_is_never_answered_hears_of_the_end),
		T(refused_succession_is_asked_for_again),
		T(of_several_all_open_or_none),
	};

	return cmocka_run_group_tests(tests, lab_group_setup, NULL);
}
