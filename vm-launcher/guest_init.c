/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/guest_init.h"

/*
 * NICs get their names from the kernel, eth0 up in the order of their PCI slots, which is the order
 * of the command line: nothing here renames them. The agent is started again if it ends; so is the
 * shell on the console.
 */
const char guest_init_script[] =
	"#!/bin/busybox sh\n"
	"export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM=vt100\n"
	"/bin/busybox mount -t proc proc /proc\n" /* /proc/self/exe, by which sh finds the rest */
	"mount -t sysfs sysfs /sys\n"
	"mount -t devtmpfs dev /dev\n"
	"mkdir -p /dev/pts /dev/shm\n"
	"mount -t devpts devpts /dev/pts\n"
	"while read -r ko; do insmod \"/lib/modules/$(uname -r)/$ko\"; done </etc/modules.boot\n"
	"busybox --install -s /bin\n"
	"for word in $(cat /proc/cmdline); do\n"
	"	case $word in lanyard.host=*) hostname \"${word#lanyard.host=}\" ;; esac\n"
	"done\n"
	"ip link set lo up\n"
	"for nic in /sys/class/net/eth*; do\n"
	"	[ -e \"$nic\" ] && ip link set \"${nic##*/}\" up\n"
	"done\n"
	"agent_device()\n"
	"{\n"
	"	for port in /sys/class/virtio-ports/*; do\n"
	"		read -r name <\"$port/name\" || continue\n"
	"		[ \"$name\" = org.qemu.guest_agent.0 ] && echo \"/dev/${port##*/}\"\n"
	"	done 2>/dev/null\n"
	"}\n"
	"device=$(agent_device)\n"
	"if [ -n \"$device\" ]; then\n"
	"	while :; do\n"
	"		qemu-ga -m virtio-serial -p \"$device\" -t /run -f /run/qemu-ga.pid\n"
	"		sleep 1\n"
	"	done >/run/qemu-ga.log 2>&1 &\n"
	"fi\n"
	"acpid -l /run/acpid.log\n"
	"udhcpc_user=$(sed -n 's/.*lanyard.dhcp=\\([a-z0-9]*\\).*/\\1/p' /proc/cmdline)\n"
	"[ -n \"$udhcpc_user\" ] && udhcpc -b -q -i \"$udhcpc_user\" >/run/udhcpc.log 2>&1 &\n"
	"while :; do setsid cttyhack sh -l; sleep 1; done\n";

const char guest_shutdown_script[] =
	"#!/bin/busybox sh\n"
	"sync\n"
	"case \" $* \" in\n"
	"*\" -r \"*) exec busybox reboot -f ;;\n"
	"*\" -H \"*) exec busybox halt -f ;;\n"
	"*) exec busybox poweroff -f ;;\n"
	"esac\n";

const char guest_acpi_script[] = "#!/bin/busybox sh\n"
				 "sync\n"
				 "exec busybox poweroff -f\n";
