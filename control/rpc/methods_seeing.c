/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of what looks at frames: capture, mirror, trace.
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
	METHOD_OPERATE | METHOD_HIDDEN,
	NULL,
};

#define MIRROR_TO(flags, help)                                                                     \
	{                                                                                          \
		"to", PARAM_NAME, flags, 0, 0, "PORT", help                                        \
	}

static const struct param mirror_add_params[] = {
	{"ports", PARAM_LIST, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "P", "the ports to look at"},
	MIRROR_TO(PARAM_REQUIRED, "where copies of their frames go"),
	DIRECTION_PARAM,
	FILTER_PARAM,
	{.name = NULL},
};
const struct method m_mirror_add = {
	"mirror.add",
	"mirror add",
	"Deliver copies of the frames of ports to another port",
	mirror_add_params,
	METHOD_MUTATES,
	"Copies are as the frames are on their port, with its VLAN tags, and go to PORT whatever its VLANs "
	"are; its MTU counts. PORT stays a port of its bridge. Copies are not copied again by another "
	"mirror.\n"
	"A mirror is saved as a setting of PORT, and lets go of ports that are deleted.",
};

static const struct param mirror_del_params[] = {
	MIRROR_TO(PARAM_REQUIRED, "where its copies go"),
	{.name = NULL},
};
const struct method m_mirror_del = {"mirror.del",      "mirror del",   "End a mirror",
				    mirror_del_params, METHOD_MUTATES, NULL};

static const struct param mirror_list_params[] = {
	{"cursor", PARAM_STRING, PARAM_JSON_ONLY, 0, 160, NULL, "next of the page before"},
	{"limit", PARAM_INT, PARAM_JSON_ONLY, 1, 1000, NULL, "at most so many items"},
	{.name = NULL},
};
const struct method m_mirror_list = {"mirror.list",	 "mirror show", "Show mirrors",
				     mirror_list_params, METHOD_VIEW | METHOD_PAGED,	NULL};

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
	METHOD_VIEW,
	"FRAME is one text: eth src MAC dst MAC [vlan VID [pcp N]] [type 0xNNNN | ip src A dst B [tcp|udp "
	"sport N dport N]] [len N]. MAC may be broadcast, A and B are IPv4 or IPv6 addresses.\n"
	"The switch decides as it would for a frame that came from P now, and follows it over links; nothing "
	"is sent, learned or counted.",
};
