/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which version of the data path this CPU runs; see base/hot.h.
 */
#include "base/hot.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum hot_isa hot_isa_used;

#ifdef __x86_64__
/* Those that clang has no name for in __builtin_cpu_supports(). */
static bool cpu_has_bits(unsigned leaf, unsigned wanted)
{
	unsigned a, b, c, d;

	return __get_cpuid(leaf, &a, &b, &c, &d) && (c & wanted) == wanted;
}
#endif

static bool cpu_has(enum hot_isa isa)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (isa == HOT_ISA_V3)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
		       cpu_has_bits(1, bit_F16C | bit_MOVBE) && cpu_has_bits(0x80000001, bit_LZCNT);
	if (isa == HOT_ISA_V4)
		return cpu_has(HOT_ISA_V3) && __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return isa == HOT_ISA_PORTABLE;
}

bool hot_isa_set(enum hot_isa isa)
{
	if (!cpu_has(isa))
		return false;
	hot_isa_used = isa;
	return true;
}

enum hot_isa hot_isa_find(void)
{
	if (!hot_isa_set(HOT_ISA_V4) && !hot_isa_set(HOT_ISA_V3))
		hot_isa_set(HOT_ISA_PORTABLE);
	return hot_isa_used;
}

const char *hot_isa_name(enum hot_isa isa)
{
	static const char *const names[] = {"unknown", "portable", "v3", "v4"};

	return names[isa];
}
