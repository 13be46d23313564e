/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of what looks at frames: capture, trace.
 */
#include "control/rpc/methods.h"
#include "switch/vlan.h"

static const struct param capture_start_params[] = {
	CAPTURE_PARAMS,
	{.name = NULL},
};
const struct method m_capture_start = {
	"capture.start",
	NULL,
	"Let frames of ports be read from memory that comes with the answer, while this connection lasts",
	capture_start_params,
	METHOD_HIDDEN,
	NULL,
};

static const struct param bridge_trace_params[] = {
	{"bridge", PARAM_NAME, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "BR", "the bridge"},
	{"port", PARAM_NAME, PARAM_REQUIRED, 0, 0, "P", "the port of BR that the frame comes from"},
	{"frame", PARAM_STRING, PARAM_REQUIRED, 1, 512, "FRAME", "what the frame is, as below"},
	{.name = NULL},
};
const struct method m_bridge_trace = {
	"bridge.trace",
	"trace",
	"Say what would happen to a frame, and why",
	bridge_trace_params,
	0,
	"FRAME is one text: eth src MAC dst MAC [vlan VID [pcp N]] [type 0xNNNN | ip src A dst B [tcp|udp "
	"sport N dport N]] [len N]. MAC may be broadcast, A and B are IPv4 or IPv6 addresses.\n"
	"The switch decides as it would for a frame that came from P now, and follows it over links; nothing "
	"is sent, learned or counted.",
};
