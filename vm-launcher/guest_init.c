/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/guest_init.h"

/*
 * NICs are eth0 up in the order of their PCI slots, which is the order of the command line. The kernel
 * gives names in the order in which drivers are loaded: where cards are mixed, that is another one,
 * and they are renamed, by way of a name that none of them has. The agent is started again if it ends;
 * so is the shell on the console.
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
	"	case $word in\n"
	"	lanyard.host=*) hostname \"${word#*=}\" ;;\n"
	"	lanyard.dhcp=*) dhcp=\"$dhcp ${word#*=}\" ;;\n"
	"	lanyard.sort) sort=1 ;;\n"
	"	esac\n"
	"done\n"
	"ip link set lo up\n"
	"if [ -n \"$sort\" ]; then\n"
	"	n=0\n"
	"	nics=$(for nic in /sys/class/net/eth*; do\n"
	"		echo \"$(readlink -f \"$nic/device\") ${nic##*/}\"\n"
	"	done | sort | cut -d ' ' -f 2)\n"
	"	for nic in $nics; do ip link set \"$nic\" name \"x$nic\"; done\n"
	"	for nic in $nics; do ip link set \"x$nic\" name eth$n; n=$((n + 1)); done\n"
	"fi\n"
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
	"for nic in $dhcp; do\n"
	"	udhcpc -b -R -i \"$nic\" -x \"hostname:$(hostname)\" -s /etc/udhcpc/default.script &\n"
	"done >/run/udhcpc.log 2>&1\n"
	"while :; do setsid cttyhack sh -l; sleep 1; done\n";

const char guest_shutdown_script[] = "#!/bin/busybox sh\n"
				     "sync\n"
				     "case \" $* \" in\n"
				     "*\" -r \"*) exec busybox reboot -f ;;\n"
				     "*\" -H \"*) exec busybox halt -f ;;\n"
				     "*) exec busybox poweroff -f ;;\n"
				     "esac\n";

const char guest_acpi_script[] = "#!/bin/busybox sh\n"
				 "sync\n"
				 "exec busybox poweroff -f\n";

/* The NIC's link-local address stays, and with it IPv6. */
const char guest_dhcp_script[] =
	"#!/bin/busybox sh\n"
	"case $1 in\n"
	"deconfig)\n"
	"	ip link set \"$interface\" up\n"
	"	ip -4 addr flush dev \"$interface\"\n"
	"	;;\n"
	"bound | renew)\n"
	"	[ \"$1\" = renew ] || ip -4 addr flush dev \"$interface\"\n"
	"	ip addr replace \"$ip/${mask:-24}\" dev \"$interface\"\n"
	"	[ -n \"$router\" ] && ip route replace default via \"${router%% *}\" dev \"$interface\"\n"
	"	[ -n \"$dns\" ] && for server in $dns; do echo \"nameserver $server\"; done >/etc/resolv.conf\n"
	"	;;\n"
	"esac\n"
	"true\n";
