/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Standard input, output and error that somebody closed before they started us (`lanyard-switch 2>&-`): without
 * another in their place, the next file that is opened gets the number, and the log is written into it.
 *
 * Threads  before there are any.
 */
#ifndef BASE_STD_FDS_H
#define BASE_STD_FDS_H

/* Opens /dev/null for each that is not open. First thing in main(). */
void std_fds_fill(void);

#endif
