/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/dhcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/fd_msg.h"
#include "base/log.h"
#include "control/host/dhcp_msg.h"
#include "control/host/servant.h"
#include "tap/dhcp_server.h"
#include "tap/nat_service.h"

/* One of lanyard-dhcp's, as a nat service sees it. */
struct remote {
	LIST_ENTRY(remote) entry;
	uint32_t id;
	void (*tell)(void *arg, const char *why);
	void *arg;
};

static LIST_HEAD(, remote) remotes = LIST_HEAD_INITIALIZER(remotes);
static int socket_fd = -1;

static void take(const void *words, int size)
{
	struct dhcp_answer a;
	struct remote *r;

	if (size != sizeof(a))
		return;
	memcpy(&a, words, sizeof(a));
	a.err.text[sizeof(a.err.text) - 1] = '\0';
	if (a.op != DHCP_TELL)
		return;
	LIST_FOREACH (r, &remotes, entry)
		if (r->id == a.id) {
			r->tell(r->arg, a.err.text[0] ? a.err.text : NULL);
			return;
		}
}

static int ask(struct dhcp_question *q, int tun_fd, struct err *err)
{
	static uint32_t seq;
	struct dhcp_answer a;
	int fd, rc;

	q->seq = ++seq;
	rc = servant_ask(socket_fd, q, sizeof(*q), tun_fd, &a, sizeof(a), &fd, take, err);
	if (rc < 0)
		return rc;
	fd_msg_close(&fd, 1); /* none was asked for */
	a.err.text[sizeof(a.err.text) - 1] = a.err.hint[sizeof(a.err.hint) - 1] = '\0';
	if (a.result < 0 && err)
		*err = a.err;
	return a.result < 0 ? a.result : 0;
}

static int remote_start(struct loop *loop, const struct dhcp_server_opts *o, void **out,
			struct err *err)
{
	static uint32_t last_id;
	struct dhcp_question q = {.op = DHCP_START, .address = o->address, .prefix = o->prefix};
	struct remote *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	*r = (struct remote){.id = ++last_id ? last_id : ++last_id, .tell = o->tell, .arg = o->arg};
	LIST_INSERT_HEAD(&remotes, r, entry);
	q.id = r->id;
	rc = ask(&q, o->tun_fd, err);
	if (rc < 0) {
		LIST_REMOVE(r, entry);
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

static void remote_rename(void *server, const char *ifname, int tun_fd)
{
	const struct remote *r = server;
	struct dhcp_question q = {.op = DHCP_RENAME, .id = r->id};
	struct err err = ERR_NONE;

	if (ask(&q, tun_fd, &err) < 0) {
		LOG_WARN("switch: dnsmasq does not follow interface \"%s\": %s", ifname, err.text);
		r->tell(r->arg, err.text);
	}
}

static void remote_stop(void *server)
{
	struct remote *r = server;
	struct dhcp_question q = {.op = DHCP_STOP};
	struct err err = ERR_NONE;

	if (!r)
		return;
	q.id = r->id;
	LIST_REMOVE(r, entry);
	free(r);
	if (ask(&q, -1, &err) < 0)
		LOG_WARN("switch: a dnsmasq is not ended: %s", err.text);
}

static const struct dhcp_ops by_servant = {
	.start = remote_start, .rename = remote_rename, .stop = remote_stop};

int dhcp_start(struct err *err)
{
	int rc = servant_start("lanyard-dhcp", dhcp_serve, NULL, &socket_fd, err);

	if (rc == 0)
		nat_service_dhcp_by(&by_servant);
	return rc;
}

int dhcp_watch(struct loop *loop, loop_fn lost)
{
	return servant_watch(loop, socket_fd, take, lost);
}
