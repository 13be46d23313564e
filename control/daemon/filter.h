/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters of captures and mirrors: text of pcap-filter(7) to BPF that workers may run.
 *
 * How      libpcap compiles; the program is checked once more, and may only jump forward.
 * Threads  control only.
 * Trust    the text is a client's. Names of hosts and networks are refused before libpcap sees them: it
 *          would ask DNS for them, and control would wait for the answer.
 */
#ifndef CONTROL_DAEMON_FILTER_H
#define CONTROL_DAEMON_FILTER_H

#include "base/err.h"

struct bpf_insn;

/* *insns is malloc'ed; NULL with *n 0 where text is NULL. -EINVAL in libpcap's words. */
int filter_compile(const char *text, struct bpf_insn **insns, unsigned *n, struct err *err);

#endif
