/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program that AF_XDP's driver leaves in an interface.
 *
 * What     Which one it is, while there are rights to ask; and taking it off, by whoever has the right, for one who
 *          has only its descriptor. The kernel itself takes nothing off when the process ends.
 * How      The kernel compares: a program is taken off only where the interface has the very one that the descriptor
 *          stands for. So nobody can have another's taken off, a firewall's say.
 * Threads  any; nothing is kept.
 * Trust    xdp_program_off(): descriptor and index are those of a process that may be a guest's.
 */
#ifndef TAP_XDP_PROGRAM_H
#define TAP_XDP_PROGRAM_H

#include <stdbool.h>

#include "base/err.h"

/* A descriptor of the program in the interface, or -1: there is none, or it cannot be had. Needs rights. */
int xdp_program_of(unsigned ifindex);

/* Whether fd is a program for the kernel; of which kind the kernel looks itself. */
bool xdp_is_program(int fd);

/* 0 also where the interface has gone, or no program any more. */
int xdp_program_off(int prog_fd, unsigned ifindex, struct err *err);

#endif
