/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `top` shows: rows chosen and ordered, and lines of text from them. No terminal in here.
 *
 * Threads  the CLI's only one.
 */
#ifndef CONTROL_CLI_TOP_VIEW_H
#define CONTROL_CLI_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TOP_LINE_BYTES 512
#define TOP_FILTER_MAX 64

struct top_view {
	unsigned sort;		     /* index of a column */
	bool reversed;		     /* smallest first, or names from the end */
	char filter[TOP_FILTER_MAX]; /* part of a name; "": all */
	size_t first;		     /* row at the top of the screen */
};

unsigned top_n_columns(void);
/* The column with that key letter, or -1. */
int top_column_of(char key);

/* The ports of rates that match the filter, in order: borrowed references in *out, allocated. */
size_t top_rows(const struct top_view *v, const json_t *rates, const json_t ***out);

/* The heading, and one port; as many columns as fit in width characters, name cut off last. */
void top_heading(const struct top_view *v, int width, char *line, size_t size);
void top_port_line(const json_t *port, int width, char *line, size_t size);
void top_worker_line(const json_t *worker, int width, char *line, size_t size);
/* "12 ports, 3 up; rx 1.2M frames/s 4.5G bit/s, …" */
void top_sum_line(const json_t *rates, int width, char *line, size_t size);


#endif
