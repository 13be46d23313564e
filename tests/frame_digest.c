/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest's driver hands to its kernel: a digest of the frames of tests/matrix_pcap.c that
 * come by one interface, up to the frame that ends them.
 *
 * How      A packet socket; the tag that the kernel takes off is put back. Turn GRO off before.
 *
 * usage: frame_digest INTERFACE
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/digest.h"

#define QUEUE_BYTES (64 << 20)
#define TAG	    4

static uint8_t frame[TAG + 70 * 1024];

/* Receives one frame behind room for a tag, and puts the tag back. Its length, or below 0. */
static ssize_t receive(int fd, uint8_t **start)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {frame + TAG, sizeof(frame) - TAG};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &mh, MSG_TRUNC);
	struct tpacket_auxdata aux = {0};
	uint16_t tag[2];

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm))
		if (cm->cmsg_level == SOL_PACKET && cm->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(cm), sizeof(aux));
	*start = frame + TAG;
	if (n < ETH_HLEN || !(aux.tp_status & TP_STATUS_VLAN_VALID))
		return n;
	tag[0] = htons(aux.tp_vlan_tpid);
	tag[1] = htons(aux.tp_vlan_tci);
	*start = frame;
	memmove(frame, frame + TAG, 2 * ETH_ALEN);
	memcpy(frame + 2 * ETH_ALEN, tag, sizeof(tag));
	return n + TAG;
}

static int socket_open(const char *interface)
{
	const int bytes = QUEUE_BYTES, one = 1;
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(interface);
	if (!at.sll_ifindex ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? socket_open(argv[1]) : -1;
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);
	struct digest d = {0};
	uint8_t *at;
	ssize_t n;

	if (fd < 0) {
		fprintf(stderr, "usage: frame_digest INTERFACE (and its socket must open)\n");
		return 2;
	}
	printf("ready\n");
	fflush(stdout);
	while ((n = receive(fd, &at)) >= 0) {
		if (n < ETH_HLEN || memcmp(at + ETH_ALEN, DIGEST_SOURCE, ETH_ALEN))
			continue;
		if (!memcmp(at + 2 * ETH_ALEN, DIGEST_END, 2))
			break;
		digest_frame(&d, at, (uint32_t)n);
	}
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
	printf("%llu frames, digest %016llx, %u lost\n", (unsigned long long)d.n_frames,
	       (unsigned long long)d.value, stats.tp_drops);
	return 0;
}
