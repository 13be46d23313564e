/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's side of a takeover; see control/keeper/takeover.h.
 *
 * How      The old build's spare is put aside as a reserve and stays warm: when the new packet process dies before
 *          it is ready, the reserve is handed everything at once.
 */
#include "control/keeper/takeover.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/keeper/internal.h"

#define ASK_MAX	  (5 * S_NS)  /* from connecting to asking */
#define WARM_MAX  (20 * S_NS) /* for the new packet process, and for its look */
#define READY_MAX (15 * S_NS)

/* ---- the client ---- */

static void client_end(struct takeover *t)
{
	loop_fd_del(t->client_watch);
	t->client_watch = NULL;
	if (t->client >= 0)
		close(t->client);
	t->client = -1;
}

static void answer(int fd, int result, const char *text)
{
	struct takeover_answer a = {.version = TAKEOVER_VERSION, .result = result};

	snprintf(a.text, sizeof(a.text), "%s", text);
	/* Who does not listen any more reads it in the log. */
	if (fd >= 0 && send(fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		LOG_INFO("switch: who asked for the takeover has gone");
}

void takeover_answer(struct keeper *k, int result, const char *text)
{
	answer(k->takeover.client, result, text);
	client_end(&k->takeover);
}

/* ---- failure: everything as it was ---- */

static void state_set(struct keeper *k, enum takeover_state state, uint64_t max_ns, loop_fn late)
{
	k->takeover.state = state;
	loop_timer_del(k->takeover.timer);
	if (late)
		loop_timer_add(k->loop, max_ns, late, k, &k->takeover.timer);
}

/* The spare of the old build is the spare again; the new one's goes, unless it is the active one. */
static void reserve_return(struct keeper *k)
{
	struct takeover *t = &k->takeover;

	packet_kill(k->spare);
	k->spare = t->reserve;
	t->reserve = NULL;
	k->packet_program = k->opts->program;
	if (k->spare && packet_watch(k->spare, k->loop, on_spare_exit, on_spare_channel, k) < 0) {
		packet_kill(k->spare);
		k->spare = NULL;
	}
}

void takeover_fail(struct keeper *k, int result, const char *fmt, ...)
{
	struct takeover *t = &k->takeover;
	enum takeover_state was = t->state;
	char text[288], all[480];
	va_list ap;

	if (was == TAKEOVER_NONE)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	state_set(k, TAKEOVER_NONE, 0, NULL);
	snprintf(all, sizeof(all), "no takeover by build %s: %s; build %s goes on", t->request.build, text,
		 k->opts->version);
	LOG_WARN("switch: %s", all);
	takeover_answer(k, result, all);
	/* The new process forwards, and well. */
	if (was == TAKEOVER_EXEC) {
		spare_later(k);
		return;
	}
	if (was == TAKEOVER_YIELDING)
		succession_forget(k);
	if (!k->stopping)
		reserve_return(k);
	if (!k->spare && k->active && !k->stopping)
		spare_soon(k);
	if (t->asked[0] && k->active)
		succession_begin(k, t->asked);
	t->asked[0] = '\0';
}

static void too_late(void *arg)
{
	struct keeper *k = arg;

	takeover_fail(k, -ETIMEDOUT, "its packet process did not become ready in time");
}

/* The one that was handed everything: its death is the way back. */
static void never_ready(void *arg)
{
	struct keeper *k = arg;

	active_hung(k, "not ready in time");
}

/* ---- one step after the other ---- */

static int request_check(struct keeper *k, const struct takeover_request *r, struct err *err)
{
	if (r->image_version != TAKEOVER_IMAGE)
		return err_set(err, -EPROTO, "its keeper takes over version %u of what a keeper has, not %d",
			       r->image_version, TAKEOVER_IMAGE);
	if (!memchr(r->program, '\0', sizeof(r->program)) || !memchr(r->packet, '\0', sizeof(r->packet)) ||
	    !memchr(r->build, '\0', sizeof(r->build)) || r->program[0] != '/' || r->packet[0] != '/')
		return err_set(err, -EPROTO, "the request is none");
	if (access(r->program, X_OK) < 0 || access(r->packet, X_OK) < 0)
		return err_set(err, -errno, "its programs cannot be executed: %s", strerror(errno));
	if (!k->active || !k->active->ready || k->stopping || k->leaving || k->succession.state != SUCCESSION_NONE ||
	    k->opening.state != OPENING_NONE)
		return err_set(err, -EAGAIN, "the switch is just being restarted; try again");
	return 0;
}

static void begin(struct keeper *k)
{
	struct takeover *t = &k->takeover;
	struct err err = ERR_NONE;
	int rc;

	state_set(k, TAKEOVER_WARMING, WARM_MAX, too_late);
	rc = request_check(k, &t->request, &err);
	loop_timer_del(k->spare_timer);
	opening_lost(k, "another build takes over");
	if (k->spare && !k->spare->warm) {
		packet_kill(k->spare);
		k->spare = NULL;
	}
	if (k->spare)
		packet_unwatch(k->spare);
	t->reserve = k->spare;
	k->spare = NULL;
	if (rc < 0) {
		takeover_fail(k, rc, "%s", err.text);
		return;
	}
	LOG_INFO("switch: build %s shall take over from build %s", t->request.build, k->opts->version);
	k->packet_program = t->request.packet;
	spare_start(k);
	loop_timer_del(k->spare_timer);
	if (!k->spare)
		takeover_fail(k, -EAGAIN, "its packet process cannot be started");
}

/* What the new build shall look at: copies of descriptors, of which it changes nothing. */
static int show(struct keeper *k, int channel)
{
	const struct channel_msg check = {.type = CHANNEL_CHECK};
	int rc = hand_kinds(k, channel, KEEP_BIT(KEEP_ARENA) | KEEP_BIT(KEEP_FDB));

	return rc < 0 ? rc : channel_send(channel, &check);
}

void takeover_warm(struct keeper *k)
{
	int rc = show(k, k->spare->channel);

	if (rc < 0)
		takeover_fail(k, rc, "its packet process takes nothing: %s", strerror(-rc));
	else
		state_set(k, TAKEOVER_CHECKING, WARM_MAX, too_late);
}

void takeover_checked(struct keeper *k, const char *why_not)
{
	char reason[96];

	if (k->takeover.state != TAKEOVER_CHECKING)
		return;
	if (why_not) {
		takeover_fail(k, -EPROTO, "%s", why_not);
		return;
	}
	state_set(k, TAKEOVER_YIELDING, 0, NULL);
	snprintf(reason, sizeof(reason), "takeover by build %.40s", k->takeover.request.build);
	if (!succession_begin(k, reason))
		takeover_fail(k, -EAGAIN, "the switch is just being restarted; try again");
}

void takeover_handed(struct keeper *k)
{
	state_set(k, TAKEOVER_READYING, READY_MAX, never_ready);
}

/* The old process must have been buried: its next keeper knows nothing of it. */
void takeover_go_on(struct keeper *k)
{
	struct takeover *t = &k->takeover;
	int rc;

	if (t->state != TAKEOVER_READYING || !k->active || !k->active->ready || k->dying || k->stopping)
		return;
	state_set(k, TAKEOVER_EXEC, 0, NULL);
	packet_kill(t->reserve);
	t->reserve = NULL;
	rc = image_exec(k);
	takeover_fail(k, rc, "its packet process forwards already, but its keeper cannot be executed: %s",
		      strerror(-rc));
}

/* ---- the socket ---- */

static bool is_packet(const struct packet *p, pid_t pid)
{
	return p && p->pid == pid;
}

/* What this process has connected itself is the packet process's (control/keeper/paths.h), which may not; nor may one
 * that has not given up its rights yet, on the word of one that has. */
static bool may_ask(const struct keeper *k, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid != getpid() &&
	       !is_packet(k->active, who.pid) && !is_packet(k->spare, who.pid) && !is_packet(k->dying, who.pid) &&
	       !is_packet(k->takeover.reserve, who.pid) && (who.uid == 0 || who.uid == geteuid());
}

static void never_asked(void *arg)
{
	struct keeper *k = arg;

	client_end(&k->takeover);
}

/* It asks once; after that it can only go. */
static void on_client(void *arg, int fd, uint32_t events)
{
	struct keeper *k = arg;
	struct takeover *t = &k->takeover;
	struct takeover_request r;
	ssize_t n = recv(fd, &r, sizeof(r), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (t->state != TAKEOVER_NONE) {
		loop_fd_del(t->client_watch);
		t->client_watch = NULL;
		if (t->state < TAKEOVER_YIELDING)
			takeover_fail(k, -EPIPE, "who asked for it has gone");
		return;
	}
	loop_timer_del(t->timer);
	if (n != sizeof(r) || memcmp(r.magic, TAKEOVER_MAGIC, sizeof(r.magic)) || r.version != TAKEOVER_VERSION) {
		takeover_answer(k, -EPROTO, "the running switch understands no such request: its build is too "
					    "old or too new for a takeover");
		return;
	}
	t->request = r;
	begin(k);
}

static void on_connect(void *arg, int listen_fd, uint32_t events)
{
	struct keeper *k = arg;
	struct takeover *t = &k->takeover;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (!may_ask(k, fd))
		answer(fd, -EACCES, "only root and the user that runs the switch may take it over");
	else if (t->client >= 0)
		answer(fd, -EBUSY, "another takeover is under way");
	else if (loop_fd_add(k->loop, fd, EPOLLIN, on_client, k, &t->client_watch) == 0) {
		t->client = fd;
		loop_timer_add(k->loop, ASK_MAX, never_asked, k, &t->timer);
		return;
	}
	close(fd);
}

static int socket_make(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc = 0;
	mode_t was;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The lock on the folder is ours: what is there was left by a switch that is no more. */
	unlink(path);
	was = umask(0177);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0)
		rc = -errno;
	umask(was);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

void takeover_listen(struct keeper *k)
{
	struct takeover *t = &k->takeover;
	int rc = 0;

	if (t->listen < 0 && k->opts->takeover_path)
		rc = t->listen = socket_make(k->opts->takeover_path);
	if (t->listen >= 0)
		rc = loop_fd_add(k->loop, t->listen, EPOLLIN, on_connect, k, &t->listen_watch);
	if (rc < 0)
		LOG_WARN("switch: it cannot be taken over by another build: no socket \"%s\": %s",
			 k->opts->takeover_path, strerror(-rc));
}

void takeover_end(struct keeper *k)
{
	struct takeover *t = &k->takeover;

	client_end(t);
	packet_kill(t->reserve);
	t->reserve = NULL;
	loop_fd_del(t->listen_watch);
	if (t->listen >= 0) {
		close(t->listen);
		unlink(k->opts->takeover_path);
	}
	t->listen = -1;
}
