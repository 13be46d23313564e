/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes that are not ours to wait for, told from later ones of the same number.
 *
 * What     A number and the time that the process began at, as the kernel counts it, which together
 *          are never given twice while the kernel runs; in files the kernel's start as well.
 * Threads  any.
 */
#ifndef VM_LAUNCHER_PROCESS_ID_H
#define VM_LAUNCHER_PROCESS_ID_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

/* 0: there is no such process, or it has ended and nobody has waited for it yet. */
uint64_t process_start_time(pid_t pid);

/* A descriptor of the process (pidfd), or -ESRCH where it is not that one any more, or another -errno. */
int process_open(pid_t pid, uint64_t start_time);

/* {pid, start, boot}, and back: a pidfd, -ESRCH as well where there is none in it. */
json_t *process_json(pid_t pid, uint64_t start_time);
int process_open_json(const json_t *process);

/* Ends it at once and waits until it has ended, at most that long. 0, -ETIMEDOUT or another -errno. */
int process_kill(int pidfd, int timeout_ms);

#endif
