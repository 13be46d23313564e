/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether frames can pass a device; see tap/ethdev.h. Drivers that sit in an interface of the
 * kernel call their link up whatever it is, so the interface itself is asked.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "tap/ethdev.h"

/* A request about the interface of that name. */
static int ask(int fd, unsigned long request, const char *name, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, name, IF_NAMESIZE);
	return ioctl(fd, request, ifr) < 0 ? -errno : 0;
}

/* One for the life of the process: once that has given up its rights it gets no other. */
static int ask_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd;
}

int iface_begin(void)
{
	return ask_fd() < 0 ? -errno : 0;
}

static int iface_ask(const char *name, unsigned *ifindex, uint32_t *mtu, short *flags)
{
	int fd = ask_fd(), rc;
	struct ifreq ifr;

	*ifindex = *mtu = 0;
	*flags = 0;
	if (fd < 0)
		return -errno;
	rc = ask(fd, SIOCGIFINDEX, name, &ifr);
	*ifindex = (unsigned)ifr.ifr_ifindex;
	if (rc == 0)
		rc = ask(fd, SIOCGIFMTU, name, &ifr);
	*mtu = (uint32_t)ifr.ifr_mtu;
	if (rc == 0)
		rc = ask(fd, SIOCGIFFLAGS, name, &ifr);
	*flags = ifr.ifr_flags;
	return rc;
}

int iface_find(const char *name, unsigned *ifindex, uint32_t *mtu)
{
	short flags;

	return iface_ask(name, ifindex, mtu, &flags);
}

static int iface_link(const struct ethdev *e, uint32_t *mtu, struct err *err)
{
	const char *name = e->name.iface;
	unsigned ifindex = 0;
	short flags = 0;
	int rc = iface_ask(name, &ifindex, mtu, &flags);

	/* Another one of that name is not the one that the driver is in. */
	if (rc == -ENODEV || (rc == 0 && ifindex != e->ifindex))
		return err_set(err, -ENODEV,
			       "interface \"%s\" is gone; the port is up again when it returns",
			       name);
	if (rc < 0)
		return err_set(err, -ENOLINK, "interface \"%s\" cannot be asked: %s", name,
			       strerror(-rc));
	if (!(flags & IFF_UP))
		return err_set(err, -ENOLINK, "interface \"%s\" is down; `ip link set %s up`", name,
			       name);
	if (!(flags & IFF_RUNNING))
		return err_set(err, -ENOLINK,
			       "interface \"%s\" has no carrier; is its other end up?", name);
	return 0;
}

int iface_tags_check(const char *name, struct err *err)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
	struct ifreq ifr = {.ifr_data = (void *)&driver};

	if (fd < 0)
		return 0;
	memcpy(ifr.ifr_name, name, IF_NAMESIZE);
	/* A veth takes none off, whatever it says. */
	rc = ioctl(fd, SIOCETHTOOL, &ifr) == 0 && !strcmp(driver.driver, "veth");
	ifr.ifr_data = (void *)&flags;
	rc = !rc && ioctl(fd, SIOCETHTOOL, &ifr) == 0 && flags.data & ETH_FLAG_RXVLAN;
	close(fd);
	if (!rc)
		return 0;
	err_set(err, -ENOTSUP,
		"interface \"%s\" takes the tags off frames, and AF_XDP would lose them", name);
	return err_hint(err, "`ethtool -K %s rxvlan off`, or net_af_packet0,iface=%s", name, name);
}

int iface_mtu_check(const char *name, uint32_t iface_mtu, uint32_t mtu, struct err *err)
{
	if (!mtu || !iface_mtu || mtu <= iface_mtu)
		return 0;
	err_set(err, -EINVAL, "interface \"%s\" has an mtu of %u, less than %u", name, iface_mtu, mtu);
	return err_hint(err, "`ip link set %s mtu %u` first", name, mtu);
}

int ethdev_mtu_check(const struct ethdev *e, uint32_t mtu, struct err *err)
{
	unsigned ifindex;
	uint32_t has = 0;

	if (e->name.iface[0] && iface_find(e->name.iface, &ifindex, &has) == 0 &&
	    iface_mtu_check(e->name.iface, has, mtu, err) < 0)
		return -EINVAL;
	/* AF_PACKET's rings are made as large as the interface's frames are. */
	if (!e->is_open || device_is(&e->name, "net_af_packet") || mtu <= e->mtu_max)
		return 0;
	return err_set(err, -EINVAL, "device %s takes an mtu of %u at most, not %u", e->name.name, e->mtu_max, mtu);
}

int ethdev_link(const struct ethdev *e, uint32_t *mtu, struct err *err)
{
	struct rte_eth_link link = {0};
	uint16_t of_device = 0;

	if (e->ifindex)
		return iface_link(e, mtu, err);
	if (rte_eth_dev_is_removed(e->id))
		return err_set(err, -ENODEV, "device %s is gone", e->name.name);
	rte_eth_dev_get_mtu(e->id, &of_device);
	*mtu = of_device;
	if (rte_eth_link_get_nowait(e->id, &link) == 0 && link.link_status == RTE_ETH_LINK_DOWN)
		return err_set(err, -ENOLINK, "device %s has no link; is its cable's other end up?",
			       e->name.name);
	return 0;
}
