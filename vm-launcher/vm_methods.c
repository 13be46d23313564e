/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm-launcher/vm_methods.h"

#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

#define PLAIN(symbol, rpc, summary)                                                                \
	const struct method symbol = {rpc, NULL, summary, NULL, METHOD_HIDDEN, NULL}

static const struct param wait_params[] = {
	{"what", PARAM_ENUM, 0, 0, 0, "ready|running|stopped", "what to wait for (ready)"},
	{"for", PARAM_DURATION, 0, 0, 86400, "TIME", "at most so long (60s)"},
	END,
};
static const struct param stop_params[] = {
	{"within", PARAM_DURATION, 0, 0, 3600, "TIME", "insist after this time (30s)"},
	END,
};
static const struct param exec_params[] = {
	{"argv", PARAM_REST, PARAM_REQUIRED, 0, 0, "CMD", "the program and its arguments"},
	{"input", PARAM_STRING, 0, 0, VM_EXEC_INPUT_MAX, "DATA", "what it reads, in base64"},
	{"within", PARAM_DURATION, 0, 0, 86400, "TIME", "give up after this time (1h)"},
	END,
};
static const struct param log_params[] = {
	{"bytes", PARAM_INT, 0, 1, 131072, "N", "the last N bytes (65536)"},
	END,
};

static const struct param link_params[] = {
	{"nic", PARAM_STRING, PARAM_REQUIRED, 1, 15, "NIC", "eth0, without a port in the switch"},
	{"up", PARAM_BOOL, PARAM_REQUIRED, 0, 0, NULL, "whether the guest shall see a link"},
	END,
};

PLAIN(m_vm_status, "vm.status", "What the VM is and does");
PLAIN(m_vm_kill, "vm.kill", "Pull the plug");
PLAIN(m_vm_reset, "vm.reset", "Press the reset button");
PLAIN(m_vm_pause, "vm.pause", "Halt the processors");
PLAIN(m_vm_resume, "vm.resume", "Let the processors go on");
PLAIN(m_vm_console, "vm.console", "Where the console's socket is");

const struct method m_vm_wait = {"vm.wait",   NULL,	     "Wait until the VM is so",
				 wait_params, METHOD_HIDDEN, NULL};
const struct method m_vm_stop = {
	"vm.stop",   NULL,	    "Ask the guest to shut down, then insist",
	stop_params, METHOD_HIDDEN, NULL};
const struct method m_vm_exec = {
	"vm.exec",   NULL,	    "Run a program in the guest; its output comes in base64",
	exec_params, METHOD_HIDDEN, NULL};
const struct method m_vm_link = {"vm.link",   NULL,	     "Show a NIC's carrier or none",
				 link_params, METHOD_HIDDEN, NULL};
const struct method m_vm_log = {"vm.log",   NULL,	   "The end of what the console said",
				log_params, METHOD_HIDDEN, NULL};
