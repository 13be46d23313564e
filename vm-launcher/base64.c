/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *base64_encode(const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = data;
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;

	for (; out && len; in += 3) {
		size_t n = len < 3 ? len : 3;
		unsigned word = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0) |
				(n > 2 ? in[2] : 0);

		*out++ = digits[word >> 18];
		*out++ = digits[word >> 12 & 63];
		*out++ = n > 1 ? digits[word >> 6 & 63] : '=';
		*out++ = n > 2 ? digits[word & 63] : '=';
		len -= n;
	}
	if (out)
		*out = '\0';
	return text;
}

static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : (c == '/' ? 63 : -1);
}

int base64_decode(const char *text, char **data, size_t *len)
{
	size_t n = strlen(text), out = 0;
	unsigned bits = 0, word = 0;
	char *buf;

	while (n && text[n - 1] == '=')
		n--;
	buf = malloc(n * 3 / 4 + 1);
	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int v = value(text[i]);

		if (v < 0) {
			free(buf);
			return -EINVAL;
		}
		word = word << 6 | (unsigned)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf[out++] = (char)(word >> bits & 0xff);
		}
	}
	buf[out] = '\0';
	*data = buf;
	*len = out;
	return 0;
}
