/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking a running switch over by another build: what `lanyard-switch --takeover` and the keeper that runs say to
 * each other, one message each way on a SOCK_SEQPACKET socket in the run dir.
 *
 * How      Who asks names its programs and says which versions it speaks. The keeper starts the new packet
 *          process as a spare, lets it look at all that there is, has the old one yield to it, and becomes the
 *          new build's keeper by execve(), with its process id, its children and all descriptors. Whatever
 *          fails until then leaves everything as it was, and is the answer.
 * Trust    Whoever may ask could end the switch and start another: root, and the user that runs it. The kernel
 *          says who it is; the socket's mode lets nobody else connect.
 */
#ifndef CONTROL_KEEPER_TAKEOVER_H
#define CONTROL_KEEPER_TAKEOVER_H

#include <limits.h>
#include <stdint.h>

#define TAKEOVER_SOCKET	 "keeper.sock" /* in the run dir */
#define TAKEOVER_VERSION 1	       /* of these two messages */
#define TAKEOVER_IMAGE	 2	       /* of control/keeper/image.c: count up with every change of it */
#define TAKEOVER_MAGIC	 "LANYTKO"

struct takeover_request {
	char magic[8];
	uint32_t version, image_version;
	char build[64]; /* its version, for sentences */
	char program[PATH_MAX], packet[PATH_MAX];
};

struct takeover_answer {
	uint32_t version;
	int32_t result; /* 0, or -errno */
	char text[512]; /* a sentence */
};

#endif
