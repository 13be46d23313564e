/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which version of the data path this CPU runs; see base/hot.h.
 */
#include "base/hot.h"

enum hot_isa hot_isa_used;

static bool cpu_has(enum hot_isa isa)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (isa == HOT_ISA_V3)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
		       __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt") &&
		       __builtin_cpu_supports("movbe");
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
