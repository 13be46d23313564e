/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/qemu_argv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm-launcher/nic_model.h"
#include "vm-launcher/vm_path.h"

#define PROGRAM "qemu-system-x86_64"

static void add(struct qemu_argv *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct qemu_argv *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == QEMU_ARGS_MAX) {
		a->error = -E2BIG;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) < 0) {
		a->v[a->n] = NULL;
		a->error = -ENOMEM;
	} else {
		a->n++;
	}
	va_end(ap);
}

/* QEMU splits options at commas; a doubled one stands for itself. */
static const char *quoted(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		if (*text == ',')
			buf[n++] = ',';
		buf[n++] = *text;
	}
	buf[n] = '\0';
	return buf;
}

/*
 * `max` is the host's processor under KVM, and under TCG all that it can do: what a foreign image may
 * want. Our own wants none of it, and boots a fifth faster without: each extra register set and
 * string instruction is more for TCG to translate.
 */
static const char *cpu_model(const struct vm_spec *s)
{
	return !strcmp(s->accel, "tcg") && s->image[0] ? "qemu64" : "max";
}

static void add_machine(struct qemu_argv *a, const struct vm_spec *s)
{
	unsigned long long bytes = s->memory_bytes;

	add(a, PROGRAM);
	/* The only devices are those named here. */
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-display");
	add(a, "none");
	add(a, "-name");
	add(a, "guest=%s", s->name);
	add(a, "-machine");
	/* Without the guest's memory in a core. */
	add(a, "q35,memory-backend=ram0,dump-guest-core=off");
	add(a, "-accel");
	add(a, "%s", s->accel);
	add(a, "-cpu");
	add(a, "%s", cpu_model(s));
	add(a, "-smp");
	add(a, "%u", s->cpus);
	add(a, "-m");
	add(a, "%lluM", bytes >> 20);
	/* Shared: the switch maps the guest's memory. */
	add(a, "-object");
	add(a, "memory-backend-memfd,id=ram0,size=%llu,share=on", bytes);
	add(a, "-sandbox");
	add(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

static void add_channels(struct qemu_argv *a, const char *vectors)
{
	add(a, "-chardev");
	add(a, "socket,id=qmp,fd=%d,server=on,wait=off", QEMU_FD_QMP);
	add(a, "-mon");
	add(a, "chardev=qmp,mode=control");
	add(a, "-chardev");
	add(a, "socket,id=console,fd=%d,server=on,wait=off", QEMU_FD_CONSOLE);
	add(a, "-serial");
	add(a, "chardev:console");
	add(a, "-chardev");
	add(a, "socket,id=agent,fd=%d,server=on,wait=off", QEMU_FD_AGENT);
	add(a, "-device");
	add(a, "virtio-serial-pci,id=serial0%s", vectors);
	add(a, "-device");
	add(a, "virtserialport,bus=serial0.0,chardev=agent,id=agent0,name=org.qemu.guest_agent.0");
}

/* Kernel and initrd. QEMU opens what it is named itself. */
static void add_boot_file(struct qemu_argv *a, const char *option, const char *path, bool passed, enum qemu_fd fd)
{
	if (!path[0])
		return;
	add(a, "%s", option);
	if (passed)
		add(a, "/proc/self/fd/%d", fd);
	else
		add(a, "%s", path);
}

static void add_disk(struct qemu_argv *a, const struct vm_spec *s, const struct qemu_files *files, const char *vectors)
{
	char buf[2 * VM_PATH_BYTES];

	if (files->passed) {
		add(a, "-add-fd");
		add(a, "fd=%d,set=%d", QEMU_FD_DISK, QEMU_FD_DISK);
		/* Else it would be opened for reading first, which a descriptor for both is not taken for. */
		snprintf(buf, sizeof(buf), "/dev/fdset/%d,auto-read-only=off", QEMU_FD_DISK);
	} else {
		quoted(s->disk, buf, sizeof(buf));
	}
	add(a, "-drive");
	/* The format is never guessed by QEMU: a guest could write another one's header. */
	if (files->backing[0]) {
		char backing[2 * VM_PATH_BYTES];

		/* It stands in the image relative to that, which has no path any more. */
		add(a, "if=none,id=disk0,format=%s,file=%s,backing.file.filename=%s", s->disk_format, buf,
		    quoted(files->backing, backing, sizeof(backing)));
	} else {
		add(a, "if=none,id=disk0,format=%s,file=%s", s->disk_format, buf);
	}
	add(a, "-device");
	add(a, "virtio-blk-pci,drive=disk0%s", vectors);
}

static void add_boot(struct qemu_argv *a, const struct vm_spec *s, const struct qemu_files *files,
		     const char *vectors)
{
	add_boot_file(a, "-kernel", s->boot_kernel, files->passed, QEMU_FD_KERNEL);
	add_boot_file(a, "-initrd", s->boot_initrd, files->passed, QEMU_FD_INITRD);
	if (s->boot_append[0]) {
		add(a, "-append");
		add(a, "%s", s->boot_append);
	}
	if (s->disk[0])
		add_disk(a, s, files, vectors);
}

static void add_user_net(struct qemu_argv *a, const struct vm_nic *n, unsigned i)
{
	add(a, "-netdev");
	if (n->ssh_port)
		add(a, "user,id=net%u,hostfwd=tcp:127.0.0.1:%d-:22", i, n->ssh_port);
	else
		add(a, "user,id=net%u", i);
}

static void add_vhost_user(struct qemu_argv *a, unsigned i, const char *id)
{
	char name[VM_NAME_IN_FOLDER];

	add(a, "-chardev");
	add(a, "socket,id=nic%u,path=%s,server=on,wait=off", i, vm_nic_name(name, id, 'n', i));
	add(a, "-netdev");
	add(a, "vhost-user,id=net%u,chardev=nic%u", i, i);
}

static void add_dgram(struct qemu_argv *a, unsigned i, const char *id)
{
	char local[VM_NAME_IN_FOLDER], remote[VM_NAME_IN_FOLDER];

	add(a, "-netdev");
	add(a, "dgram,id=net%u,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s", i,
	    vm_nic_name(local, id, 'n', i), vm_nic_name(remote, id, 'd', i));
}

/*
 * 1024: a 64 KiB frame takes some 43 buffers of a Linux guest, six fill a ring of 256.
 * ctrl_guest_offloads: QEMU offers it by itself and keeps what the guest asks for to itself, so
 * that a guest that has switched large receive off, for XDP say, gets large frames all the same.
 */
#define VHOST_USER_DEVICE ",rx_queue_size=1024,tx_queue_size=1024,ctrl_guest_offloads=off"

static void add_nic(struct qemu_argv *a, const struct vm_spec *s, unsigned i, const char *id, const char *vectors)
{
	const struct vm_nic *n = &s->nics[i];
	const struct nic_model *m = nic_model_find(n->model, NULL);
	bool virtio = !m || !m->driver;
	char host_mtu[24] = "";

	if (n->user)
		add_user_net(a, n, i);
	else if (virtio)
		add_vhost_user(a, i, id);
	else
		add_dgram(a, i, id);
	add(a, "-device");
	if (!virtio) {
		add(a, "%s,id=%s,netdev=net%u,mac=%s,romfile=", m->device, n->name, i, n->mac);
		return;
	}
	if (n->mtu)
		snprintf(host_mtu, sizeof(host_mtu), ",host_mtu=%d", n->mtu);
	add(a, "virtio-net-pci,id=%s,netdev=net%u,mac=%s%s%s,romfile=%s", n->name, i, n->mac,
	    n->user ? "" : VHOST_USER_DEVICE, host_mtu, vectors);
}

int qemu_argv_build(struct qemu_argv *a, const struct vm_spec *s, const struct qemu_files *files, const char *id,
		    struct err *err)
{
	/* QEMU 7.2 crashes under TCG when a guest enables MSI-X on a vhost-user NIC. */
	const char *vectors = strcmp(s->accel, "kvm") ? ",vectors=0" : "";

	memset(a, 0, sizeof(*a));
	add_machine(a, s);
	add_channels(a, vectors);
	add_boot(a, s, files, vectors);
	for (unsigned i = 0; i < s->n_nics; i++)
		add_nic(a, s, i, id, vectors);
	if (a->error)
		return err_set(err, a->error, "vm \"%s\": QEMU's command line cannot be made: %s",
			       s->name, strerror(-a->error));
	return 0;
}

void qemu_argv_free(struct qemu_argv *a)
{
	for (unsigned i = 0; i < a->n; i++)
		free(a->v[i]);
	memset(a, 0, sizeof(*a));
}
