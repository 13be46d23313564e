/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/top_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/text_of.h"

#define NAME_WIDTH_MIN 12
#define NAME_WIDTH_MAX 32
#define NUMBER_WIDTH   9

/* The first two are texts, the others numbers. key: the letter that sorts by it. */
static const struct {
	const char *title, *key;
	char letter;
} columns[] = {
	{"PORT", "name", 'n'},
	{"STATE", "state", 't'},
	{"RX-FR/S", "rx_frames_per_s", '1'},
	{"TX-FR/S", "tx_frames_per_s", '2'},
	{"RX-BIT/S", "rx_bits_per_s", '3'},
	{"TX-BIT/S", "tx_bits_per_s", '4'},
	{"RX-DR/S", "rx_drops_per_s", '5'},
	{"TX-DR/S", "tx_drops_per_s", '6'},
};
#define N_COLUMNS   (sizeof(columns) / sizeof(columns[0]))
#define N_TEXTS	    2
#define STATE_WIDTH 12

unsigned top_n_columns(void)
{
	return N_COLUMNS;
}

int top_column_of(char key)
{
	for (unsigned i = 0; i < N_COLUMNS; i++)
		if (columns[i].letter == key)
			return (int)i;
	return -1;
}

static double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* ---- order ---- */

static int compare(const void *a, const void *b, void *arg)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	const struct top_view *v = arg;
	const char *key = columns[v->sort].key;
	int order;

	if (v->sort < N_TEXTS) {
		order = strcmp(text_of(x, key), text_of(y, key));
	} else {
		double n = number_of(x, key), m = number_of(y, key);

		order = (n < m) - (n > m); /* most first */
	}
	if (v->reversed)
		order = -order;
	/* Equal ones keep their places from one second to the next. */
	return order ? order : strcmp(text_of(x, "name"), text_of(y, "name"));
}

size_t top_rows(const struct top_view *v, const json_t *rates, const json_t ***out)
{
	const json_t *ports = json_object_get(rates, "ports"), *port;
	size_t n = 0, i;

	*out = calloc(json_array_size(ports) + 1, sizeof(const json_t *));
	if (!*out)
		return 0;
	json_array_foreach (ports, i, port)
		if (strstr(text_of(port, "name"), v->filter))
			(*out)[n++] = port;
	qsort_r(*out, n, sizeof(const json_t *), compare, (void *)v);
	return n;
}

/* ---- lines ---- */

/* As people read it in 6 characters: 0, 999, 1.00k, 12.3M, 123G. */
static char *top_number(double value, char *buf, size_t size)
{
	static const char units[] = " kMGTPE";
	unsigned u = 0;

	if (value < 999.5) {
		snprintf(buf, size, "%.0f", value);
		return buf;
	}
	while (value >= 999.5 && u < sizeof(units) - 2) {
		value /= 1000;
		u++;
	}
	snprintf(buf, size, "%.*f%c", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[u]);
	return buf;
}

/* How many columns fit, and how wide the name may be. */
static unsigned layout(int width, int *name_width)
{
	unsigned n = 1;
	int used = NAME_WIDTH_MIN;

	if (width >= used + STATE_WIDTH + 1) {
		used += STATE_WIDTH + 1;
		n++;
	}
	while (n > 1 && n < N_COLUMNS && width >= used + NUMBER_WIDTH + 1) {
		used += NUMBER_WIDTH + 1;
		n++;
	}
	*name_width = NAME_WIDTH_MIN + (width > used ? width - used : 0);
	if (*name_width > NAME_WIDTH_MAX)
		*name_width = NAME_WIDTH_MAX;
	if (*name_width > width)
		*name_width = width;
	return n;
}

static void add(char *line, size_t size, const char *fmt, int width, const char *text)
{
	size_t len = strlen(line);

	snprintf(line + len, size - len, fmt, width, width, text);
}

void top_heading(const struct top_view *v, int width, char *line, size_t size)
{
	int name_width;
	unsigned n = layout(width, &name_width);

	line[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		char title[24];

		/* The column that ports are sorted by has a mark. */
		snprintf(title, sizeof(title), "%s%s", columns[i].title,
			 v->sort != i  ? ""
			 : v->reversed ? "^"
				       : "v");
		add(line, size,
		    i == 0	  ? "%-*.*s"
		    : i < N_TEXTS ? " %-*.*s"
				  : " %*.*s",
		    i == 0	  ? name_width
		    : i < N_TEXTS ? STATE_WIDTH
				  : NUMBER_WIDTH,
		    title);
	}
}

void top_port_line(const json_t *port, int width, char *line, size_t size)
{
	int name_width;
	unsigned n = layout(width, &name_width);
	char number[16];

	line[0] = '\0';
	add(line, size, "%-*.*s", name_width, text_of(port, "name"));
	if (n > 1)
		add(line, size, " %-*.*s", STATE_WIDTH, text_of(port, "state"));
	for (unsigned i = N_TEXTS; i < n; i++)
		add(line, size, " %*.*s", NUMBER_WIDTH,
		    top_number(number_of(port, columns[i].key), number, sizeof(number)));
}

void top_worker_line(const json_t *worker, int width, char *line, size_t size)
{
	char frames[16], sleeps[16], cycles[16] = "-", cpu[16] = "-";

	if (json_is_number(json_object_get(worker, "recent_cycles_per_frame")))
		snprintf(cycles, sizeof(cycles), "%.1f", number_of(worker, "recent_cycles_per_frame"));
	if (json_is_integer(json_object_get(worker, "cpu")))
		snprintf(cpu, sizeof(cpu), "%.0f", number_of(worker, "cpu"));
	snprintf(
		line, size,
		"worker %2.0f  cpu %3s  busy %5.1f %%  %6s frames/s  %7s cycles/frame  %6s sleeps/s",
		number_of(worker, "id"), cpu, 100 * number_of(worker, "busy_share"),
		top_number(number_of(worker, "frames_per_s"), frames, sizeof(frames)), cycles,
		top_number(number_of(worker, "sleeps_per_s"), sleeps, sizeof(sleeps)));
	if (width >= 0 && (size_t)width < strlen(line))
		line[width] = '\0';
}

void top_sum_line(const json_t *rates, int width, char *line, size_t size)
{
	const json_t *ports = json_object_get(rates, "ports"), *port;
	double rx = 0, tx = 0, bits = 0, drops = 0;
	char t[4][16];
	size_t n_up = 0, i;

	json_array_foreach (ports, i, port) {
		n_up += !strcmp(text_of(port, "state"), "up");
		rx += number_of(port, "rx_frames_per_s");
		tx += number_of(port, "tx_frames_per_s");
		bits += number_of(port, "tx_bits_per_s");
		drops += number_of(port, "rx_drops_per_s") + number_of(port, "tx_drops_per_s");
	}
	snprintf(line, size,
		 "%zu ports, %zu up: %s frames/s in, %s frames/s and %s bit/s out, %s drops/s",
		 json_array_size(ports), n_up, top_number(rx, t[0], sizeof(t[0])),
		 top_number(tx, t[1], sizeof(t[1])), top_number(bits, t[2], sizeof(t[2])),
		 top_number(drops, t[3], sizeof(t[3])));
	if (width >= 0 && (size_t)width < strlen(line))
		line[width] = '\0';
}
