/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/dhcp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

#define RETRY_MIN   (250 * MS_NS)
#define RETRY_MAX   (10 * S_NS)
#define SETTLED	    (1 * S_NS) /* one that lives so long has found all that it needs */
#define NOBODY	    65534
#define ARGS_MAX    20
/* Its standard input, the one descriptor that dnsmasq leaves open and does not use: leases outlive it in
 * memory of ours, in no folder that its user would have to get into. */
#define LEASES_FD   STDIN_FILENO
#define LEASES_FILE "/proc/self/fd/0"

struct dhcp_server {
	struct loop *loop;
	struct dhcp_server_opts opts;
	char program[32];
	char ifname[IFNAMSIZ], words[160]; /* its last line */
	char arg_interface[48], arg_range[96];
	char *argv[ARGS_MAX];
	uid_t uid;
	pid_t pid; /* 0: none */
	int pid_fd, err_fd, leases_fd;
	struct loop_fd *pid_watch, *err_watch;
	struct loop_timer *timer;
	uint64_t retry_ns;
};

static int program_find(char *out, size_t size, struct err *err)
{
	static const char *const places[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/sbin"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(out, size, "%s/dnsmasq", places[i]);
		if (access(out, X_OK) == 0)
			return 0;
	}
	err_set(err, -ENOENT, "a nat port needs dnsmasq, which is not installed");
	return err_hint(err, "Debian: apt install dnsmasq-base");
}

/* ---- the child; async-signal-safe calls only ---- */

/* An ordinary user with just what a DHCP and DNS server needs. */
static int rights_drop(uid_t uid)
{
	static const int caps[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (unsigned i = 0; i < 3; i++) {
		data[0].permitted |= 1u << caps[i];
		data[0].effective |= 1u << caps[i];
		data[0].inheritable |= 1u << caps[i];
	}
	/* Not glibc's, which tell threads that this process no longer has. */
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0 || syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < 3; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, caps[i], 0, 0) < 0)
			return -errno;
	return 0;
}

static void child(const struct dhcp_server *s, pid_t parent, int err_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (geteuid() == 0 && rights_drop(s->uid) < 0) {
		static const char why[] = "there is no other user here for it to become\n";

		/* What it ends with says enough where nobody reads it. */
		_exit(write(err_fd, why, sizeof(why) - 1) < 0 ? 125 : 126);
	}
	/* A change of user would take it back: so it comes after that. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	dup2(s->leases_fd, LEASES_FD);
	dup2(err_fd, STDERR_FILENO);
	/* What libraries open is not all closed by execv(). */
	syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	execv(s->program, s->argv);
	_exit(127);
}

/* ---- the parent ---- */

static void spawn(void *arg);

static void words_read(struct dhcp_server *s)
{
	char text[2048], *line, *save;
	ssize_t n;

	while ((n = read(s->err_fd, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			text_clean(line);
			LOG_DEBUG("switch: %s: %s", s->ifname, line);
			snprintf(s->words, sizeof(s->words), "%s", line);
		}
	}
	/* Its end, which is told by pid_fd. */
	if (n == 0) {
		loop_fd_del(s->err_watch);
		s->err_watch = NULL;
	}
}

static void err_ready(void *arg, int fd, uint32_t events)
{
	words_read(arg);
}

/* Nothing of the child is left; it has ended, or is ended. */
static void child_end(struct dhcp_server *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	loop_fd_del(s->pid_watch);
	loop_fd_del(s->err_watch);
	s->pid_watch = s->err_watch = NULL;
	close(s->pid_fd);
	close(s->err_fd);
}

static void retry(struct dhcp_server *s, const char *why)
{
	LOG_WARN_RL("switch: dnsmasq on \"%s\": %s", s->ifname, why);
	s->opts.tell(s->opts.arg, why);
	s->retry_ns = s->retry_ns ? 2 * s->retry_ns : RETRY_MIN;
	if (s->retry_ns > RETRY_MAX)
		s->retry_ns = RETRY_MAX;
	loop_timer_del(s->timer);
	loop_timer_add(s->loop, s->retry_ns, spawn, s, &s->timer);
}

static void child_ended(void *arg, int fd, uint32_t events)
{
	struct dhcp_server *s = arg;

	words_read(s);
	child_end(s);
	retry(s, s->words[0] ? s->words : "it ended without a word");
}

static void settled(void *arg)
{
	struct dhcp_server *s = arg;

	s->retry_ns = 0;
	s->opts.tell(s->opts.arg, NULL);
}

static int watch(struct dhcp_server *s)
{
	int rc;

	s->pid_fd = pidfd_open(s->pid, 0);
	if (s->pid_fd < 0)
		return -errno;
	fcntl(s->err_fd, F_SETFL, O_NONBLOCK);
	rc = loop_fd_add(s->loop, s->err_fd, EPOLLIN, err_ready, s, &s->err_watch);
	if (rc == 0)
		rc = loop_fd_add(s->loop, s->pid_fd, EPOLLIN, child_ended, s, &s->pid_watch);
	return rc;
}

static void spawn(void *arg)
{
	struct dhcp_server *s = arg;
	pid_t parent = getpid();
	int fds[2];

	s->words[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0) {
		retry(s, strerror(errno));
		return;
	}
	s->pid = fork();
	if (s->pid == 0)
		child(s, parent, fds[1]);
	close(fds[1]);
	if (s->pid < 0) {
		s->pid = 0;
		close(fds[0]);
		retry(s, strerror(errno));
		return;
	}
	s->err_fd = fds[0];
	if (watch(s) < 0) {
		child_end(s);
		retry(s, "it cannot be watched");
		return;
	}
	loop_timer_add(s->loop, SETTLED, settled, s, &s->timer);
}

static void text_of(uint32_t address, char out[INET_ADDRSTRLEN])
{
	struct in_addr a = {htonl(address)};

	inet_ntop(AF_INET, &a, out, INET_ADDRSTRLEN);
}

static void argv_make(struct dhcp_server *s)
{
	const uint32_t mask = ~0u << (32 - s->opts.prefix), network = s->opts.address & mask;
	char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN], netmask[INET_ADDRSTRLEN];
	static const char *const fixed[] = {
		"--conf-file=/dev/null",
		"--keep-in-foreground",
		"--log-facility=-",
		"--pid-file=",
		"--bind-dynamic",
		"--except-interface=lo",
		"--no-hosts",
		"--dhcp-authoritative",
		"--no-ping",
		"--quiet-dhcp",
		("--dhcp-leasefile=" LEASES_FILE),
	};
	unsigned n = 0;

	/* The first is the host's, unless it was given another one: dnsmasq leaves that out. */
	text_of(network + (s->opts.address == network + 1 ? 2 : 1), first);
	text_of((network | ~mask) - 1, last);
	text_of(mask, netmask);
	snprintf(s->arg_interface, sizeof(s->arg_interface), "--interface=%s", s->ifname);
	snprintf(s->arg_range, sizeof(s->arg_range), "--dhcp-range=%s,%s,%s,12h", first, last,
		 netmask);
	s->argv[n++] = s->program;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		s->argv[n++] = (char *)fixed[i];
	s->argv[n++] = s->arg_interface;
	s->argv[n++] = s->arg_range;
	s->argv[n] = NULL;
}

void dhcp_server_user(uid_t *uid, gid_t *gid)
{
	const struct passwd *user = getpwnam("dnsmasq");

	*uid = user ? user->pw_uid : NOBODY;
	*gid = NOBODY;
}

int dhcp_server_start(struct loop *loop, const struct dhcp_server_opts *opts,
		      struct dhcp_server **out, struct err *err)
{
	struct dhcp_server *s = calloc(1, sizeof(*s));
	gid_t gid;
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->opts = *opts;
	dhcp_server_user(&s->uid, &gid);
	snprintf(s->ifname, sizeof(s->ifname), "%s", opts->ifname);
	rc = program_find(s->program, sizeof(s->program), err);
	if (rc == 0) {
		s->leases_fd = memfd_create("leases", MFD_CLOEXEC);
		if (s->leases_fd < 0)
			rc = err_set(err, -errno, "cannot make memory for leases: %s",
				     strerror(errno));
	}
	if (rc < 0) {
		free(s);
		return rc;
	}
	argv_make(s);
	spawn(s);
	*out = s;
	return 0;
}

void dhcp_server_rename(struct dhcp_server *s, const char *ifname)
{
	snprintf(s->ifname, sizeof(s->ifname), "%s", ifname);
	argv_make(s);
	loop_timer_del(s->timer);
	child_end(s);
	s->retry_ns = 0;
	spawn(s);
}

void dhcp_server_stop(struct dhcp_server *s)
{
	if (!s)
		return;
	loop_timer_del(s->timer);
	child_end(s);
	close(s->leases_fd);
	free(s);
}

/* ---- the table ---- */

static int direct_start(struct loop *loop, const struct dhcp_server_opts *opts, void **out, struct err *err)
{
	struct dhcp_server *s = NULL;
	int rc = dhcp_server_start(loop, opts, &s, err);

	*out = s;
	return rc;
}

static void direct_rename(void *server, const char *ifname, int tun_fd)
{
	dhcp_server_rename(server, ifname);
}

static void direct_stop(void *server)
{
	dhcp_server_stop(server);
}

const struct dhcp_ops dhcp_direct = {.start = direct_start, .rename = direct_rename, .stop = direct_stop};
