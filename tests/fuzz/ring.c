/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Split rings: whatever a guest writes into its ring, tables, buffers and headers, frames are taken and
 * delivered as a naive walker says, or the same fault is found; and no other byte of its memory changes.
 *
 * How      The bytes write memory and features, then the guest, a burst and again the guest … take
 *          turns. tests/unit/ring_scene.h compares.
 */
#include "tests/fuzz/ring_world.h"

static struct world w;

static void burst_take(void)
{
	unsigned n;
	const char *broken = ring_scene_rx(&w.scene, &n);

	FUZZ_CHECK(!broken, "%s", broken);
}

static void burst_deliver(struct input *in)
{
	static struct burst b;
	struct delivery d[BURST_MAX];
	unsigned n = world_frames(in, &b, d), settled;
	const char *broken = ring_scene_tx(&w.scene, b.frames, d, n, &settled);

	FUZZ_CHECK(!broken, "%s", broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	world_begin(&w, &in);
	for (unsigned i = 0; i < 64 && in.left; i++) {
		uint8_t how = in_u8(&in);

		if (how < 150)
			world_guest(&w, &in);
		else if (how < 240 && w.sends)
			burst_take();
		else if (how < 240)
			burst_deliver(&in);
		else if (how < 248)
			world_start(&w);
		else if (vu_ring_arm(&w.scene.ring), ring_scene_sync(&w.scene), how & 1)
			vu_ring_disarm(&w.scene.ring), ring_scene_sync(&w.scene);
	}
	if (w.sends)
		burst_take();
	return 0;
}
