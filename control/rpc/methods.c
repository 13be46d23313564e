/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/methods.h"

#include "switch/switch.h"
#include "switch/vlan.h"

#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* Parameters that many rows share. */
#define BRIDGE_NAME                                                                                \
	{                                                                                          \
		"name", PARAM_NAME, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "BR", "the bridge"    \
	}
#define PORT_NAME                                                                                  \
	{                                                                                          \
		"name", PARAM_NAME, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "P", "the port"       \
	}
#define SETTINGS(help)                                                                             \
	{                                                                                          \
		"settings", PARAM_PAIRS, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "KEY=VALUE",     \
			help                                                                       \
	}
#define LAB                                                                                        \
	{                                                                                          \
		"lab", PARAM_STRING, PARAM_JSON_ONLY, 1, 65, NULL, "the lab that owns it"          \
	}
#define TRANSIENT                                                                                  \
	{                                                                                          \
		"transient", PARAM_BOOL, PARAM_JSON_ONLY, 0, 0, NULL,                              \
			"neither saved nor shown in the hand-made configuration"                   \
	}
#define PAGE                                                                                       \
	{"cursor", PARAM_STRING, PARAM_JSON_ONLY, 0, 160, NULL, "next of the page before"},        \
	{                                                                                          \
		"limit", PARAM_INT, PARAM_JSON_ONLY, 1, 1000, NULL, "at most so many items"        \
	}

/* ---- bridges ---- */

static const struct param bridge_add_params[] = {
	BRIDGE_NAME,
	{"ageing", PARAM_DURATION, 0, 1, BRIDGE_AGEING_MAX_S, "TIME",
	 "forget a learned address after this time without a frame from it (300s)"},
	{"max_macs", PARAM_INT, 0, BRIDGE_MACS_MIN, BRIDGE_MACS_MAX, "N",
	 "learn at most so many addresses (65536)"},
	{"forward_reserved", PARAM_STRING, 0, 0, 64, "LIST",
	 "forward these reserved groups: stp,lldp,lacp,eapol, all or none (none)"},
	{"wire", PARAM_BOOL, PARAM_JSON_ONLY, 0, 0, NULL,
	 "a cable between two machines: nobody at one end is no carrier at the other"},
	LAB,
	TRANSIENT,
	END,
};
const struct method m_bridge_add = {"bridge.add",      "bridge add",   "Make a learning bridge",
				    bridge_add_params, METHOD_MUTATES, NULL};

static const struct param bridge_del_params[] = {BRIDGE_NAME, END};
const struct method m_bridge_del = {
	"bridge.del",	   "bridge del",   "Delete a bridge without ports",
	bridge_del_params, METHOD_MUTATES, NULL};

static const struct param bridge_set_params[] = {
	BRIDGE_NAME,
	SETTINGS("ageing=, max-macs= or forward-reserved=, as in bridge add"),
	END,
};
const struct method m_bridge_set = {"bridge.set",      "bridge set",   "Change a bridge",
				    bridge_set_params, METHOD_MUTATES, NULL};

static const struct param bridge_list_params[] = {
	{"name", PARAM_NAME, PARAM_POSITIONAL, 0, 0, "BR", "only this bridge"},
	PAGE,
	END,
};
const struct method m_bridge_list = {"bridge.list",	 "bridge show", "Show bridges",
				     bridge_list_params, METHOD_VIEW | METHOD_PAGED,	NULL};

/* ---- ports ---- */

static const struct param port_add_params[] = {
	PORT_NAME,
	{"bridge", PARAM_NAME, PARAM_REQUIRED, 0, 0, "BR", "the bridge that it joins"},
	{"type", PARAM_STRING, PARAM_REQUIRED, 1, 32, "TYPE",
	 "vhost-user (a VM's virtio-net), tap (an interface of this host), nat (a tap with a way out, "
	 "DHCP and DNS), uplink (a device of DPDK), dgram (QEMU's -netdev dgram) or link (a wire to "
	 "another bridge)"},
	{"path", PARAM_STRING, 0, 1, 4096, "SOCK", "vhost-user: the socket; dgram: the switch's socket"},
	{"peer", PARAM_STRING, 0, 1, 4096, "SOCK", "dgram: the other end's socket"},
	{"listen", PARAM_BOOL, 0, 0, 0, NULL,
	 "vhost-user: own SOCK; otherwise connect to it and keep trying"},
	{"owner", PARAM_STRING, 0, 1, 32, "USER",
	 "vhost-user with listen, dgram: whose the file of the switch's socket is (the switch's --port-owner)"},
	{"group", PARAM_STRING, 0, 1, 32, "GROUP", "the same: its group (the switch's --port-group)"},
	{"mode", PARAM_STRING, 0, 1, 5, "MODE", "the same: its mode, like 0600 (the switch's --port-mode, 0660)"},
	{"ifname", PARAM_STRING, 0, 1, 15, "IF",
	 "tap, nat: the interface; made unless there is a persistent one (named after the port)"},
	{"netns", PARAM_STRING, 0, 1, 63, "NS", "tap: the network namespace that it is in"},
	{"device", PARAM_STRING, 0, 1, 511, "DEVARGS",
	 "uplink: a PCI address, or net_af_xdp0,iface=eth0, net_af_packet0,iface=eth0 …"},
	{"address", PARAM_STRING, 0, 1, 63, "CIDR", 
	 "tap, nat: an address for the interface, like 10.0.0.1/24 (nat: a free 10.77.N.1/24)"},
	{"peer_bridge", PARAM_NAME, 0, 0, 0, "BR2", "link: the bridge at the other end"},
	{"access", PARAM_INT, 0, 1, VLAN_VID_MAX, "VID", "untagged member of one VLAN"},
	{"trunk", PARAM_VIDS, 0, 0, 0, "VIDS", "tagged member of these VLANs, like 10,20-29"},
	{"native", PARAM_INT, 0, 1, VLAN_VID_MAX, "VID", "trunk: the VLAN of untagged frames"},
	{"tunnel", PARAM_INT, 0, 1, VLAN_VID_MAX, "VID", "carry everything inside one VLAN"},
	{"queues", PARAM_INT, 0, 1, 8, "N", "vhost-user: offer N queue pairs (8); tap, uplink: have N (1)"},
	{"mtu", PARAM_INT, 0, 68, 65535, "N", "largest payload of a frame in bytes (no limit)"},
	{"down", PARAM_BOOL, 0, 0, 0, NULL, "make it, but leave it down"},
	{"guard", PARAM_STRING, 0, 1, 64, "LIST",
	 "let in only what names its own sender: mac,ip,arp,dhcp,ra or off (off)"},
	{"mac", PARAM_MAC, 0, 0, 0, "MAC", "guard: the NIC's address; no other port of the bridge has it"},
	{"ip", PARAM_LIST, 0, 1, 512, "A", "guard: IPv4 and IPv6 addresses that it may have"},
	{"max_macs", PARAM_INT, 0, 1, BRIDGE_MACS_MAX, "N",
	 "let in at most so many source addresses (no limit)"},
	{"storm", PARAM_INT, 0, 1, POLICY_STORM_MAX, "N",
	 "let in at most N frames a second that are flooded (no limit)"},
	{"rate", PARAM_STRING, 0, 1, 20, "R",
	 "take at most so many bits a second, like 10M or 1.5G; the rest waits (no limit)"},
	{"isolated", PARAM_BOOL, 0, 0, 0, NULL, "exchange no frames with other isolated ports"},
	{"mirror", PARAM_LIST, 0, 0, 0, "P2", "deliver copies of what P2 receives and is sent, as `mirror add`"},
	{"mirror_direction", PARAM_ENUM, 0, 0, 0, "in|out|both", "of what the ports receive or are sent (both)"},
	{"mirror_filter", PARAM_STRING, 0, 1, 512, "FILTER", "only frames that match, see pcap-filter(7)"},
	{"carrier", PARAM_ENUM, PARAM_JSON_ONLY, 0, 0, "set_link",
	 "vhost-user: who runs the guest shows it its carrier, so that the socket stays open while "
	 "the port is down"},
	LAB,
	TRANSIENT,
	END,
};
const struct method m_port_add = {
	"port.add",
	"port add",
	"Put a port on a bridge",
	port_add_params,
	METHOD_MUTATES,
	"Without --access, --trunk, --native and --tunnel a port is a trunk of all VLANs whose "
	"untagged frames are in VLAN 1.\n"
	"A link has two ends: P on BR, and P~peer on BR2. Changing or deleting one does both.",
};

static const struct param port_one_params[] = {PORT_NAME, END};
const struct method m_port_del = {"port.del",	   "port del",	   "Delete a port",
				  port_one_params, METHOD_MUTATES, NULL};
const struct method m_port_up = {
	"port.up",	 "port up",	 "Let a port forward again; heals an errored one",
	port_one_params, METHOD_OPERATE | METHOD_MUTATES, NULL};
const struct method m_port_down = {"port.down",	    "port down",    "Stop a port from forwarding",
				   port_one_params, METHOD_OPERATE | METHOD_MUTATES, NULL};

static const struct param port_set_params[] = {
	PORT_NAME,
	SETTINGS("access=, trunk=, native=, tunnel=, mtu=, guard=, mac=, ip=, max-macs=, "
		 "storm=, rate= or isolated=, as in port add; native=none, mtu=none … take them away, "
		 "access=none makes it a trunk of all VLANs"),
	END,
};
const struct method m_port_set = {"port.set",	   "port set",	   "Change a port",
				  port_set_params, METHOD_MUTATES, NULL};

static const struct param port_list_params[] = {
	{"name", PARAM_NAME, PARAM_POSITIONAL, 0, 0, "P", "only this port"},
	{"qemu", PARAM_BOOL, PARAM_CLI_ONLY, 0, 0, NULL,
	 "print the options that attach a QEMU to port P"},
	{"libvirt", PARAM_BOOL, PARAM_CLI_ONLY, 0, 0, NULL,
	 "print the XML that attaches a libvirt guest to port P"},
	PAGE,
	END,
};
const struct method m_port_list = {
	"port.list",
	"port show",
	"Show ports",
	port_list_params,
	METHOD_VIEW | METHOD_PAGED,
	"AT is what is at the port's other side: a socket, an interface with its address and namespace, a device. "
	"REASON says why a port is in its state. A front end is who is at the other end of a vhost-user socket: "
	"QEMU, for its guest. RX is what the switch received from the port, TX what it delivered to it.\n"
	"A port that is saved and could not be made when the switch started is errored, and its reason begins with "
	"`kept out`: lanyard port up P tries again, lanyard port del P forgets it.",
};

/* ---- forwarding database ---- */

static const struct param fdb_list_params[] = {
	{"bridge", PARAM_NAME, 0, 0, 0, "BR", "only this bridge"},
	PAGE,
	END,
};
const struct method m_fdb_list = {
	"fdb.list",	 "fdb show",   "Show which address is on which port",
	fdb_list_params, METHOD_VIEW | METHOD_PAGED, NULL};

#define FDB_MAC                                                                                    \
	{"mac", PARAM_MAC, PARAM_POSITIONAL | PARAM_REQUIRED, 0, 0, "MAC", "the address"},         \
		{"bridge", PARAM_NAME, PARAM_REQUIRED, 0, 0, "BR", "the bridge"},                  \
	{                                                                                          \
		"vlan", PARAM_INT, 0, 1, VLAN_VID_MAX, "VID", "the VLAN (1)"                       \
	}

static const struct param fdb_add_params[] = {
	FDB_MAC,
	{"port", PARAM_NAME, PARAM_REQUIRED, 0, 0, "P", "the port that it is on"},
	END,
};
const struct method m_fdb_add = {
	"fdb.add",	"fdb add", "Enter an address by hand; it neither moves nor ages",
	fdb_add_params, 0,	   NULL};

static const struct param fdb_del_params[] = {FDB_MAC, END};
const struct method m_fdb_del = {"fdb.del",	 "fdb del", "Delete an address",
				 fdb_del_params, 0,	    NULL};

static const struct param fdb_flush_params[] = {
	{"bridge", PARAM_NAME, 0, 0, 0, "BR", "only of this bridge"},
	{"port", PARAM_NAME, 0, 0, 0, "P", "only of this port"},
	END,
};
const struct method m_fdb_flush = {"fdb.flush",	     "fdb flush", "Forget learned addresses",
				   fdb_flush_params, METHOD_OPERATE, NULL};

/* ---- counters ---- */

static const struct param stats_ports_params[] = {
	{"ports", PARAM_LIST, 0, 0, 0, "P", "only these ports"},
	{"brief", PARAM_BOOL, 0, 0, 0, NULL, "only sums: rx_dropped in the place of reasons"},
	PAGE,
	END,
};
const struct method m_stats_ports = {
	"stats.ports", NULL, "Counters of ports", stats_ports_params, METHOD_VIEW | METHOD_PAGED | METHOD_HIDDEN,
	NULL};
const struct method m_stats_workers = {"stats.workers", NULL, "What the workers do", NULL,
				       METHOD_VIEW | METHOD_HIDDEN,	NULL};

/* ---- configuration ---- */

static const struct param page_params[] = {PAGE, END};
const struct method m_config_list = {"config.list",
				     NULL,
				     "The hand-made objects with their settings",
				     page_params,
				     METHOD_VIEW | METHOD_PAGED | METHOD_HIDDEN,
				     NULL};

static const struct param config_apply_params[] = {
	{"document", PARAM_JSON, PARAM_REQUIRED, 0, 0, NULL,
	 "{bridges: {name: settings}, ports: {name: settings}}"},
	{"dry_run", PARAM_BOOL, 0, 0, 0, NULL, "only answer with the plan"},
	{"confirm", PARAM_DURATION, 0, 1, 3600, "TIME",
	 "go back unless it is confirmed within this time"},
	END,
};
const struct method m_config_apply = {"config.apply",
				      NULL,
				      "Make the hand-made part equal to a document",
				      config_apply_params,
				      METHOD_MUTATES | METHOD_HIDDEN | METHOD_SLOW,
				      NULL};
const struct method m_config_confirm = {
	"config.confirm", "confirm", "Keep what `apply --confirm` changed", NULL, 0, NULL};

static const struct param config_rollback_params[] = {
	{"n", PARAM_INT, PARAM_POSITIONAL, 1, 4, "N", "how many saved changes to go back (1)"},
	{"list", PARAM_BOOL, PARAM_CLI_ONLY, 0, 0, NULL, "change nothing; say what there is to go back to"},
	END,
};
const struct method m_config_rollback = {
	"config.rollback",
	"rollback",
	"Go back to a configuration that was saved earlier",
	config_rollback_params,
	METHOD_MUTATES | METHOD_SLOW,
	"Going back is a change that is saved as well: rollback right after rollback undoes it. Two changes back is "
	"rollback 2.",
};
const struct method m_config_generations = {
	"config.generations", NULL, "What rollback can go back to", NULL, METHOD_VIEW | METHOD_HIDDEN, NULL};

/* ---- daemon ---- */

const struct method m_daemon_status = {"daemon.status", NULL, "What this process is and does", NULL,
				       METHOD_VIEW | METHOD_HIDDEN,	NULL};
const struct method m_daemon_facts = {
	"daemon.facts", NULL,	       "Findings about the running switch, for doctor",
	NULL,		METHOD_VIEW | METHOD_HIDDEN, NULL};
const struct method m_daemon_stop = {
	"daemon.stop", "stop", "End the switch with everything it made; VMs stay up",
	NULL,	       0,      NULL};

static const struct param lease_hold_params[] = {
	{"name", PARAM_STRING, 0, 0, 128, NULL, "whom it is for, like \"vm h1\""},
	{"auto", PARAM_BOOL, 0, 0, 0, NULL, "the holder started this switch for itself"},
	{"last", PARAM_BOOL, 0, 0, 0, NULL, "when this one ends, nobody is about to take another"},
	END,
};
const struct method m_lease_hold = {
	"lease.hold",
	NULL,
	"Keep a switch that was started with --until-unused alive while this connection lasts",
	lease_hold_params,
	METHOD_HIDDEN,
	NULL};

/* ---- events ---- */

static const struct param events_subscribe_params[] = {
	{"kinds", PARAM_LIST, 0, 1, 32, "KIND", "only these, like port or port.state (all)"},
	{"objects", PARAM_LIST, 0, 1, 128, "NAME", "only what is about these (all)"},
	END,
};
const struct method m_events_subscribe = {
	"events.subscribe",
	NULL,
	"Be told of what happens, as notifications \"event\" on this connection",
	events_subscribe_params,
	METHOD_VIEW | METHOD_HIDDEN,
	NULL};

static const struct param vm_report_params[] = {
	{"name", PARAM_NAME, PARAM_REQUIRED, 0, 0, NULL, "the VM"},
	{"state", PARAM_ENUM, PARAM_REQUIRED, 0, 0,
	 "starting|running|paused|stopping|stopped|failed", "as in vm list"},
	{"reason", PARAM_STRING, 0, 0, 512, NULL, "why"},
	{"lab", PARAM_STRING, 0, 1, 65, NULL, "the lab that owns it"},
	{"pid", PARAM_INT, 0, 1, INT32_MAX, NULL, "QEMU's process"},
	{"accel", PARAM_STRING, 0, 0, 7, NULL, "kvm or tcg"},
	{"cpus", PARAM_INT, 0, 1, 4096, NULL, "virtual CPUs"},
	{"memory_bytes", PARAM_INT, 0, 1, INT64_MAX, NULL, "of the guest"},
	{"ready", PARAM_BOOL, 0, 0, 0, NULL, "its agent answers"},
	END,
};
const struct method m_vm_report = {
	"vm.report",
	NULL,
	"Say how a VM is, on the connection of its supervisor",
	vm_report_params,
	METHOD_HIDDEN,
	NULL};
const struct method m_vm_seen = {
	"vm.seen", NULL, "The VMs whose supervisors are connected", NULL, METHOD_VIEW | METHOD_HIDDEN, NULL};
