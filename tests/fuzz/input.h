/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzz targets share: reading values out of the fuzzer's bytes, and stopping with a sentence.
 *
 * What     A target is one file with LLVMFuzzerTestOneInput(). tests/fuzz/run links it with
 *          libFuzzer; every ordinary build links it with tests/fuzz/replay.c, which runs the
 *          corpus and the regression files as a unit test.
 * How      Behind the end of the bytes there are zeros: every prefix of an input is one too.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold after any input. */
#define FUZZ_CHECK(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                 \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* How many descriptors are open: as many afterwards, unless some were leaked. */
static inline int fds_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

struct input {
	const uint8_t *at;
	size_t left;
};

static inline void in_bytes(struct input *in, void *out, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	if (have)
		memcpy(out, in->at, have);
	memset((uint8_t *)out + have, 0, n - have);
	in->at += have;
	in->left -= have;
}

#define IN_WORD(type, name)                                                                        \
	static inline type name(struct input *in)                                                  \
	{                                                                                          \
		type v;                                                                            \
                                                                                                   \
		in_bytes(in, &v, sizeof(v));                                                       \
		return v;                                                                          \
	}
IN_WORD(uint8_t, in_u8)
IN_WORD(uint16_t, in_u16)
IN_WORD(uint32_t, in_u32)
IN_WORD(uint64_t, in_u64)
#undef IN_WORD

/* 0 to n - 1; n up to 256. */
static inline unsigned in_below(struct input *in, unsigned n)
{
	return in_u8(in) % n;
}

#endif
