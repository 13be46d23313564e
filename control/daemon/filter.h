/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters of captures and mirrors: text of pcap-filter(7) to BPF that workers may run.
 *
 * How      libpcap compiles; the program is checked once more, and may only jump forward.
 * Threads  control only.
 * Trust    the text is a client's. Names are refused before libpcap sees them (filter_words.h), and what
 *          would take it long.
 * Limits   FILTER_TEXT_MAX bytes, and bounds on ports and instructions that are met in some 13 ms.
 */
#ifndef CONTROL_DAEMON_FILTER_H
#define CONTROL_DAEMON_FILTER_H

#include "base/err.h"

#define FILTER_TEXT_MAX 512 /* bytes; as in FILTER_PARAM */

struct bpf_insn;

/* *insns is malloc'ed; NULL with *n 0 where text is NULL. -EINVAL in libpcap's words. */
int filter_compile(const char *text, struct bpf_insn **insns, unsigned *n, struct err *err);

#endif
