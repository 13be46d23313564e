/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/xdp_words.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* libbpf_print_fn_t and libxdp_print_fn_t; the level is an enum. */
typedef int (*print_fn)(int level, const char *fmt, va_list ap);
typedef print_fn (*print_set_fn)(print_fn fn);

static int print(int level, const char *fmt, va_list ap)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	LOG_DEBUG("xdp: %s", line);
	return 0;
}

static void take(const char *library, const char *setter)
{
	void *h = dlopen(library, RTLD_NOLOAD | RTLD_LAZY);
	print_set_fn set = h ? (print_set_fn)dlsym(h, setter) : NULL;

	if (set)
		set(print);
	if (h)
		dlclose(h);
}

void xdp_words_take(void)
{
	take("libbpf.so.1", "libbpf_set_print");
	take("libbpf.so.0", "libbpf_set_print");
	take("libxdp.so.1", "libxdp_set_print");
}
