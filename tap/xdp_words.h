/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What libbpf and libxdp say while DPDK's driver for AF_XDP uses them: a dozen lines on stderr, also when
 * nothing is wrong.
 *
 * How      Both take a function that prints; they are there because the driver, a plugin, links them.
 * Threads  control only.
 */
#ifndef TAP_XDP_WORDS_H
#define TAP_XDP_WORDS_H

/* From now on their words are lines of our log, for --log debug. */
void xdp_words_take(void);

#endif
