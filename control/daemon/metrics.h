/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics for Prometheus: GET /metrics over HTTP.
 *
 * What     The counters of ports, workers and bridges, and the VMs that supervisors report.
 * How      libmicrohttpd on our own listening socket, driven from the loop by its epoll descriptor: no
 *          thread, and no timer while nobody asks. A request is put aside while the page is made in
 *          slices (control/daemon/metrics_page.h); who asks meanwhile gets the same page.
 * Threads  control only.
 * Trust    Clients are hostile: METRICS_CLIENTS at a time, each cut METRICS_DEADLINE_NS after it was
 *          accepted whatever it sends or reads, with 16 KiB for its request. What they send is a path and nothing else. There is no password: whoever
 *          reaches the address reads the names of ports and VMs, so it is loopback unless another
 *          one is given.
 * Limits   a client that reads slowly keeps its page (9 MB for 4,096 ports) until it is cut.
 */
#ifndef CONTROL_DAEMON_METRICS_H
#define CONTROL_DAEMON_METRICS_H

#include "base/err.h"
#include "control/daemon/daemon.h"
#include "control/daemon/metrics_address.h"

/* Serves on listen_fd, which is closed with the server, or on failure here. */
int metrics_start(struct daemon *d, int listen_fd, uint64_t deadline_ns, struct err *err);
void metrics_stop(struct daemon *d); /* accepts one that was not started */

/* Where it is served, or NULL. */
const char *metrics_where(const struct daemon *d);

#endif
