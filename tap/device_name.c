/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap/device_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_devargs.h>

#include "switch/eal.h"
#include "tap/device_allow.h"

#define ARG_SEP ','

bool device_is(const struct device_name *d, const char *driver)
{
	return d->vdev && !strncmp(d->name, driver, strlen(driver));
}

/* The value of key in "key=value,…", or NULL. *n: its bytes. */
static const char *arg_find(const char *args, const char *key, size_t *n)
{
	size_t len = strlen(key);

	for (const char *at = args; at && *at; at = strchr(at, ARG_SEP)) {
		at += *at == ARG_SEP;
		if (!strncmp(at, key, len) && at[len] == '=') {
			*n = strcspn(at + len + 1, ",");
			return at + len + 1;
		}
	}
	return NULL;
}

unsigned device_arg_number(const struct device_name *d, const char *key, unsigned otherwise)
{
	size_t n;
	const char *value = arg_find(d->args, key, &n);

	return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* The kernel's driver of a PCI device must have given way, or be one that DPDK's works beside. */
static int pci_check(const struct device_name *d, struct err *err)
{
	static const char *const fine[] = {"vfio-pci",	"uio_pci_generic", "igb_uio",
					   "mlx4_core", "mlx5_core",	   NULL};
	char path[160], target[256];
	const char *driver;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", d->name);
	if (access(path, F_OK) < 0)
		return err_set(err, -ENODEV, "there is no PCI device %s", d->name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", d->name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		err_set(err, -ENODEV, "no driver has PCI device %s", d->name);
		return err_hint(err, "`dpdk-devbind.py --bind=vfio-pci %s`", d->name);
	}
	target[n] = '\0';
	driver = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (device_allow_is_strict() && strstr(driver, "uio")) {
		err_set(err, -EINVAL, "%s lets whoever has PCI device %s reach all memory, and this switch has given "
				      "up root's rights", driver, d->name);
		return err_hint(err, "`dpdk-devbind.py --bind=vfio-pci %s`, or lanyard-switch --user root", d->name);
	}
	for (const char *const *f = fine; *f; f++)
		if (!strcmp(*f, driver))
			return 0;
	err_set(err, -EBUSY, "the kernel's driver %s has PCI device %s", driver, d->name);
	return err_hint(
		err,
		"if the host can do without it, `dpdk-devbind.py --bind=vfio-pci %s`; if not, "
		"net_af_xdp0,iface= or net_af_packet0,iface= shares its interface",
		d->name);
}

/* Of "iface=eth0". net_tap makes the interface that it names. */
static int iface_check(struct device_name *d, struct err *err)
{
	size_t n;
	const char *iface = arg_find(d->args, "iface", &n);

	if (!iface && (device_is(d, "net_af_packet") || device_is(d, "net_af_xdp")))
		return err_set(err, -EINVAL, "device %s needs an interface, as in %s,iface=eth0",
			       d->name, d->name);
	if (!iface || !d->vdev || device_is(d, "net_tap") || device_is(d, "net_virtio_user"))
		return 0;
	if (!n || n >= sizeof(d->iface))
		return err_set(err, -EINVAL,
			       "\"%.*s\" is no name of an interface: 1 to %zu characters",
			       n > 40 ? 40 : (int)n, iface, sizeof(d->iface) - 1);
	memcpy(d->iface, iface, n);
	d->iface[n] = '\0';
	if (!if_nametoindex(d->iface)) /* with rights only: a socket */
		return err_set(err, -ENODEV, "there is no interface \"%s\"", d->iface);
	return 0;
}

/* "0000:03:00.0" of "03:00.0", too. */
static bool pci_name(const char *text, char *out, size_t size)
{
	unsigned domain = 0, bus, slot, function;

	if (sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4 &&
	    sscanf(text, "%x:%x.%x", &bus, &slot, &function) != 3)
		return false;
	snprintf(out, size, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0xff, function & 0xf);
	return true;
}

void device_name_split(const char *text, struct device_name *d)
{
	size_t n = strcspn(text, ",");
	const char *iface;

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%.*s", (int)n, text);
	snprintf(d->args, sizeof(d->args), "%s", text[n] ? text + n + 1 : "");
	d->pci = strncmp(d->name, "net_", 4) && pci_name(text, d->name, sizeof(d->name));
	d->vdev = !d->pci;
	iface = arg_find(d->args, "iface", &n);
	if (iface && n < sizeof(d->iface) && (device_is(d, "net_af_packet") || device_is(d, "net_af_xdp")))
		memcpy(d->iface, iface, n);
}

/* What a process without rights may have opened for it, if the administrator has said so. */
static char *const *only;
static unsigned n_only;

void device_names_only(char *const *names, unsigned n)
{
	only = names;
	n_only = n;
}

static int listed_check(const struct device_name *d, struct err *err)
{
	const char *name = d->pci ? d->name : d->iface;

	for (unsigned i = 0; i < n_only; i++)
		if (!strcmp(only[i], name))
			return 0;
	if (!n_only || !name[0])
		return 0;
	err_set(err, -EACCES, "%s is none of the devices that this switch may have for uplinks", name);
	return err_hint(err, "start lanyard-switch with --uplink-device %s as well", name);
}

static int name_take(const struct rte_devargs *da, struct device_name *d, struct err *err)
{
	d->pci = !strcmp(rte_bus_name(da->bus), "pci");
	d->vdev = !strcmp(rte_bus_name(da->bus), "vdev");
	snprintf(d->args, sizeof(d->args), "%s", da->args ? da->args : "");
	snprintf(d->name, sizeof(d->name), "%s", da->name);
	if (!d->pci)
		return 0;
	if (!pci_name(da->name, d->name, sizeof(d->name)))
		return err_set(err, -EINVAL, "\"%s\" is no PCI address like 0000:03:00.0",
			       da->name);
	return 0;
}

int device_name_parse(const char *text, struct device_name *d, struct err *err)
{
	struct rte_devargs da = {0};
	char said[EAL_SAID_MAX];
	int rc;

	memset(d, 0, sizeof(*d));
	if (strlen(text) >= DEVICE_TEXT_MAX)
		return err_set(err, -EINVAL, "a device's name has at most %d characters",
			       DEVICE_TEXT_MAX - 1);
	rc = device_allow(text, err);
	if (rc < 0)
		return rc;
	eal_said_begin();
	rc = rte_devargs_parse(&da, text);
	eal_said_end(said);
	if (rc < 0 || !da.bus) {
		free(da.data);
		err_set(err, -EINVAL, "DPDK has no driver for a device \"%.100s\"", text);
		return err_hint(err,
				"a PCI address like 0000:03:00.0, or net_af_packet0,iface=eth0, "
				"net_af_xdp0,iface=eth0 …");
	}
	rc = name_take(&da, d, err);
	free(da.data);
	if (rc == 0)
		rc = d->pci ? pci_check(d, err) : iface_check(d, err);
	return rc == 0 ? listed_check(d, err) : rc;
}
