/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/line_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RESYNC '\xff'

void line_reader_init(struct line_reader *r, size_t max_bytes)
{
	memset(r, 0, sizeof(*r));
	r->max_bytes = max_bytes;
}

void line_reader_free(struct line_reader *r)
{
	free(r->buf);
	r->buf = NULL;
	r->len = r->cap = 0;
}

static int append(struct line_reader *r, const char *data, size_t len)
{
	if (r->len + len > r->max_bytes)
		return -EMSGSIZE;
	if (r->len + len + 1 > r->cap) {
		size_t cap = r->cap ? r->cap : 1024;
		char *p;

		while (cap < r->len + len + 1)
			cap *= 2;
		p = realloc(r->buf, cap);
		if (!p)
			return -ENOMEM;
		r->buf = p;
		r->cap = cap;
	}
	memcpy(r->buf + r->len, data, len);
	r->len += len;
	return 0;
}

/* The line is whole: hands it over. */
static int hand_over(struct line_reader *r, line_fn fn, void *arg)
{
	size_t n = r->len;

	r->len = 0;
	if (r->skipping) {
		r->skipping = false;
		return fn(arg, NULL, 0);
	}
	if (n && r->buf[n - 1] == '\r')
		n--;
	if (!n)
		return 0;
	r->buf[n] = '\0';
	return fn(arg, r->buf, n);
}

int line_reader_feed(struct line_reader *r, const char *data, size_t len, line_fn fn, void *arg)
{
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		const char *resync = memrchr(data, RESYNC, n);
		int rc = 0;

		if (resync) {
			r->len = 0;
			r->skipping = false;
			n -= (size_t)(resync + 1 - data);
			len -= (size_t)(resync + 1 - data);
			data = resync + 1;
		}
		if (!r->skipping)
			rc = append(r, data, n);
		if (rc == -EMSGSIZE && r->skip_long) {
			r->skipping = true;
			rc = 0;
		}
		if (rc < 0)
			return rc;
		data += n;
		len -= n;
		if (!end)
			break;
		data++;
		len--;
		rc = hand_over(r, fn, arg);
		if (rc)
			return rc;
	}
	return 0;
}
