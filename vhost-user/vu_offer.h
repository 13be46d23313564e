/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The features that this build offers to the front ends of new ports. A port that a successor takes over goes on offering
 * what it was made with.
 *
 * Threads  any.
 */
#ifndef VHOST_USER_VU_OFFER_H
#define VHOST_USER_VU_OFFER_H

#include <stdint.h>

/* Virtio feature bits of a device with so many queue pairs, and those of the protocol. */
uint64_t vu_offer(unsigned n_pairs);
uint64_t vu_offer_protocol(void);

#endif
