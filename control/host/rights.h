/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host helper may do: what its work needs, and nothing that a program it starts could get.
 *
 * Threads  main, before anything else runs.
 */
#ifndef CONTROL_HOST_RIGHTS_H
#define CONTROL_HOST_RIGHTS_H

#include "base/err.h"

int rights_reduce(struct err *err);

#endif
