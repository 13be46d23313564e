/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that are too short, too long, or whose headers ask for what cannot be.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/evil/raw.h"

#define CSUM_TSO                                                                                   \
	(VU_BIT(VIRTIO_NET_F_CSUM) | VU_BIT(VIRTIO_NET_F_HOST_TSO4) |                              \
	 VU_BIT(VIRTIO_NET_F_HOST_TSO6) | VU_BIT(VIRTIO_NET_F_HOST_ECN))
#define L4	34 /* where TCP begins behind IPv4 */
#define HEAD	54 /* bytes of Ethernet, IPv4 and TCP */
#define TSO_LEN 9054

/* Ethernet, IPv4 and TCP without options, len bytes in all. */
static void tcp_frame(uint8_t *f, uint32_t len)
{
	memset(f, 0, len);
	memcpy(f, BROADCAST EVIL_MAC "\x08\x00\x45", 15);
	f[16] = (uint8_t)((len - 14) >> 8);
	f[17] = (uint8_t)(len - 14);
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, "\x0a\x63\0\1\x0a\x63\0\2\x10\0\x20\0", 12);
	f[46] = 0x50;
	f[47] = 0x10;
}

/* Whatever reaches a neighbour that agreed to nothing is whole and asks for nothing. */
static unsigned neighbour_take(struct scene *s, struct fe *peer)
{
	static uint8_t got[65600];
	struct vnet_hdr hdr;
	unsigned n_frames = 0;
	int n;

	while ((n = fe_recv_hdr(peer, 0, &hdr, got, sizeof(got))) >= 0) {
		if (n < 14 || n > 1514 || hdr.flags || hdr.gso_type)
			evil_fail(s, "the neighbour got %d bytes with flags %u and gso type %u", n,
				  hdr.flags, hdr.gso_type);
		n_frames++;
	}
	return n_frames;
}

static void lengths(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint8_t f[64] = BROADCAST EVIL_MAC "\x88\xb6";

	for (unsigned len = 0; len < 14; len++)
		fe_send(fe, 0, f, len);
	fe_send(fe, 0, f, 14);
	evil_await_counter(s, EVIL_PORT, "rx_drops.too_short", 14);
	evil_await_counter(s, EVIL_PORT, "rx_forwarded", 1);
	if (neighbour_take(s, peer) != 1)
		evil_fail(s, "the frame of 14 bytes did not arrive, or others did");
}

/* Tagged frames that end in their tag. */
static void tag_cut(struct scene *s)
{
	struct fe *fe = evil_attacker(s, (struct fe_opts){0});
	uint8_t f[64] = BROADCAST EVIL_MAC "\x81\x00\x00\x00\x88\xb6";

	for (unsigned len = 14; len < 18; len++)
		fe_send(fe, 0, f, len);
	evil_await_counter(s, EVIL_PORT, "rx_drops.too_short", 4);
}

static void over_mtu(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = evil_attacker(s, (struct fe_opts){.tx_buf_size = 70000});
	static uint8_t f[66000] = BROADCAST EVIL_MAC "\x88\xb6";

	(void)peer;
	/* 1500 and the Ethernet header go; one byte more does not, nor does more than a frame can have. */
	fe_send(fe, 0, f, 1514);
	fe_send(fe, 0, f, 1515 + 8);
	fe_send(fe, 0, f, 9014);
	fe_send(fe, 0, f, 65557);
	fe_send(fe, 0, f, 65558);
	fe_send(fe, 0, f, 66000);
	evil_await_counter(s, EVIL_PORT, "rx_drops.too_long", 5);
	evil_await_counter(s, EVIL_PORT, "rx_forwarded", 1);
}

enum {
	O_CSUM_START,
	O_CSUM_OFFSET,
	O_CSUM_WRAPS,
	O_CSUM_ON_HEADER,
	O_GSO_0,
	O_GSO_1,
	O_GSO_MIN,
	O_TYPES,
	O_UDP,
	O_HDR_LEN_0,
	O_HDR_LEN_65535,
	O_NO_CSUM,
	O_FLAGS,
	O_IPV6,
	O_DOFF,
	O_IHL,
	O_IP_LEN,
	O_FRAGMENT,
	O_SHORT,
	O_NOT_AGREED
};

/* Makes the one thing wrong that the case is about, in the header, the frame or its length. */
static void lie_make(unsigned arg, struct vnet_hdr *h, uint8_t *f, uint32_t *len)
{
	switch (arg) {
	case O_CSUM_START:
		*h = (struct vnet_hdr){.flags = VNET_HDR_NEEDS_CSUM, .csum_start = TSO_LEN + 1};
		break;
	case O_CSUM_OFFSET:
		*h = (struct vnet_hdr){.flags = VNET_HDR_NEEDS_CSUM,
				      .csum_start = L4,
				      .csum_offset = TSO_LEN - L4 - 1};
		break;
	case O_CSUM_WRAPS:
		*h = (struct vnet_hdr){
			.flags = VNET_HDR_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535};
		break;
	case O_CSUM_ON_HEADER: /* it would change the address that was decided on */
		*h = (struct vnet_hdr){
			.flags = VNET_HDR_NEEDS_CSUM, .csum_start = 0, .csum_offset = 2};
		break;
	case O_GSO_0:
		h->gso_size = 0;
		break;
	case O_GSO_1:
		h->gso_size = 1;
		break;
	case O_UDP:
		h->gso_type = VNET_HDR_GSO_UDP;
		break;
	case O_HDR_LEN_0:
		h->hdr_len = 0;
		break;
	case O_HDR_LEN_65535:
		h->hdr_len = 65535;
		break;
	case O_NO_CSUM:
		h->flags = 0;
		break;
	case O_FLAGS: /* all that nobody knows; the checksum is wanted */
		h->flags = 0xff;
		break;
	case O_IPV6:
		h->gso_type = VNET_HDR_GSO_TCPV6;
		break;
	case O_DOFF:
		f[46] = 0x40;
		break;
	case O_IHL:
		f[14] = 0x4f;
		break;
	case O_IP_LEN: /* 20 bytes, or more than there are: the receiver's own affair */
		f[16] = 0xff;
		break;
	case O_FRAGMENT:
		f[20] = 0x20;
		break;
	case O_SHORT: /* cut behind the ports */
		*len = L4 + 4;
		break;
	}
}

/* Sends frames whose header lies in one way; returns how many. */
static unsigned lies(struct scene *s, struct fe *fe)
{
	struct vnet_hdr h = {.flags = VNET_HDR_NEEDS_CSUM,
			     .gso_type = VNET_HDR_GSO_TCPV4,
			     .hdr_len = HEAD,
			     .gso_size = 1448,
			     .csum_start = L4,
			     .csum_offset = 16};
	uint8_t f[TSO_LEN];
	uint32_t len = TSO_LEN;

	tcp_frame(f, len);
	lie_make(s->c->arg, &h, f, &len);
	if (s->c->arg == O_TYPES) {
		for (unsigned t = 1; t < 256; t++)
			if ((t & 0x7f) != 1 && (t & 0x7f) != 4) {
				h.gso_type = (uint8_t)t;
				while (!fe_send_hdr(fe, 0, &h, f, len))
					usleep(100);
			}
		return 255 - 4;
	}
	if (!fe_send_hdr(fe, 0, &h, f, len))
		evil_fail(s, "the frame could not be sent");
	return 1;
}

static struct fe *attacker(struct scene *s)
{
	uint64_t f = fe_features_default(1) | (s->c->arg == O_NOT_AGREED ? 0 : CSUM_TSO);

	return evil_attacker(s, (struct fe_opts){.features = f, .tx_buf_size = 65600});
}

/* Dropped as bad_offload; what stays is none of the neighbour's. */
static void refused(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = attacker(s);
	unsigned n = lies(s, fe);

	evil_await_counter(s, EVIL_PORT, "rx_drops.bad_offload", n);
	if (neighbour_take(s, peer))
		evil_fail(s, "it arrived nevertheless");
}

/* Forwarded as what it is: seven segments, none of them longer than the neighbour agreed to. */
static void rebuilt(struct scene *s)
{
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN, (struct fe_opts){0});
	struct fe *fe = attacker(s);
	unsigned n;

	lies(s, fe);
	evil_await_counter(s, "evil2", "tx_frames", 1);
	n = neighbour_take(s, peer);
	if (n != (TSO_LEN - HEAD + 1447) / 1448)
		evil_fail(s, "it arrived in %u frames", n);
}

/* 64 KB in segments of 8 bytes, a ring full of them: 8,000 packets each for whoever takes no offloads. */
static void smallest_segments(struct scene *s)
{
	const struct vnet_hdr h = {.flags = VNET_HDR_NEEDS_CSUM,
				   .gso_type = VNET_HDR_GSO_TCPV4,
				   .hdr_len = HEAD,
				   .gso_size = 8,
				   .csum_start = L4,
				   .csum_offset = 16};
	struct fe *peer = evil_neighbour(s, "evil2", EVIL_VLAN,
					 (struct fe_opts){.ring_size = 32768, .buf_size = 128});
	struct fe *fe = attacker(s);
	static uint8_t f[65535];
	uint64_t end_ns = loop_now_ns() + S_NS;

	tcp_frame(f, sizeof(f));
	while (loop_now_ns() < end_ns) {
		fe_send_hdr(fe, 0, &h, f, sizeof(f));
		neighbour_take(s, peer);
	}
}

#define NOT_SENT "the frame is dropped as bad_offload"
#define REBUILT	 "the frame arrives in segments as its bytes say, the lie does not"

const struct evil_case evil_frames[] = {
	{"short", "frames of 0 to 13 bytes",
	 "they are dropped as too_short, one of 14 bytes arrives", lengths, "up", NULL},
	{"tag-cut", "tagged frames that end in their tag", "they are dropped as too_short", tag_cut,
	 "up", NULL},
	{"over-mtu", "frames over the MTU of 1500, up to more than a frame can have",
	 "they are dropped as too_long", over_mtu, "up", NULL, 0, false, "\"mtu\": 1500"},
	{"csum-start", "csum_start behind the frame", NOT_SENT, refused, "up", NULL, O_CSUM_START},
	{"csum-offset", "csum_offset behind the frame", NOT_SENT, refused, "up", NULL,
	 O_CSUM_OFFSET},
	{"csum-wraps", "csum_start and csum_offset whose sum wraps", NOT_SENT, refused, "up", NULL,
	 O_CSUM_WRAPS},
	{"csum-on-header", "a checksum that would change the destination", NOT_SENT, refused, "up",
	 NULL, O_CSUM_ON_HEADER},
	{"gso-size-0", "segments of 0 bytes", NOT_SENT, refused, "up", NULL, O_GSO_0},
	{"gso-size-1", "segments of 1 byte", NOT_SENT, refused, "up", NULL, O_GSO_1},
	{"gso-size-8", "64 KB in segments of 8 bytes, without end, for a second",
	 "nobody else waits", smallest_segments, "up", NULL, O_GSO_MIN},
	{"gso-types", "every gso type that nobody knows", NOT_SENT, refused, "up", NULL, O_TYPES},
	{"gso-udp", "UDP fragmentation, which is not offered", NOT_SENT, refused, "up", NULL,
	 O_UDP},
	{"gso-without-csum", "segmentation without a checksum", NOT_SENT, refused, "up", NULL,
	 O_NO_CSUM},
	{"gso-ipv6", "segmentation of IPv6 asked for IPv4", NOT_SENT, refused, "up", NULL, O_IPV6},
	{"gso-doff", "a TCP header of 16 bytes", NOT_SENT, refused, "up", NULL, O_DOFF},
	{"gso-ihl", "an IPv4 header that is longer than csum_start says", NOT_SENT, refused, "up",
	 NULL, O_IHL},
	{"gso-fragment", "segmentation of a fragment", NOT_SENT, refused, "up", NULL, O_FRAGMENT},
	{"gso-cut", "segmentation of a frame that ends in its TCP header", NOT_SENT, refused, "up",
	 NULL, O_SHORT},
	{"gso-not-agreed", "segmentation that was not negotiated", NOT_SENT, refused, "up", NULL,
	 O_NOT_AGREED},
	{"gso-ip-length", "an IPv4 length that is not the frame's", REBUILT, rebuilt, "up", NULL,
	 O_IP_LEN},
	{"hdr-len-0", "hdr_len 0", REBUILT, rebuilt, "up", NULL, O_HDR_LEN_0},
	{"hdr-len-65535", "hdr_len 65535", REBUILT, rebuilt, "up", NULL, O_HDR_LEN_65535},
	{"flags", "flags that nobody knows", REBUILT, rebuilt, "up", NULL, O_FLAGS},
	{0},
};
