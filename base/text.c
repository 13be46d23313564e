/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* How many bytes a letter has that begins so; 0: none begins so. */
static unsigned length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The letter at text, in n bytes: its number, or 0 where it is none. *is_cut: the text ends within it. */
static uint32_t letter_at(const unsigned char *text, unsigned n, int *is_cut)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t letter = n == 1 ? text[0] : text[0] & (0x7fu >> n);

	*is_cut = 0;
	for (unsigned i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80) {
			*is_cut = !text[i];
			return 0;
		}
		letter = letter << 6 | (text[i] & 0x3f);
	}
	if (letter < least[n] || letter > 0x10ffff || (letter >= 0xd800 && letter <= 0xdfff))
		return 0;
	return letter;
}

/* What a terminal obeys instead of showing it. */
static int is_control(uint32_t letter)
{
	return letter < 0x20 || (letter >= 0x7f && letter < 0xa0) ||
	       (letter >= 0x200e && letter <= 0x200f) || (letter >= 0x2028 && letter <= 0x202e) ||
	       (letter >= 0x2066 && letter <= 0x2069);
}

void text_clean(char *text)
{
	const unsigned char *from = (unsigned char *)text;
	char *to = text;

	while (*from) {
		unsigned n = length_of(*from);
		int is_cut = 0;
		uint32_t letter = n ? letter_at(from, n, &is_cut) : 0;

		if (is_cut)
			break;
		if (letter && !is_control(letter)) {
			memmove(to, from, n);
			to += n;
		} else {
			*to++ = *from >= '\t' && *from <= '\r' ? ' ' : '?';
		}
		from += letter ? n : 1;
	}
	*to = '\0';
}
