/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VM_LAUNCHER_BASE64_H
#define VM_LAUNCHER_BASE64_H

#include <stddef.h>

/* Encodes; the caller's to free. NULL: out of memory. */
char *base64_encode(const void *data, size_t len);

/* Decodes text; *data is the caller's to free. 0, -EINVAL or -ENOMEM. */
int base64_decode(const char *text, char **data, size_t *len);

#endif
