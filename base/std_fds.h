/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts something in the place of standard input, output or error where whoever started us had closed them
 * (`lanyard-switch 2>&-`). Otherwise the next file that is opened would get that number, and the log be written to it.
 *
 * Threads  before there are any.
 */
#ifndef BASE_STD_FDS_H
#define BASE_STD_FDS_H

/* Opens /dev/null for each that is not open. First thing in main(). */
void std_fds_fill(void);

#endif
