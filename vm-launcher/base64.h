/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Base64 (RFC 4648), in which the guest agent takes and gives bytes.
 *
 * Threads  any.
 * Trust    base64_decode() takes a guest's text.
 */
#ifndef VM_LAUNCHER_BASE64_H
#define VM_LAUNCHER_BASE64_H

#include <stddef.h>

/* Encodes; the caller's to free. NULL: out of memory. */
char *base64_encode(const void *data, size_t len);

/* Decodes text; *data is the caller's to free. 0, -EINVAL or -ENOMEM. */
int base64_decode(const char *text, char **data, size_t *len);

#endif
