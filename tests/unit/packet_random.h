/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random fields of packets: tags, options, extension headers and values near to where they wrap.
 */
#ifndef TESTS_UNIT_PACKET_RANDOM_H
#define TESTS_UNIT_PACKET_RANDOM_H

#include "tests/unit/packet_oracle.h"

/* All but the payload; headers of at most 256 bytes. */
void random_fields(struct fields *f, uint8_t proto);

/* None to two tags, in place of those that are there. */
void random_tags(struct fields *f);

#endif
