/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Why each. Where the switch was started with fewer, there are fewer. */
static const int wanted[] = {
	CAP_NET_ADMIN, /* taps, interfaces, nftables, net.ipv4.ip_forward */
	CAP_SYS_ADMIN, /* setns(2) into a tap's network namespace: the kernel has none smaller for it */
	CAP_NET_RAW, /* dnsmasq's own: it has these three as an ordinary user (tap/dhcp_server.c) */
	CAP_NET_BIND_SERVICE,		/* … ports 53 and 67 */
	CAP_SETUID,			/* dnsmasq becomes its user before it is executed */
	CAP_SETGID,	      CAP_KILL, /* … and is ended as another user's process */
};

static uint64_t all_wanted(void)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		bits |= 1ull << wanted[i];
	return bits;
}

static int set_reduce(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable &= data[i].permitted;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int rights_reduce(struct err *err)
{
	uint64_t keep = all_wanted();
	int rc = 0;

	/* Bounding set: what root's programs would get again. Without the right to, there is nothing to get. */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno == EINVAL)
			break;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = set_reduce(keep);
	return rc < 0 ? err_set(err, rc, "cannot give rights up: %s", strerror(-rc)) : 0;
}
