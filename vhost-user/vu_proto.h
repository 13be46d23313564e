/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user protocol, back end's side, as a pure step function: no descriptor is read, nothing is
 * mapped, nothing blocks.
 *
 * What     vu_step() takes the device's protocol state, one whole message and facts about the
 *          descriptors that came with it, and gives the reply and a list of actions that the
 *          caller carries out in order (map, unmap, start a ring …).
 * How      Format and meaning: QEMU's docs/interop/vhost-user.rst, "Message Specification". Layouts
 *          are in vu_msg below, in the machine's byte order as the specification says.
 * Threads  pure; any thread, one a device.
 * Trust    Every byte of a message is hostile. Sizes, descriptor counts, queue numbers, offsets and
 *          sums are checked before an action is given out; vu_step() never reads past msg->size.
 *          A violation is VU_VIOLATION with a sentence; the caller then closes the socket.
 * Limits   VU_MEM_SLOTS regions; VU_QUEUES_MAX rings.
 */
#ifndef VHOST_USER_VU_PROTO_H
#define VHOST_USER_VU_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#define VU_QUEUES_MAX	16 /* rings: eight pairs */
#define VU_MEM_SLOTS	64
#define VU_RING_MAX	32768 /* entries; virtio 1.1, 2.6 */
#define VU_MSG_FDS	8     /* descriptors of a SET_MEM_TABLE */
#define VU_PAYLOAD_MAX	(8 + 8 * 32) /* bytes: a memory table of eight regions is the longest */

/* Message types: "Front-end message types". */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_NET_SET_MTU = 20,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
};

/* Header flags. */
#define VU_VERSION	0x1u
#define VU_VERSION_MASK 0x3u
#define VU_REPLY	0x4u
#define VU_NEED_REPLY	0x8u

/* Protocol feature bits. */
#define VU_PROTO_MQ		   0
#define VU_PROTO_REPLY_ACK	   3
#define VU_PROTO_NET_MTU	   4
#define VU_PROTO_CONFIGURE_MEM_SLOTS 15

/* Virtio feature bits: virtio 1.1, 5.1.3 and 6; vhost-user's own 30. */
#define VIRTIO_NET_F_CSUM	    0
#define VIRTIO_NET_F_GUEST_CSUM	    1
#define VIRTIO_NET_F_MTU	    3
#define VIRTIO_NET_F_GUEST_TSO4	    7
#define VIRTIO_NET_F_GUEST_TSO6	    8
#define VIRTIO_NET_F_GUEST_ECN	    9
#define VIRTIO_NET_F_HOST_TSO4	    11
#define VIRTIO_NET_F_HOST_TSO6	    12
#define VIRTIO_NET_F_HOST_ECN	    13
#define VIRTIO_NET_F_MRG_RXBUF	    15
#define VIRTIO_NET_F_CTRL_VQ	    17
#define VIRTIO_NET_F_CTRL_RX	    18
#define VIRTIO_NET_F_GUEST_ANNOUNCE 21
#define VIRTIO_NET_F_MQ		    22
#define VIRTIO_F_ANY_LAYOUT	    27
#define VIRTIO_RING_F_INDIRECT_DESC 28
#define VIRTIO_RING_F_EVENT_IDX	    29
#define VHOST_USER_F_PROTOCOL_FEATURES 30
#define VIRTIO_F_VERSION_1	    32

#define VU_BIT(n) (1ull << (n))

/* Checksums and segmentation: what a driver may leave to us, and what it takes from us. */
#define VU_OFFLOADS                                                                             \
	(VU_BIT(VIRTIO_NET_F_CSUM) | VU_BIT(VIRTIO_NET_F_HOST_TSO4) |                           \
	 VU_BIT(VIRTIO_NET_F_HOST_TSO6) | VU_BIT(VIRTIO_NET_F_HOST_ECN) |                       \
	 VU_BIT(VIRTIO_NET_F_GUEST_CSUM) | VU_BIT(VIRTIO_NET_F_GUEST_TSO4) |                    \
	 VU_BIT(VIRTIO_NET_F_GUEST_TSO6) | VU_BIT(VIRTIO_NET_F_GUEST_ECN))

struct vu_mem_region {
	uint64_t gpa;	     /* guest physical address */
	uint64_t size;	     /* bytes */
	uint64_t uva;	     /* the front end's virtual address, which ring addresses use */
	uint64_t mmap_offset; /* of the region in its file */
};

struct vu_vring_state {
	uint32_t index, num;
};

struct vu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log; /* front-end virtual addresses */
};

#define VU_HEADER_SIZE 12

struct vu_msg {
	uint32_t request, flags;
	uint32_t size; /* bytes of payload that are there */
	union {
		uint64_t u64;
		struct vu_vring_state state;
		struct vu_vring_addr addr;
		struct {
			uint32_t n_regions, padding;
			struct vu_mem_region regions[VU_MSG_FDS];
		} mem;
		struct {
			uint64_t padding;
			struct vu_mem_region region;
		} mem_reg;
		uint8_t bytes[VU_PAYLOAD_MAX];
	} u;
};

/* What the caller found out about a received descriptor. */
enum vu_fd_kind { VU_FD_EVENT, VU_FD_FILE, VU_FD_OTHER };

struct vu_fd_fact {
	enum vu_fd_kind kind; /* an eventfd; a file in memory (memfd, tmpfs, hugetlbfs) */
	uint64_t size;	      /* of a VU_FD_FILE, bytes */
};

/*
 * A ring's life. Stopped until a kick (or its absence) is told; workers see it only while it runs,
 * that is when it is started, enabled, and its addresses resolve.
 */
enum vu_ring_phase {
	VU_RING_STOPPED, /* SET_VRING_KICK -> STARTED. num, addresses and base may be set. */
	VU_RING_STARTED, /* GET_VRING_BASE -> STOPPED; RESET_OWNER, a closed socket -> STOPPED. num and
			    base may not be set. */
};

struct vu_ring_state {
	enum vu_ring_phase phase;
	bool enabled; /* SET_VRING_ENABLE; by itself where PROTOCOL_FEATURES was not negotiated */
	bool has_addr;
	uint16_t num;  /* entries; 0: not told */
	uint16_t base; /* where the front end says that it goes on, or where it was stopped */
	struct vu_vring_addr addr;
};

/*
 * A device's life on one connection.
 */
enum vu_phase {
	VU_NEW,	       /* features may be read; SET_OWNER -> OWNED. Everything else is early but
			  allowed, as QEMU asks for features, protocol features and queues first */
	VU_OWNED,      /* SET_FEATURES -> NEGOTIATED; RESET_OWNER -> NEW */
	VU_NEGOTIATED, /* rings may start. SET_FEATURES again (the guest's driver was reset) is
			  allowed while no ring is started, or when it changes nothing that running
			  rings depend on */
};

struct vu_dev {
	/* Fixed when the device is made. */
	uint64_t features_offered;
	uint32_t n_rings; /* offered: two a pair */
	uint32_t mtu_max; /* the port's own MTU; 0: none, the front end's is taken */

	enum vu_phase phase;
	uint64_t features;	 /* acknowledged */
	uint64_t proto_features; /* acknowledged */
	uint32_t mtu;		 /* told by NET_SET_MTU; 0: not told */
	unsigned n_regions;
	struct vu_mem_region regions[VU_MEM_SLOTS];
	struct vu_ring_state rings[VU_QUEUES_MAX];
	uint64_t refused_logged; /* requests whose refusal has been said, one bit each */
};

enum vu_action_type {
	VU_ACT_MEM_CLEAR,    /* take workers out of all rings, unmap everything */
	VU_ACT_MEM_ADD,	     /* map descriptor `fd` as dev->regions[slot] */
	VU_ACT_MEM_DEL,	     /* take workers out of all rings, unmap region `slot`; later ones move down */
	VU_ACT_RINGS_RESOLVE, /* memory has changed: look up all ring addresses, let workers in again */
	VU_ACT_FEATURES,     /* dev->features changed: header size, EVENT_IDX … */
	VU_ACT_RING_KICK,    /* take descriptor `fd` (-1: poll) as the ring's kick */
	VU_ACT_RING_CALL,    /* take descriptor `fd` (-1: none) as the ring's call; workers may be in it */
	VU_ACT_RING_ERR,     /* take descriptor `fd` (-1: none) as the ring's error */
	VU_ACT_RING_START,   /* the ring is started and enabled: let workers in */
	VU_ACT_RING_STOP,    /* take workers out of the ring */
	VU_ACT_RING_BASE,    /* put the ring's position into reply.u.state.num */
	VU_ACT_MTU,	     /* dev->mtu was told */
	VU_ACT_LOG,	     /* say result.text, once */
};

struct vu_action {
	enum vu_action_type type;
	uint8_t ring;
	int8_t fd;   /* index of the message's descriptor, or -1 */
	uint8_t slot;
};

#define VU_ACTIONS_MAX (VU_MSG_FDS + 2 * VU_QUEUES_MAX + 8)

enum vu_verdict {
	VU_OK,
	VU_REFUSED,   /* understood and not done; the reply says so where one was asked for */
	VU_VIOLATION, /* close the socket; text says why */
};

struct vu_result {
	enum vu_verdict verdict;
	char text[200];
	unsigned n_actions;
	struct vu_action actions[VU_ACTIONS_MAX];
	bool has_reply;
	struct vu_msg reply;
};

/* A device before its first connection, or (dev_reset) after one: what was negotiated is gone. */
void vu_dev_init(struct vu_dev *dev, uint64_t features_offered, unsigned n_pairs, uint32_t mtu_max);
void vu_dev_reset(struct vu_dev *dev);

/* Checks a header before its payload is read: how many bytes to expect. VU_VIOLATION with text. */
enum vu_verdict vu_header_check(const struct vu_msg *msg, char *text, unsigned text_size);

/* Handles one whole message that came with n_fds descriptors. An action that the caller cannot carry
 * out (no memory to map with, say) ends the connection: the state here is ahead of the facts then. */
void vu_step(struct vu_dev *dev, const struct vu_msg *msg, const struct vu_fd_fact *fds,
	     unsigned n_fds, struct vu_result *out);

/* "SET_MEM_TABLE", or NULL for a request the specification does not know. */
const char *vu_request_name(uint32_t request);

/* True when workers may be in this ring. Without MQ a ring beyond the first pair is no data queue:
 * some front ends pass their control queue on as ring 2. */
static inline bool vu_ring_runs(const struct vu_dev *dev, unsigned i)
{
	return dev->rings[i].phase == VU_RING_STARTED && dev->rings[i].enabled &&
	       (i < 2 || dev->features & VU_BIT(VIRTIO_NET_F_MQ));
}

#endif
