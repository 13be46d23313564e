/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/metrics_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int port_parse(const char *text, uint16_t *port)
{
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtol(text, &end, 10);
	if (*end || n > 65535)
		return -EINVAL;
	*port = htons((uint16_t)n);
	return 0;
}

int metrics_address_parse(const char *text, union metrics_address *out, struct err *err)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[64] = "";
	int ok;

	memset(out, 0, sizeof(*out));
	/* No address is as long; a cut one could be another. */
	if (len < sizeof(host))
		memcpy(host, text, len);
	if (len >= sizeof(host)) {
		ok = false;
	} else if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		out->in6.sin6_family = AF_INET6;
		ok = inet_pton(AF_INET6, host + 1, &out->in6.sin6_addr) == 1 &&
		     port_parse(port, &out->in6.sin6_port) == 0;
	} else {
		out->in.sin_family = AF_INET;
		ok = inet_pton(AF_INET, len ? host : "127.0.0.1", &out->in.sin_addr) == 1 &&
		     port_parse(port, &out->in.sin_port) == 0;
	}
	if (ok)
		return 0;
	err_set(err, -EINVAL, "--metrics: \"%.60s\" is no address and port", text);
	err_hint(err, "like 9100 (on loopback), 192.0.2.1:9100 or [::1]:9100; a port is 0-65535");
	return -EINVAL;
}

char *metrics_address_text(const union metrics_address *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(buf, size, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	} else {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(a->in.sin_port));
	}
	return buf;
}
