/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bridge-ref/cases.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32
#define ADDRS_MAX 32

struct addr {
	char name[CASES_NAME_MAX];
	uint8_t mac[6];
};

struct reader {
	const char *path;
	unsigned line;
	struct case_table *table;
	struct addr addrs[ADDRS_MAX];
	unsigned n_addrs;
	uint32_t on; /* setups of the cases that follow */
	char *words[WORDS_MAX];
	unsigned n_words;
};

static _Noreturn void fail(const struct reader *r, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s: \"%s\"\n", r->path, r->line, what, word);
	exit(2);
}

static void want(const struct reader *r, bool ok, const char *what)
{
	if (!ok)
		fail(r, what, r->words[0]);
}

static unsigned long number(const struct reader *r, const char *text, int base, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, base);

	if (end == text || *end || n > max)
		fail(r, "no number, or too large", text);
	return n;
}

static void name_copy(const struct reader *r, char name[CASES_NAME_MAX], const char *word)
{
	if ((size_t)snprintf(name, CASES_NAME_MAX, "%s", word) >= CASES_NAME_MAX)
		fail(r, "too long a name", word);
}

static size_t hex_append(const struct reader *r, const char *word, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (const char *c = word; *c;) {
		if (*c == '.' || *c == ':') {
			c++;
			continue;
		}
		char pair[3] = {c[0], c[1], 0};

		if (n == max)
			fail(r, "too long a frame", word);
		out[n++] = (uint8_t)number(r, pair, 16, 0xff);
		c += 2;
	}
	return n;
}

static const uint8_t *addr_find(const struct reader *r, const char *name)
{
	for (unsigned i = 0; i < r->n_addrs; i++)
		if (!strcmp(r->addrs[i].name, name))
			return r->addrs[i].mac;
	fail(r, "no addr of that name", name);
}

static void frame_read(const struct reader *r, unsigned first, struct case_step *step)
{
	for (unsigned i = first; i < r->n_words; i++) {
		const char *w = r->words[i];

		if (*w == '@') {
			memcpy(step->frame + step->len, addr_find(r, w + 1), 6);
			step->len += 6;
		} else if (*w == '/') {
			size_t len = number(r, w + 1, 10, CASES_FRAME_MAX);

			for (; step->len < len; step->len++)
				step->frame[step->len] = (uint8_t)step->len;
		} else {
			step->len += hex_append(r, w, step->frame + step->len,
						CASES_FRAME_MAX - 64 - step->len);
		}
	}
}

static void vids_read(const struct reader *r, char *text, uint64_t *set)
{
	for (char *save = NULL, *w = strtok_r(text, ",", &save); w;
	     w = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(w, '-');

		if (dash)
			*dash = 0;
		unsigned long lo = number(r, w, 10, VLAN_VID_MAX);
		unsigned long hi = dash ? number(r, dash + 1, 10, VLAN_VID_MAX) : lo;

		for (unsigned long vid = lo; vid <= hi; vid++)
			vlan_set_add(set, (uint16_t)vid);
	}
}

static struct case_setup *setup_last(const struct reader *r)
{
	want(r, r->table->n_setups, "belongs to a setup");
	return &r->table->setups[r->table->n_setups - 1];
}

static void port_read(struct reader *r)
{
	struct case_setup *setup = setup_last(r);
	struct case_port *port = &setup->ports[setup->n_ports];

	want(r, setup->n_ports < CASES_PORTS_MAX && r->n_words >= 4,
	     "too many ports, or words few");
	setup->n_ports++;
	name_copy(r, port->name, r->words[1]);
	if (!strcmp(r->words[2], "access")) {
		port->vlan.mode = VLAN_ACCESS;
		port->vlan.vid = (uint16_t)number(r, r->words[3], 10, VLAN_VID_MAX);
		return;
	}
	want(r, !strcmp(r->words[2], "trunk"), "want access or trunk");
	port->vlan.mode = VLAN_TRUNK;
	vids_read(r, r->words[3], port->vlan.vids);
	if (r->n_words == 6)
		port->vlan.native = (uint16_t)number(r, r->words[5], 10, VLAN_VID_MAX);
}

static void setup_read(struct reader *r)
{
	struct case_table *t = r->table;

	want(r, t->n_setups < CASES_SETUPS_MAX && r->n_words == 2, "want setup NAME");
	name_copy(r, t->setups[t->n_setups].name, r->words[1]);
	t->setups[t->n_setups++].ageing_s = 300;
}

static void reserved_read(struct reader *r)
{
	char *save = NULL;

	for (char *w = strtok_r(r->words[1], ",", &save); w; w = strtok_r(NULL, ",", &save))
		setup_last(r)->forward_reserved |= (uint16_t)(1u << number(r, w, 16, 15));
}

static void on_read(struct reader *r)
{
	r->on = 0;
	for (unsigned i = 1; i < r->n_words; i++) {
		unsigned s = 0;

		while (s < r->table->n_setups && strcmp(r->table->setups[s].name, r->words[i]))
			s++;
		if (s == r->table->n_setups)
			fail(r, "no setup of that name", r->words[i]);
		r->on |= 1u << s;
	}
}

static struct case_step *step_add(struct reader *r)
{
	struct case_table *t = r->table;

	want(r, t->n_cases && t->cases[t->n_cases - 1].n_steps < CASES_STEPS_MAX,
	     "no case, or full");
	struct case_ *c = &t->cases[t->n_cases - 1];
	struct case_step *step = calloc(1, sizeof(*step));

	want(r, step, "no memory for");
	return c->steps[c->n_steps++] = step;
}

static void case_read(struct reader *r)
{
	struct case_table *t = r->table;

	want(r, t->n_cases < CASES_MAX && r->n_words == 2, "want case NAME");
	name_copy(r, t->cases[t->n_cases].name, r->words[1]);
	t->cases[t->n_cases++].setups = r->on;
}

static void addr_read(struct reader *r)
{
	want(r, r->n_addrs < ADDRS_MAX && r->n_words == 3, "want addr NAME MAC");
	name_copy(r, r->addrs[r->n_addrs].name, r->words[1]);
	hex_append(r, r->words[2], r->addrs[r->n_addrs++].mac, 6);
}

static void line_read(struct reader *r)
{
	const char *verb = r->words[0];

	want(r, r->n_words >= 2, "too few words after");
	if (!strcmp(verb, "addr")) {
		addr_read(r);
	} else if (!strcmp(verb, "setup")) {
		setup_read(r);
	} else if (!strcmp(verb, "ageing")) {
		setup_last(r)->ageing_s = (uint32_t)number(r, r->words[1], 10, 30000);
	} else if (!strcmp(verb, "forward-reserved")) {
		reserved_read(r);
	} else if (!strcmp(verb, "port")) {
		port_read(r);
	} else if (!strcmp(verb, "on")) {
		on_read(r);
	} else if (!strcmp(verb, "case")) {
		case_read(r);
	} else if (!strcmp(verb, "wait")) {
		step_add(r)->wait_s = strtod(r->words[1], NULL);
	} else if (!strcmp(verb, "send")) {
		struct case_step *step = step_add(r);

		name_copy(r, step->port, r->words[1]);
		frame_read(r, 2, step);
	} else {
		fail(r, "unknown word", verb);
	}
}

struct case_table *cases_read(const char *path)
{
	struct reader r = {.path = path, .table = calloc(1, sizeof(*r.table))};
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f || !r.table)
		fail(&r, "cannot read", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char *save = NULL;

		r.line++;
		r.n_words = 0;
		line[strcspn(line, "#\n")] = 0;
		for (char *w = strtok_r(line, " \t", &save); w && r.n_words < WORDS_MAX;
		     w = strtok_r(NULL, " \t", &save))
			r.words[r.n_words++] = w;
		if (r.n_words)
			line_read(&r);
	}
	fclose(f);
	return r.table;
}

void cases_free(struct case_table *t)
{
	for (unsigned i = 0; t && i < t->n_cases; i++)
		for (unsigned s = 0; s < t->cases[i].n_steps; s++)
			free(t->cases[i].steps[s]);
	free(t);
}
