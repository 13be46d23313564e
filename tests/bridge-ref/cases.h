/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads cases.txt, whose head describes its format; cases.py is the same for the Linux side.
 *
 * Threads  one. What cannot be read ends the program with file, line and word.
 */
#ifndef TESTS_BRIDGE_REF_CASES_H
#define TESTS_BRIDGE_REF_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "switch/vlan.h"

#define CASES_NAME_MAX	 64
#define CASES_PORTS_MAX	 4
#define CASES_SETUPS_MAX 32
#define CASES_STEPS_MAX	 16
#define CASES_MAX	 512
#define CASES_FRAME_MAX	 2048

struct case_port {
	char name[CASES_NAME_MAX];
	struct vlan_policy vlan;
};

struct case_setup {
	char name[CASES_NAME_MAX];
	uint32_t ageing_s;
	uint16_t forward_reserved;
	struct case_port ports[CASES_PORTS_MAX];
	unsigned n_ports;
};

struct case_step {
	char port[CASES_NAME_MAX]; /* "*": each in turn; "": wait */
	uint8_t frame[CASES_FRAME_MAX];
	size_t len;
	double wait_s;
};

struct case_ {
	char name[CASES_NAME_MAX];
	uint32_t setups; /* bit i: runs on setups[i] */
	struct case_step *steps[CASES_STEPS_MAX];
	unsigned n_steps;
};

struct case_table {
	struct case_setup setups[CASES_SETUPS_MAX];
	unsigned n_setups;
	struct case_ cases[CASES_MAX];
	unsigned n_cases;
};

struct case_table *cases_read(const char *path);
void cases_free(struct case_table *t);

#endif
