/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The identity of this boot of the kernel. What a file says of processes and interfaces is true only until the next
 * boot, so such files note it.
 *
 * Threads  any.
 */
#ifndef BASE_BOOT_ID_H
#define BASE_BOOT_ID_H

#define BOOT_ID_BYTES 40 /* "7f0b…" of 36 characters, random(4) */

/* "" where the kernel does not say. */
void boot_id(char out[BOOT_ID_BYTES]);

#endif
