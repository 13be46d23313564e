/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/host_server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "tap/host_direct.h"
#include "tap/host_msg.h"
#include "tap/netns.h"
#include "tap/tun.h"
#include "tap/xdp_program.h"

#define TURN	   64 /* questions, before dnsmasq and nftables have theirs */
#define QUEUES_MAX 8  /* of a tap: PORT_QUEUES_MAX */

struct host_server {
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	loop_fn on_end;
	void *arg;
};

static struct host_server *the_server; /* services tell their notes to it */

/* ---- what is asked ---- */

enum fd_kind { NOTHING, NAMESPACE, TUN, PROGRAM };

static const enum fd_kind needs[HOST_OPS] = {
	[HOST_NETLINK] = NAMESPACE, [HOST_TUN] = NAMESPACE, [HOST_TUN_NETNS] = TUN,
	[HOST_LINK] = TUN,	    [HOST_NAT_START] = TUN, [HOST_NAT_RENAME] = TUN,
	[HOST_XDP_OFF] = PROGRAM,   [HOST_XDP_KEEP] = PROGRAM,
};

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool is_whole(const struct host_question *q, int size, const int *fds, unsigned n_fds)
{
	if (size != sizeof(*q) || !q->op || q->op >= HOST_OPS || n_fds != (needs[q->op] != NOTHING))
		return false;
	if (needs[q->op] == NAMESPACE && !netns_is_one(fds[0]))
		return false;
	if (needs[q->op] == TUN && !tun_is_one(fds[0]))
		return false;
	if (needs[q->op] == PROGRAM && !xdp_is_program(fds[0]))
		return false;
	return is_text(q->name, sizeof(q->name)) && is_text(q->port, sizeof(q->port)) &&
	       is_text(q->link.address, sizeof(q->link.address));
}

static int tun_do(const struct host_question *q, int ns_fd, int *out, unsigned *n_out,
		  struct err *err)
{
	int rc = tun_name_check(q->name, err);

	if (rc == 0 && (q->n < 1 || q->n > QUEUES_MAX))
		rc = err_set(err, -EINVAL, "%u queues are outside 1-%d", q->n, QUEUES_MAX);
	if (rc == 0)
		rc = host_direct.tun(ns_fd, q->name, q->exists, out, q->n, err);
	*n_out = rc == 0 ? q->n : 0;
	return rc;
}

/* ---- nat ---- */

static void send_answer(struct host_server *s, const struct host_answer *a, const int *fds,
			unsigned n)
{
	if (fd_msg_send(s->fd, a, sizeof(*a), fds, n, 0) < 0)
		LOG_WARN_RL("switch: host helper: an answer is not taken");
}

static void tell(void *arg, const char *note)
{
	struct host_answer a = {.op = HOST_TELL, .slot = (uint32_t)(uintptr_t)arg};

	snprintf(a.err.text, sizeof(a.err.text), "%s", note);
	if (the_server)
		send_answer(the_server, &a, NULL, 0);
}

static int nat_start(const struct host_question *q, int tun_fd, struct err *err)
{
	struct nat_service_opts opts = {.slot = q->slot,
					.tun_fd = tun_fd,
					.address = q->address,
					.prefix = q->prefix,
					.port = q->port,
					.tell = tell,
					.arg = (void *)(uintptr_t)q->slot};

	/* It is written to the log. */
	for (const char *c = q->port; *c; c++)
		if (*c <= ' ' || *c == 127)
			return err_set(err, -EINVAL, "that is no name of a port");
	return host_direct.nat_start(&opts, err);
}

/* ---- answers ---- */

static int question_do(const struct host_question *q, int fd, int *out, unsigned *n_out,
		       struct err *err)
{
	int rc = 0;

	switch (q->op) {
	case HOST_HELLO:
		nat_service_disclaim();
		break;
	case HOST_NETNS:
		rc = host_direct.netns(q->name[0] ? q->name : NULL, out, err);
		*n_out = rc == 0;
		break;
	case HOST_NETLINK:
		rc = host_direct.netlink(fd, out, err);
		*n_out = rc == 0 ? 2 : 0;
		break;
	case HOST_TUN:
		rc = tun_do(q, fd, out, n_out, err);
		break;
	case HOST_TUN_NETNS:
		rc = out[0] = host_direct.tun_netns(fd);
		*n_out = rc >= 0;
		rc = rc < 0 ? rc : 0;
		break;
	case HOST_LINK:
		rc = host_direct.link(fd, &q->link, err);
		break;
	case HOST_NAT_START:
		rc = nat_start(q, fd, err);
		break;
	case HOST_NAT_RENAME:
		rc = host_direct.nat_rename(q->slot, fd, err);
		break;
	case HOST_NAT_STOP:
		host_direct.nat_stop(q->slot);
		break;
	case HOST_SETTLE:
		host_direct.settle();
		break;
	case HOST_XDP_OFF:
		rc = host_direct.xdp_off(fd, q->n, err);
		break;
	case HOST_XDP_KEEP:
		rc = host_direct.xdp_keep(fd, q->n, err);
		break;
	default:
		rc = err_set(err, -EPROTO, "the host helper does not do that");
	}
	return rc;
}

static void question_answer(struct host_server *s, const struct host_question *q, int fd)
{
	struct host_answer a = {.op = q->op, .seq = q->seq, .slot = q->slot};
	int out[QUEUES_MAX];
	unsigned n_out = 0;

	a.result = question_do(q, fd, out, &n_out, &a.err);
	send_answer(s, &a, out, n_out);
	fd_msg_close(out, n_out);
}

/* Without an answer it would wait in vain. */
static void question_refuse(struct host_server *s, const struct host_question *q)
{
	struct host_answer a = {.op = q->op, .seq = q->seq, .result = -EPROTO};

	LOG_WARN_RL("switch: host helper: asked for what there is not");
	err_set(&a.err, -EPROTO, "the host helper does not do that");
	send_answer(s, &a, NULL, 0);
}

static void questions_ready(void *arg, int fd, uint32_t events)
{
	struct host_server *s = arg;

	for (unsigned i = 0; i < TURN; i++) {
		struct host_question q = {0};
		unsigned n_fds;
		int fds[1], size = fd_msg_receive(fd, &q, sizeof(q), fds, 1, &n_fds, 0);

		if (size == -EAGAIN)
			return;
		if (size < 0 && size != -EPROTO) {
			loop_fd_del(s->watch);
			s->watch = NULL;
			s->on_end(s->arg);
			return;
		}
		if (size > 0 && is_whole(&q, size, fds, n_fds))
			question_answer(s, &q, n_fds ? fds[0] : -1);
		else
			question_refuse(s, &q);
		fd_msg_close(fds, n_fds);
	}
}

int host_server_create(struct loop *loop, int fd, loop_fn on_end, void *arg,
		       struct host_server **out)
{
	struct host_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	*s = (struct host_server){.loop = loop, .fd = fd, .on_end = on_end, .arg = arg};
	rc = loop_fd_add(loop, fd, EPOLLIN, questions_ready, s, &s->watch);
	if (rc < 0) {
		free(s);
		return rc;
	}
	the_server = s;
	*out = s;
	return 0;
}

int host_server_renew(struct host_server *s, int fd)
{
	struct loop_fd *watch;
	int rc = loop_fd_add(s->loop, fd, EPOLLIN, questions_ready, s, &watch);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	loop_fd_del(s->watch);
	close(s->fd);
	s->watch = watch;
	s->fd = fd;
	return 0;
}

void host_server_destroy(struct host_server *s)
{
	if (!s)
		return;
	the_server = NULL;
	loop_fd_del(s->watch);
	close(s->fd);
	free(s);
}
