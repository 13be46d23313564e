/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanyard's segments and checksums are Linux's, byte for byte.
 *
 * How      In a network namespace of its own, a bridge of two taps. Random frames with a virtio-net
 *          header are written to one, what the kernel makes of them is read from the other, whose
 *          offloads are set in turn to what each kind of receiver takes; and it must be what
 *          switch/packets.c makes of the same frame, in order, headers included.
 * Left out TSO of a payload that is one segment, but would not be with TCP's options added to it:
 *          Linux takes such a frame for one to be cut, finds nothing to cut, and loses it.
 * Masked   The virtio header's hdr_len: Linux says how much of a frame it holds in one piece.
 *          0 and 0xffff in the checksum of TCP that is not cut; see switch/packets.h.
 * Exit     0; 1 with the seed and both packets; 77 with a sentence where it cannot be tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/frame.h"
#include "switch/packets.h"
#include "tests/unit/dice.h"
#include "tests/unit/packet_random.h"

#define ROUNDS	1000 /* for each kind of receiver */
#define MTU	9000
#define QUEUE	2000 /* packets: more than one frame becomes */
#define ROOM	(FRAME_MAX + VNET_HDR)
#define WAIT_MS 2000 /* for a packet that has to come; none is waited for that has not */
#define ALL	(OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_ECN)

static const struct receiver {
	const char *name;
	uint32_t peer;
	unsigned long tap; /* the same, as TUNSETOFFLOAD has it */
} receivers[] = {
	{"nothing", 0, 0},
	{"checksums", OFFLOAD_CSUM, TUN_F_CSUM},
	{"TSO for IPv4", OFFLOAD_CSUM | OFFLOAD_TSO4, TUN_F_CSUM | TUN_F_TSO4},
	{"TSO without ECN", OFFLOAD_CSUM | OFFLOAD_TSO, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6},
	{"everything", ALL, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN},
};

static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};

struct message {
	uint8_t bytes[ROOM]; /* a legacy header and a frame */
	size_t len;
};

static void skip(const char *what)
{
	printf("skipped: %s: %s\n", what, strerror(errno));
	exit(77);
}

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void link_set(int sock, const char *name, unsigned long request, int value)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (request == SIOCSIFMTU)
		ifr.ifr_mtu = value;
	else if (request == SIOCSIFTXQLEN)
		ifr.ifr_qlen = value;
	else
		ifr.ifr_flags = (short)value;
	if (ioctl(sock, request, &ifr))
		skip(name);
}

static int tap_open(int sock, const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0)
		skip("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(sock, SIOCGIFINDEX, &ifr))
		skip(name);
	link_set(sock, name, SIOCSIFMTU, MTU);
	link_set(sock, name, SIOCSIFTXQLEN, QUEUE);
	link_set(sock, name, SIOCSIFFLAGS, IFF_UP);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "bridge");
	if (ioctl(sock, SIOCBRADDIF, &ifr))
		skip("adding a tap to a bridge");
	return fd;
}

/* No word from the kernel's own IPv6 on the links. */
static void ipv6_off(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		skip("disable_ipv6");
	close(fd);
}

static void lab_open(int taps[2])
{
	int sock;

	if (unshare(CLONE_NEWNET))
		skip("a network namespace of its own");
	ipv6_off();
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || ioctl(sock, SIOCBRADDBR, "bridge"))
		skip("a bridge");
	taps[0] = tap_open(sock, "sender");
	taps[1] = tap_open(sock, "receiver");
	link_set(sock, "bridge", SIOCSIFFLAGS, IFF_UP);
	close(sock);
}

/* A frame that its sender left work on, and the header that says so. */
static void message_make(struct message *m)
{
	static uint8_t payload[FRAME_MAX];
	const bool cut = !dice_once_in(4);
	struct vnet_hdr h = {.flags = VNET_HDR_NEEDS_CSUM};
	struct fields f;
	struct layout at;

	random_fields(&f, cut || dice_once_in(2) ? ORACLE_TCP : ORACLE_UDP);
	memcpy(f.macs, macs, sizeof(macs));
	f.n_payload = cut && dice_once_in(10) ? dice_in(0, FRAME_MAX - OFFLOAD_HEAD_MAX)
					      : dice_in(0, MTU - OFFLOAD_HEAD_MAX);
	dice_fill(payload, f.n_payload);
	f.payload = payload;
	at = oracle_build(&f, ORACLE_PARTIAL, m->bytes + VNET_HDR_LEGACY);
	h.csum_start = (uint16_t)at.l4;
	h.csum_offset = f.proto == ORACLE_TCP ? 16 : 6;
	h.hdr_len = (uint16_t)at.payload;
	if (cut) {
		h.gso_type = f.v6 ? VNET_HDR_GSO_TCPV6 : VNET_HDR_GSO_TCPV4;
		if (f.flags & ORACLE_CWR)
			h.gso_type |= VNET_HDR_GSO_ECN;
		h.gso_size = (uint16_t)(f.n_payload / 1300 + OFFLOAD_GSO_MIN +
					dice_in(0, dice_once_in(3) ? MTU : 600));
		if (h.gso_size >= f.n_payload) /* see "Left out" */
			h.gso_size = (uint16_t)(f.n_payload + f.n_options + OFFLOAD_GSO_MIN);
	}
	memcpy(m->bytes, &h, VNET_HDR_LEGACY);
	m->len = VNET_HDR_LEGACY + at.len;
}

/* The next packet that is not the kernel's own (IGMP); false: none within wait_ms. */
static bool message_read(int tap, int wait_ms, struct message *m)
{
	struct pollfd p = {.fd = tap, .events = POLLIN};

	while (poll(&p, 1, wait_ms) == 1) {
		ssize_t n = read(tap, m->bytes, sizeof(m->bytes));

		if (n < VNET_HDR_LEGACY + FRAME_MIN)
			fail("read: %s", strerror(errno));
		m->len = (size_t)n;
		if (!memcmp(m->bytes + VNET_HDR_LEGACY, macs, sizeof(macs)))
			return true;
	}
	return false;
}

/* The packet as a message. rest: what follows the headers in the frame. */
static void packet_put(struct packet *p, const uint8_t *rest, struct message *m)
{
	uint8_t *frame = m->bytes + VNET_HDR_LEGACY;
	struct csum sum = {0};

	csum_copy(&sum, frame + p->head_len, rest + p->payload_off, p->payload_len);
	packet_finish(p, &sum);
	memcpy(frame, p->head, p->head_len);
	memcpy(m->bytes, &p->hdr, VNET_HDR_LEGACY);
	m->len = VNET_HDR_LEGACY + p->head_len + p->payload_len;
}

/* Makes equal what may differ. */
static void mask(struct message *linux_one, const struct message *ours, const struct offload *o,
		 bool cut)
{
	const size_t field = VNET_HDR_LEGACY + o->csum_start + o->csum_offset;
	struct vnet_hdr h = {0}, our_h = {0};

	memcpy(&h, linux_one->bytes, VNET_HDR_LEGACY);
	memcpy(&our_h, ours->bytes, VNET_HDR_LEGACY);
	h.hdr_len = our_h.hdr_len;
	memcpy(linux_one->bytes, &h, VNET_HDR_LEGACY);
	if (!cut && o->csum_offset == 16 && !memcmp(linux_one->bytes + field, "\xff\xff", 2) &&
	    !memcmp(ours->bytes + field, "\0", 2))
		memset(linux_one->bytes + field, 0, 2);
}

static void dump(const char *whose, const struct message *m)
{
	printf("%s, %zu bytes:", whose, m->len);
	for (size_t i = 0; i < m->len && i < 200; i++)
		printf("%s%02x", i % 32 ? " " : "\n  ", m->bytes[i]);
	printf("\n");
}

static unsigned compare(const struct receiver *r, const struct message *sent, int tap)
{
	static struct message theirs, ours;
	const uint8_t *frame = sent->bytes + VNET_HDR_LEGACY;
	const uint32_t len = (uint32_t)sent->len - VNET_HDR_LEGACY;
	const uint32_t n = len < OFFLOAD_HEAD_MAX ? len : OFFLOAD_HEAD_MAX;
	uint8_t head[OFFLOAD_HEAD_MAX];
	struct vnet_hdr h = {0};
	struct packets ps;
	struct offload o;
	struct packet p;

	memcpy(&h, sent->bytes, VNET_HDR_LEGACY);
	memcpy(head, frame, n);
	if (offload_accept(&h, head, n, len, ALL, &o) != FRAME_NO_DROP)
		fail("refused what Linux took");
	packets_begin(&ps, &o, head, n, len, 0, r->peer);
	for (unsigned i = 0; packets_next(&ps, &p); i++) {
		packet_put(&p, frame + ps.head_len, &ours);
		if (!message_read(tap, WAIT_MS, &theirs)) {
			dump("sent", sent);
			fail("packet %u of %u for a receiver of %s has not come", i + 1, ps.n,
			     r->name);
		}
		mask(&theirs, &ours, &o, ps.n > 1);
		if (theirs.len == ours.len && !memcmp(theirs.bytes, ours.bytes, ours.len))
			continue;
		dump("sent", sent);
		dump("Linux's", &theirs);
		dump("ours", &ours);
		fail("packet %u of %u for a receiver of %s differs", i + 1, ps.n, r->name);
	}
	if (message_read(tap, 0, &theirs))
		fail("Linux makes more than %u packets for a receiver of %s", ps.n, r->name);
	return ps.n;
}

int main(void)
{
	static struct message m;
	int taps[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	lab_open(taps);
	dice_seed();
	for (size_t i = 0; i < sizeof(receivers) / sizeof(receivers[0]); i++) {
		unsigned n_packets = 0;

		if (ioctl(taps[1], TUNSETOFFLOAD, receivers[i].tap))
			skip("TUNSETOFFLOAD");
		for (unsigned round = 0; round < ROUNDS; round++) {
			message_make(&m);
			if (write(taps[0], m.bytes, m.len) != (ssize_t)m.len)
				fail("Linux refuses a frame: %s", strerror(errno));
			n_packets += compare(&receivers[i], &m, taps[1]);
		}
		printf("ok for a receiver of %s: %u frames, %u packets\n", receivers[i].name,
		       ROUNDS, n_packets);
	}
	return 0;
}
