/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of tap/host.h that does it all in this process: for the host helper. */
#ifndef TAP_HOST_DIRECT_H
#define TAP_HOST_DIRECT_H

#include "tap/host.h"

extern const struct host_ops host_direct;

#endif
