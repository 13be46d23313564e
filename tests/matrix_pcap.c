/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of the offload matrix through a running switch, and what comes out for who takes no offload as
 * pcap files, for an analyzer to verify.
 *
 * How      Three senders that have negotiated everything, on a trunk port, an access port and a tunnel
 *          port; two receivers that have negotiated nothing, on a trunk port and an access
 *          port. Every kind of frame, flooded, for every handling of tags, in every layout.
 *          Each frame is awaited before the next one, and PAUSE_US later sent: guests that
 *          receive the same must keep up under emulation.
 *
 * usage: matrix_pcap DIR ROUNDS PAUSE_US; DIR holds the sockets trunk, access, tunnel, to-trunk and
 *        to-access; to-trunk.pcap and to-access.pcap are written there, and a line for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/digest.h"
#include "tests/unit/dice.h"
#include "tests/unit/matrix_rings.h"
#include "tests/unit/matrix_vlan.h"

#define BIG	(70 * 1024)
#define HELLO_SOURCE "\x02\0\0\0\x77" /* and who sends */

enum { TRUNK, ACCESS, TUNNEL, TO_TRUNK, TO_ACCESS, N_FES };

static const char *const names[N_FES] = {"trunk", "access", "tunnel", "to-trunk", "to-access"};
static const unsigned sender_of[MATRIX_N_VLANS] = {
	[MATRIX_AS_IS] = TRUNK, [MATRIX_PUSH] = ACCESS, [MATRIX_PUSH_TUNNEL] = TUNNEL,
	[MATRIX_POP] = TRUNK};

static struct fe *fes[N_FES];
static FILE *pcaps[N_FES];
static struct digest digests[N_FES];
static bool ended[N_FES];	 /* by the frame that says so */
static bool heard[N_FES][N_FES]; /* by whom, whom: before it begins */

static void fe_make(unsigned i, const char *dir)
{
	const bool sends = i < TO_TRUNK;
	char path[108], pcap[128];
	struct fe_opts o = {
		.path = path,
		.ring_size = sends ? 256 : 1024,
		.buf_size = sends ? BIG + MATRIX_TABLE : 0,
		.features = fe_features_default(1) | (sends ? VU_OFFLOADS : 0),
	};
	const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1 /* Ethernet */};
	struct err err = ERR_NONE;

	/* One of them does not merge buffers, as other drivers do. */
	if (i == TO_ACCESS) {
		o.features &= ~VU_BIT(VIRTIO_NET_F_MRG_RXBUF);
		o.buf_size = BIG;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
	if (fe_open(&o, &fes[i], &err) < 0) {
		fprintf(stderr, "matrix_pcap: %s\n", err.text);
		exit(1);
	}
	if (sends)
		return;
	snprintf(pcap, sizeof(pcap), "%s.pcap", path);
	pcaps[i] = fopen(pcap, "wb");
	if (!pcaps[i] || fwrite(header, sizeof(header), 1, pcaps[i]) != 1) {
		perror(pcap);
		exit(1);
	}
}

/* Takes what has come to front end i. */
static void drain(unsigned i)
{
	static uint8_t got[MATRIX_ROOM];
	struct vnet_hdr hdr;
	int n;

	while ((n = fe_recv_hdr(fes[i], 0, &hdr, got, sizeof(got))) >= 0) {
		uint32_t record[4] = {0, 0, (uint32_t)n, (uint32_t)n};

		if (n >= 14 && !memcmp(got + 6, HELLO_SOURCE, 5) && got[11] < N_FES)
			heard[i][got[11]] = true;
		if (!pcaps[i] || ended[i] || n < 14 || memcmp(got + 6, DIGEST_SOURCE, 6))
			continue;
		ended[i] = !memcmp(got + 12, DIGEST_END, 2);
		if (ended[i])
			continue;
		if (hdr.flags || hdr.gso_type) {
			fprintf(stderr, "matrix_pcap: %s got an offload\n", names[i]);
			exit(1);
		}
		record[0] = (uint32_t)digests[i].n_frames;
		digest_frame(&digests[i], got, (uint32_t)n);
		fwrite(record, sizeof(record), 1, pcaps[i]);
		fwrite(got, (size_t)n, 1, pcaps[i]);
	}
}

static void drain_all(void)
{
	for (unsigned i = 0; i < N_FES; i++)
		drain(i);
}

/* Until the switch has given back what fe sent, and so many microseconds are over. */
static void taken_await(struct fe *fe, unsigned pause_us)
{
	uint64_t end_ns = loop_now_ns() + pause_us * 1000ull;

	while (fe->rings[1].n_free < fe->rings[1].size || loop_now_ns() < end_ns) {
		fe_reclaim(fe, 0);
		drain_all();
		usleep(50);
	}
}

/* Sends one, waits until the switch has given it back and for the pause. */
static void send_one(enum matrix_vlan vlan, enum matrix_layout layout, enum matrix_kind kind,
		     unsigned pause_us)
{
	static const uint8_t macs[12] = "\xff\xff\xff\xff\xff\xff" DIGEST_SOURCE;
	static struct matrix_frame m;
	struct fe *fe = fes[sender_of[vlan]];
	struct matrix_tags sent, left;

	matrix_tags(vlan, &sent, &left);
	matrix_make(&m, kind, macs, &sent, true);
	if (!matrix_send(fe, layout, &m.hdr, m.bytes, m.len)) {
		fprintf(stderr, "matrix_pcap: the ring of %s is full\n", names[sender_of[vlan]]);
		exit(1);
	}
	matrix_publish(fe);
	taken_await(fe, pause_us);
}

/* Until all ports are up: what they send reaches whom it will reach. */
static void all_up_await(void)
{
	uint64_t end_ns = loop_now_ns() + 30 * S_NS;
	uint8_t f[60] = "\xff\xff\xff\xff\xff\xff" HELLO_SOURCE "\0\x88\xb6";

	while (!heard[TO_TRUNK][TRUNK] || !heard[TO_TRUNK][ACCESS] || !heard[TO_TRUNK][TUNNEL] ||
	       !heard[TO_ACCESS][ACCESS] || !heard[TO_ACCESS][TUNNEL]) {
		if (loop_now_ns() > end_ns) {
			fprintf(stderr, "matrix_pcap: not all ports are up within 30 s\n");
			exit(1);
		}
		for (f[11] = TRUNK; f[11] <= TUNNEL; f[11]++) {
			fe_send(fes[f[11]], 0, f, sizeof(f));
			taken_await(fes[f[11]], 1000);
		}
	}
}

/* For who reads until then: by the trunk in VLAN 1, and in the access port's VLAN. */
static void end_send(void)
{
	uint8_t f[60] = "\xff\xff\xff\xff\xff\xff" DIGEST_SOURCE DIGEST_END;

	fe_send(fes[TRUNK], 0, f, sizeof(f));
	taken_await(fes[TRUNK], 1000);
	fe_send(fes[ACCESS], 0, f, sizeof(f));
	taken_await(fes[ACCESS], 1000);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	unsigned pause_us = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	if (!rounds) {
		fprintf(stderr, "usage: matrix_pcap DIR ROUNDS PAUSE_US\n");
		return 2;
	}
	dice_seed();
	for (unsigned i = 0; i < N_FES; i++)
		fe_make(i, argv[1]);
	all_up_await();
	for (unsigned r = 0; r < rounds; r++)
		for (unsigned vlan = 0; vlan < MATRIX_N_VLANS; vlan++)
			for (unsigned layout = 0; layout < MATRIX_N_LAYOUTS; layout++)
				for (unsigned kind = 0; kind < MATRIX_N_KINDS; kind++)
					send_one(vlan, layout, kind, pause_us);
	end_send();
	for (unsigned i = TO_TRUNK; i < N_FES; i++) {
		printf("%s: %llu frames, digest %016llx\n", names[i],
		       (unsigned long long)digests[i].n_frames,
		       (unsigned long long)digests[i].value);
		fclose(pcaps[i]);
	}
	for (unsigned i = 0; i < N_FES; i++)
		fe_close(fes[i]);
	return 0;
}
