/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where metrics are served.
 *
 * Threads  any.
 */
#ifndef CONTROL_DAEMON_METRICS_ADDRESS_H
#define CONTROL_DAEMON_METRICS_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"

#define METRICS_CLIENTS	    8
#define METRICS_DEADLINE_NS (10 * S_NS)

union metrics_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* "9100", ":9100", "127.0.0.1:9100", "[::1]:9100". Port 0: any that is free. */
int metrics_address_parse(const char *text, union metrics_address *out, struct err *err);
/* "127.0.0.1:9100" into buf, which is returned. */
char *metrics_address_text(const union metrics_address *a, char *buf, size_t size);

#endif
