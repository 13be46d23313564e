/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void folder_remove(const char *dir)
{
	assert_int_equal(nftw(dir, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}
