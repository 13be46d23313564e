/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_S	   2	      /* for the kernel's answer */
#define ANSWER_MAX (32 * 1024) /* of one interface, with all that it has */

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	char attrs[64];
};

static void request_begin(struct request *r, uint16_t type, uint16_t flags, unsigned ifindex)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(sizeof(r->info));
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->head.nlmsg_seq = 1;
	r->info.ifi_index = (int)ifindex;
}

/* In an attribute that holds others, or in none. */
static void attr_add(struct request *r, struct rtattr *in, uint16_t type, int32_t value)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(sizeof(value));
	memcpy(RTA_DATA(a), &value, sizeof(value));
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_SPACE(sizeof(value));
	in->rta_len = (uint16_t)((char *)r + r->head.nlmsg_len - (char *)in);
}

/* Sends it and takes the answer. Bytes of that, or -errno. */
static int talk(const struct request *r, char *answer)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct timeval wait = {.tv_sec = WAIT_S};
	ssize_t n = -1;
	int rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (send(fd, r, r->head.nlmsg_len, 0) >= 0)
		n = recv(fd, answer, ANSWER_MAX, 0);
	rc = n < 0 ? -errno : (int)n;
	close(fd);
	return rc;
}

static const struct rtattr *attr_find(const struct rtattr *a, int len, unsigned type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* 0: the interface has none. */
static uint32_t program_id(unsigned ifindex)
{
	_Alignas(8) char answer[ANSWER_MAX];
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	const struct rtattr *xdp, *id;
	struct request r;
	uint32_t value;
	int n;

	request_begin(&r, RTM_GETLINK, 0, ifindex);
	n = talk(&r, answer);
	if (n < 0 || !NLMSG_OK(h, (unsigned)n) || h->nlmsg_type != RTM_NEWLINK)
		return 0;
	xdp = attr_find(IFLA_RTA(NLMSG_DATA(h)), (int)IFLA_PAYLOAD(h), IFLA_XDP);
	id = xdp ? attr_find(RTA_DATA(xdp), (int)RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID) : NULL;
	if (!id || RTA_PAYLOAD(id) < sizeof(value))
		return 0;
	memcpy(&value, RTA_DATA(id), sizeof(value));
	return value;
}

int xdp_program_of(unsigned ifindex)
{
	union bpf_attr attr;
	uint32_t id = program_id(ifindex);
	long fd;

	if (!id)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	return fd < 0 ? -1 : (int)fd;
}

bool xdp_is_program(int fd)
{
	static const char program[] = "anon_inode:bpf-prog";
	char path[48], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n == (ssize_t)sizeof(program) - 1 && !memcmp(target, program, sizeof(program) - 1);
}

int xdp_program_off(int prog_fd, unsigned ifindex, struct err *err)
{
	_Alignas(8) char answer[ANSWER_MAX];
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	struct rtattr *xdp;
	struct request r;
	int n, rc;

	request_begin(&r, RTM_SETLINK, NLM_F_ACK, ifindex);
	xdp = (struct rtattr *)((char *)&r + NLMSG_ALIGN(r.head.nlmsg_len));
	xdp->rta_type = IFLA_XDP | NLA_F_NESTED;
	r.head.nlmsg_len += RTA_LENGTH(0);
	attr_add(&r, xdp, IFLA_XDP_FD, -1);
	attr_add(&r, xdp, IFLA_XDP_FLAGS, XDP_FLAGS_REPLACE);
	attr_add(&r, xdp, IFLA_XDP_EXPECTED_FD, prog_fd);
	n = talk(&r, answer);
	rc = n < 0 ? n : -EPROTO;
	if (n >= 0 && NLMSG_OK(h, (unsigned)n) && h->nlmsg_type == NLMSG_ERROR)
		rc = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
	if (rc == -ENODEV || rc == -ENOENT)
		return 0;
	if (rc == -EEXIST)
		return err_set(err, rc, "the interface has another XDP program");
	return rc < 0 ? err_set(err, rc, "cannot take the XDP program off: %s", strerror(-rc)) : 0;
}
