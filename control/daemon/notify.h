/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service manager's readiness protocol, sd_notify(3): a datagram to $NOTIFY_SOCKET.
 *
 * Threads  control only.
 */
#ifndef CONTROL_DAEMON_NOTIFY_H
#define CONTROL_DAEMON_NOTIFY_H

/* Sends state, like "READY=1"; does nothing without a service manager. */
void notify_send(const char *state);

#endif
