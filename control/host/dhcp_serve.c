/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "control/host/dhcp_msg.h"
#include "control/host/forbidden.h"
#include "control/host/rights.h"
#include "tap/dhcp_server.h"
#include "tap/nat_service.h"
#include "tap/tun.h"

#define WHO  "switch: host helper's dhcp"
#define TURN 16 /* questions, before dnsmasqs have theirs */

static struct {
	struct loop *loop;
	int sock;
	struct loop_fd *watch;
	struct one {
		uint32_t id; /* 0: free */
		struct dhcp_server *server;
	} all[NAT_SERVICES_MAX];
} it;

static struct one *find(uint32_t id)
{
	for (unsigned i = 0; i < NAT_SERVICES_MAX; i++)
		if (it.all[i].id == id)
			return &it.all[i];
	return NULL;
}

static void say(const struct dhcp_answer *a)
{
	if (fd_msg_send(it.sock, a, sizeof(*a), NULL, 0, 0) < 0)
		LOG_WARN_RL(WHO ": an answer is not taken");
}

static void tell(void *arg, const char *why)
{
	const struct one *o = arg;
	struct dhcp_answer a = {.op = DHCP_TELL, .id = o->id};

	snprintf(a.err.text, sizeof(a.err.text), "%s", why ? why : "");
	say(&a);
}

/* It becomes an argument of dnsmasq's. */
static int ifname_of(int tun_fd, char out[IFNAMSIZ], struct err *err)
{
	if (!tun_is_one(tun_fd) || tun_name(tun_fd, out) < 0)
		return err_set(err, -EINVAL, "that is no tap");
	for (const char *c = out; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
			return err_set(err, -EINVAL, "\"%.40s\" is no interface name for dnsmasq",
				       out);
	return tun_is_here(tun_fd)
		       ? 0
		       : err_set(err, -EXDEV, "interface \"%s\" is in another network namespace",
				 out);
}

static int start(const struct dhcp_question *q, int tun_fd, struct err *err)
{
	char ifname[IFNAMSIZ];
	struct dhcp_server_opts opts = {.ifname = ifname,
					.tun_fd = tun_fd,
					.address = q->address,
					.prefix = q->prefix,
					.tell = tell};
	struct one *o = find(0);
	int rc = ifname_of(tun_fd, ifname, err);

	if (rc == 0 && (q->prefix < 8 || q->prefix > 30))
		rc = err_set(err, -EINVAL, "a prefix of %u is outside 8-30", q->prefix);
	if (rc == 0 && (!q->id || find(q->id)))
		rc = err_set(err, -EEXIST, "number %u is taken", q->id);
	if (rc == 0 && !o)
		rc = err_set(err, -ENOSPC, "there are %d dnsmasqs already, which is all",
			     NAT_SERVICES_MAX);
	if (rc < 0)
		return rc;
	o->id = q->id;
	opts.arg = o;
	rc = dhcp_server_start(it.loop, &opts, &o->server, err);
	if (rc < 0)
		o->id = 0;
	return rc;
}

static int question_do(const struct dhcp_question *q, int fd, struct err *err)
{
	struct one *o = q->id ? find(q->id) : NULL;
	char ifname[IFNAMSIZ];
	int rc;

	if (q->op == DHCP_START && fd >= 0)
		return start(q, fd, err);
	if (!o)
		return err_set(err, -ENOENT, "there is no dnsmasq of number %u", q->id);
	if (q->op == DHCP_RENAME && fd >= 0) {
		rc = ifname_of(fd, ifname, err);
		if (rc == 0)
			dhcp_server_rename(o->server, ifname);
		return rc;
	}
	if (q->op != DHCP_STOP || fd >= 0)
		return err_set(err, -EPROTO, "that is nothing to ask");
	dhcp_server_stop(o->server);
	*o = (struct one){.id = 0};
	return 0;
}

static void questions_ready(void *arg, int sock, uint32_t events)
{
	for (unsigned i = 0; i < TURN; i++) {
		struct dhcp_question q = {0};
		int fds[1], size;
		unsigned n;

		size = fd_msg_receive(sock, &q, sizeof(q), fds, 1, &n, 0);
		if (size == -EAGAIN)
			return;
		if (size < 0 && size != -EPROTO) {
			loop_stop(it.loop, EXIT_SUCCESS);
			return;
		}
		if (size == sizeof(q)) {
			struct dhcp_answer a = {.op = q.op, .seq = q.seq, .id = q.id};

			a.result = question_do(&q, n ? fds[0] : -1, &a.err);
			say(&a);
		} else {
			LOG_WARN_RL(WHO ": asked for what there is not");
		}
		fd_msg_close(fds, n);
	}
}

static int rights_take(struct err *err)
{
	struct rights rights = {
		.who = WHO,
		.caps = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, -1},
		.pass_on = true,
	};
	int rc;

	if (geteuid() == 0)
		dhcp_server_user(&rights.uid, &rights.gid);
	rc = rights_reduce(&rights, err);
	return rc < 0 ? rc : forbidden_enter(err);
}

int dhcp_serve(int sock, void *arg)
{
	struct err err = ERR_NONE;
	int rc = rights_take(&err);

	it.sock = sock;
	if (rc == 0) {
		rc = loop_create(&it.loop);
		if (rc == 0)
			rc = loop_fd_add(it.loop, sock, EPOLLIN, questions_ready, NULL, &it.watch);
		if (rc < 0)
			err_set(&err, rc, "%s", strerror(-rc));
	}
	if (rc < 0) {
		LOG_ERR(WHO ": %s", err.text);
		return EXIT_FAILURE;
	}
	rc = loop_run(it.loop);
	for (unsigned i = 0; i < NAT_SERVICES_MAX; i++)
		dhcp_server_stop(it.all[i].server);
	return rc < 0 ? EXIT_FAILURE : rc;
}
