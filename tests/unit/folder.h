/* SPDX-License-Identifier: BSD-3-Clause */
/* Folders that a test has made. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

/* Removes dir and all that is in it, following no link. Asserts that it could. */
void folder_remove(const char *dir);

#endif
