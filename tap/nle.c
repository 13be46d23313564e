/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/nle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

int nle_errno(int nle)
{
	switch (nle < 0 ? -nle : nle) {
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_INVAL:
	case NLE_RANGE:
		return -EINVAL;
	case NLE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int nle_refuse(struct err *err, int nle, const char *what)
{
	int rc = err_set(err, nle_errno(nle), "%s: %s", what, nl_geterror(nle));

	if (rc == -EPERM)
		err_hint(err, "that needs CAP_NET_ADMIN: run lanyard-switch as root");
	return rc;
}

struct nl_addr *nle_address(const char *text)
{
	struct nl_addr *a;

	if (!strchr(text, '/') || nl_addr_parse(text, AF_UNSPEC, &a) < 0)
		return NULL;
	if (nl_addr_get_family(a) == AF_INET || nl_addr_get_family(a) == AF_INET6)
		return a;
	nl_addr_put(a);
	return NULL;
}
