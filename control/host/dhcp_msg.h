/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host helper and lanyard-dhcp say to each other (dhcp.h): one question, one answer with the same op and seq;
 * and what is told without having been asked.
 */
#ifndef CONTROL_HOST_DHCP_MSG_H
#define CONTROL_HOST_DHCP_MSG_H

#include <stdint.h>

#include "base/err.h"

enum dhcp_op {
	DHCP_START = 1, /* a queue of the tap, id, address, prefix */
	DHCP_RENAME,	/* a queue of the tap, id */
	DHCP_STOP,	/* id */

	DHCP_TELL, /* to the helper: id; err.text is why it does not run, "" for: it does */
};

struct dhcp_question {
	uint32_t op, seq;
	uint32_t id; /* the helper's, other than 0 */
	uint32_t address, prefix;
};

struct dhcp_answer {
	uint32_t op, seq;
	uint32_t id;
	int32_t result;
	struct err err;
};

int dhcp_serve(int sock, void *arg);

#endif
