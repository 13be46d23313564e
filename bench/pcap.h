/* SPDX-License-Identifier: BSD-3-Clause */
/* Received frames as a pcap file, for tshark. */
#ifndef BENCH_PCAP_H
#define BENCH_PCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pcap;

int pcap_open(const char *path, unsigned n_frames_max, struct pcap **out, struct err *err);

/* One part of a frame of total bytes; is_first: a new frame. p may be NULL. */
void pcap_write(struct pcap *p, uint32_t total, const void *part, uint32_t len, bool is_first);

/* 0, or -errno when not all could be written. p may be NULL. */
int pcap_close(struct pcap *p);

#endif
