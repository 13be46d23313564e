/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold of every step of the vhost-user protocol, whatever the message.
 */
#ifndef TESTS_UNIT_PROTO_RULES_H
#define TESTS_UNIT_PROTO_RULES_H

#include "vhost-user/vu_proto.h"

/* Takes the step, and returns the rule that was broken (source text), or NULL. facts has n_fds entries. */
const char *proto_rules_step(struct vu_dev *dev, const struct vu_msg *m,
			     const struct vu_fd_fact *facts, unsigned n_fds, struct vu_result *res);

#endif
