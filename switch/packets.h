/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packets that one frame becomes for a receiver that does not take all that its sender left.
 *
 * What     For each packet: its headers, where its payload lies in the frame, its virtio header.
 *          One packet unless TCP has to be cut. The caller copies; nothing is looked at here but
 *          the headers.
 * How      packets_next() patches the headers in place for the packet it returns. When a packet's
 *          `sum` is set, the caller sums the payload while copying it (switch/csum.h) and gives
 *          the sum to packet_finish(), which completes the headers; then these are written.
 *
 *              packets_begin(&ps, &offload, head, head_len, len, shift, peer);
 *              while (packets_next(&ps, &p)) {
 *                      struct csum sum = {0};
 *                      ... csum_copy(&sum, to + p.head_len, payload + p.payload_off, ...) ...
 *                      packet_finish(&p, &sum);
 *                      memcpy(to, p.head, p.head_len);
 *              }
 *
 *          The caller may stop at any packet: nothing has to be given back.
 *          Segments are those that Linux makes: IPv4 identification goes up by one each, with DF
 *          too; FIN and PSH stay on the last, CWR on the first; lengths are rebuilt.
 *          A checksum that comes out as 0 is stored as 0xffff for UDP, where 0 says that there is
 *          none. Linux's skb_checksum_help() stores 0xffff for every protocol, its TCP segmentation
 *          never does; receivers take either.
 * Threads  any; nothing is kept.
 * Trust    the offload came from offload_accept(), for these headers.
 * Limits   len up to FRAME_MAX + tags; FRAME_MAX / OFFLOAD_GSO_MIN packets.
 */
#ifndef SWITCH_PACKETS_H
#define SWITCH_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/csum.h"
#include "switch/offload.h"

struct packet {
	uint8_t *head; /* valid until the next packets_next() */
	uint32_t head_len;
	uint32_t payload_off, payload_len; /* in what follows the headers in the frame */
	struct vnet_hdr hdr;		   /* num_buffers is the driver's */
	bool sum;			   /* packet_finish() needs the payload's sum */
	/* For packet_finish(). */
	bool udp;
	uint16_t field; /* where in head the checksum goes */
	struct csum head_sum;
};

struct packets {
	uint32_t n;	   /* packets altogether */
	uint32_t head_len; /* of each; what follows is payload */

	/* Private. */
	uint32_t at; /* packets given out */
	uint8_t *head;
	uint32_t payload, step; /* bytes: of the frame, of each packet but the last */
	struct vnet_hdr hdr;
	bool cut, ipv4, sum;
	uint16_t l3, l4, field;
	uint16_t partial; /* the pseudo header's sum without the length, as it lies in memory */
	uint32_t seq;
	uint16_t id;
	uint8_t flags; /* of TCP */
};

/*
 * head: the headers as they will be delivered, tags pushed and popped, in local memory that
 * packets_next() may write: at least what offload_accept() saw, moved by shift. A frame that is cut
 * takes as much of it as are headers: the rest, head_len - ps->head_len bytes, is left as it is
 * and begins the payload. Any other frame takes all of it. len: the whole frame as delivered.
 * peer: OFFLOAD_* that the receiver takes.
 */
void packets_begin(struct packets *ps, const struct offload *o, uint8_t *head, uint32_t head_len,
		   uint32_t len, int shift, uint32_t peer);

/* false: there are no more. */
bool packets_next(struct packets *ps, struct packet *out);

/* Completes p->head; payload: the sum of its payload alone, not looked at unless p->sum. */
void packet_finish(struct packet *p, const struct csum *payload);

#endif
