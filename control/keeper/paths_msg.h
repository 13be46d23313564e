/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two sides of control/keeper/paths.h say to each other: one question, one answer with the same seq. */
#ifndef CONTROL_KEEPER_PATHS_MSG_H
#define CONTROL_KEEPER_PATHS_MSG_H

#include <stdint.h>

#include "base/unix_path.h"

enum paths_op {
	PATHS_BIND = 1, /* path, type, and whose the file shall be: a descriptor comes back */
	PATHS_CONNECT,	/* path: a descriptor comes back */
	PATHS_PEER,	/* path and a descriptor */
	PATHS_IS_THERE, /* a descriptor; result 1: it is */
	PATHS_UNLINK,	/* a descriptor */
};

struct paths_question {
	uint32_t op, seq;
	int32_t type;
	char path[UNIX_PATH_MAX];
	char owner[UNIX_PATH_WORD_MAX], group[UNIX_PATH_WORD_MAX], mode[8]; /* as struct unix_path_words */
};

struct paths_answer {
	uint32_t op, seq;
	int32_t result;
	struct err err;
};

#endif
