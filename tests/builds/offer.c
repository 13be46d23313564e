/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What another build offers: one feature less (OFFER_LACKS) or more (OFFER_HAS). In the place of vhost-user/vu_offer.c.
 */
#define vu_offer product_offer
#include "vhost-user/vu_offer.c"
#undef vu_offer

#include "vhost-user/vu_proto.h"

#ifndef OFFER_LACKS
#define OFFER_LACKS 0
#endif
#ifndef OFFER_HAS
#define OFFER_HAS 0
#endif

uint64_t vu_offer(unsigned n_pairs);

uint64_t vu_offer(unsigned n_pairs)
{
	return (product_offer(n_pairs) & ~(uint64_t)(OFFER_LACKS)) | (uint64_t)(OFFER_HAS);
}
