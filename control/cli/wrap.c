/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/wrap.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LEAST 20 /* columns for text: narrower than that is no help */

unsigned wrap_width(FILE *f)
{
	struct winsize size;

	if (!isatty(fileno(f)))
		return 0;
	return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* Columns of the first len bytes, in UTF-8. */
static unsigned columns(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

void wrap_print(FILE *f, const char *text, unsigned indent, unsigned width)
{
	unsigned at = indent;

	if (width && width < indent + LEAST)
		width = indent + LEAST;
	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned n = columns(text, len);

		if (at > indent && width && at + 1 + n > width) {
			fprintf(f, "\n%*s", (int)indent, "");
			at = indent;
		}
		if (at > indent) {
			putc(' ', f);
			at++;
		}
		fwrite(text, 1, len, f);
		at += n;
		text += len;
		text += strspn(text, " ");
	}
	putc('\n', f);
}
