/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripts of the busybox guest, taken into its initramfs as they are.
 */
#ifndef VM_LAUNCHER_GUEST_INIT_H
#define VM_LAUNCHER_GUEST_INIT_H

extern const char guest_init_script[];	   /* /init */
extern const char guest_shutdown_script[]; /* /sbin/shutdown, which the agent calls */
extern const char guest_acpi_script[];	   /* the power button */
extern const char guest_dhcp_script[];	   /* /etc/udhcpc.script */

#endif
