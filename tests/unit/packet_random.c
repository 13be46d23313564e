/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/packet_random.h"

#include <string.h>

#include "tests/unit/dice.h"

static uint8_t pick(const uint8_t *from, unsigned n)
{
	return from[dice_in(0, n - 1)];
}

void random_tags(struct fields *f)
{
	f->n_tags = dice_in(0, 2);
	for (unsigned i = 0; i < f->n_tags; i++) {
		f->tags[i][0] = dice_once_in(3) ? 0x88a8 : 0x8100;
		f->tags[i][1] = (uint16_t)dice();
	}
}

/* PadN, from the two bytes of the extension header to its end. */
static void pad(uint8_t *extension, unsigned n)
{
	memset(extension, 0, n);
	extension[2] = 1;
	extension[3] = (uint8_t)(n - 4);
}

static void random_extensions(struct fields *f)
{
	static const uint8_t protos[] = {0, 43, 60};

	f->n_extensions = dice_once_in(2) ? 0 : dice_in(1, 4);
	for (unsigned i = 0; i < f->n_extensions; i++) {
		f->extensions[i] = pick(protos, sizeof(protos));
		f->extension_lens[i] = 8 * dice_in(1, 4);
		if (f->extensions[i] == 0) /* bridges look into it: one option of padding */
			pad(f->between + f->n_between, f->extension_lens[i]);
		f->n_between += f->extension_lens[i];
		if (f->extensions[i] == 43)
			dice_fill(f->last_dst, 16);
	}
}

void random_fields(struct fields *f, uint8_t proto)
{
	memset(f, 0, sizeof(*f));
	dice_fill(f->macs, sizeof(f->macs));
	dice_fill(f->src, 16);
	dice_fill(f->dst, 16);
	dice_fill(f->between, sizeof(f->between));
	dice_fill(f->options, sizeof(f->options));
	memcpy(f->last_dst, f->dst, 16);
	random_tags(f);
	f->v6 = dice_once_in(2);
	if (f->v6)
		random_extensions(f);
	else
		f->n_between = dice_once_in(2) ? 0 : 4 * dice_in(0, 10);
	f->tos = (uint8_t)dice();
	f->ttl = (uint8_t)dice();
	f->flow_label = dice_in(0, 0xfffff);
	f->id = (uint16_t)dice();
	f->frag = dice_once_in(2) ? 0x4000 : 0;
	f->proto = proto;
	f->sport = (uint16_t)dice();
	f->dport = (uint16_t)dice();
	f->seq = dice_once_in(2) ? (uint32_t)dice() : 0xffffffff - dice_in(0, 5000);
	f->ack = (uint32_t)dice();
	f->flags = (uint8_t)dice();
	f->window = (uint16_t)dice();
	f->urgent = (uint16_t)dice();
	f->n_options = proto == ORACLE_TCP ? 4 * dice_in(0, 10) : 0;
}
