#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ports of the host in a lab file: a way out, an uplink and a mirror come with the lab and go with it, and guests find
the way out."""
import os
import subprocess

import session
from hostnet import Net, out, private
from session import Session, await_true

LAB = """name: l
bridges: {sw: {}}
ports:
  out: {bridge: sw, type: nat, address: 10.70.0.1/24}
  g1: {bridge: sw, type: tap, netns: guest, ifname: g1, address: 10.70.0.2/24}
  up: {bridge: sw, type: uplink, device: "net_af_packet0,iface=cable"}
  see: {bridge: sw, type: tap, netns: see, ifname: see, mirror: [g1], mirror_filter: icmp}
"""


def lab(s, text):
    s.write("l.yaml", text)
    return s.path("l.yaml")


def ports_of_the_host_come_and_go_with_the_lab():
    with Session() as s:
        s.cli("up", lab(s, LAB))
        for name in ("out", "g1", "up", "see"):
            s.await_port("l/" + name, "up", 10)
        assert out("nft", "list", "tables").split()[2::3] == ["lanyard-" + s.port("l/out")["ifname"]]
        guest.ip("route", "add", "default", "via", "10.70.0.1")
        with open(s.path("seen"), "w") as f:
            seen = s.spawn(*see.argv("tcpdump", "-n", "-l", "-i", "see"), stdout=f, stderr=subprocess.PIPE,
                           text=True)
            await_true("tcpdump listens", lambda: "listening" in seen.stderr.readline())
            assert guest.ping("10.70.0.1"), "the host"
            await_true("behind the uplink", lambda: guest.ping("10.70.0.3"), 5)
            assert guest.ping("10.50.0.2"), "the world behind the host"

        def mirrored():
            with open(s.path("seen")) as f:
                return f.read()
        for address in ("10.70.0.1", "10.70.0.3", "10.50.0.2"):
            await_true(f"{address} is mirrored, both ways", lambda: all(
                f"{a} > {b}: ICMP" in mirrored()
                for a, b in (("10.70.0.2", address), (address, "10.70.0.2"))), 5)
        s.end(seen)
        s.cli("down", "l")
        assert s.json("port", "show") == [] and not guest.link("g1") and not see.link("see")
        assert out("nft", "list", "tables") == ""
        with open("/proc/sys/net/ipv4/ip_forward") as f:
            assert f.read() == "0\n"


def wrong_ports_are_told_and_leave_nothing():
    with Session() as s:
        for old, new, text in (
                ("iface=cable", "iface=none-such", "none-such"),
                ("address: 10.70.0.1/24", "address: 10.70.0.0/24", "is not an IPv4 address with a prefix"),
                ("mirror: [g1]", "mirror: [nobody]", "nobody"),
                ("mirror_filter: icmp", "mirror_filter: icpm", "icpm")):
            done = s.cli("up", lab(s, LAB.replace(old, new)), check=False)
            assert done.returncode and text in done.stderr, (new, done)
            assert s.json("port", "show") == [] and s.json("bridge", "show") == [], new
            assert out("nft", "list", "tables") == ""


def words_lead_on(s):
    """What a newcomer tries first, and what there is."""
    said = s.cli("status", "way-out").stdout
    assert all(name in said for name in ("way-out/h1 ", "way-out/lan ", "way-out/out ")), said
    for words, code, text in (
            (("port", "down", "h1"), 1, "h1 is a VM, and the port of its NIC is way-out/h1.eth0"),
            (("port", "add", "t0", "--bridge", "way-out/lan", "--type", "tap"), 2, "stands under ports: of the lab's file"),
            (("exec", "h1", "--", "no-such"), 127, 'there is no command "no-such" in the guest')):
        done = s.cli(*words, check=False)
        assert done.returncode == code and text in done.stderr, done


def guests_find_the_way_out_by_dhcp_and_by_gateway():
    with session.LabSession() as s:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/way-out.yaml"),
                  encoding="ascii") as f:
            text = f.read()
        s.up(text.replace("vms:\n", "vms:\n  h3: {nics: [{to: lan, ip: 10.77.0.3/24}]}\n") +
             "  - {name: lost, from: h3, ping: 10.50.0.2, within: 1s}\n", "--wait", "90s")
        done = s.cli("check", check=False)
        assert done.returncode == 1 and done.stdout.count("ok ") == 2, done
        assert "h3 has no route to 10.50.0.2; `gateway:`" in done.stdout, done
        words_lead_on(s)

        def guest_says(vm, *words):
            return s.cli("exec", vm, "--", *words).stdout
        for vm in ("h1", "h2"):
            assert "default via 10.77.0.1 " in guest_says(vm, "ip", "route"), vm
            guest_says(vm, "ping", "-c", "1", "-w", "5", "10.50.0.2")
        assert "nameserver 10.77.0.1" in guest_says("h1", "cat", "/etc/resolv.conf")
        assert "fe80" in guest_says("h1", "ip", "address", "show", "dev", "eth0"), "IPv6 is on"
        nics = {vm["name"]: vm["nics"][0] for vm in s.json("vm", "list")}
        assert nics["way-out/h1"]["dhcp"] and nics["way-out/h2"]["gateway"] == "10.77.0.1", nics
        # By hand, without a word of where the script is.
        guest_says("h2", "udhcpc", "-i", "eth0", "-n", "-q")
        assert "10.77.0.2/" not in guest_says("h2", "ip", "address", "show", "dev", "eth0")
        guest_says("h2", "ping", "-c", "1", "-w", "5", "10.50.0.2")


private("busybox", "nft", "dnsmasq", "tcpdump", "qemu-system-x86_64", "qemu-ga")
guest, see, behind, world = Net("guest"), Net("see"), Net("behind"), Net("world")
out("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
for near, net, address in (("cable", behind, "10.70.0.3/24"), ("wan", world, "10.50.0.2/24")):
    out("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", net.name)
    out("ip", "link", "set", near, "up")
    net.ip("address", "add", address, "dev", "eth0")
    net.ip("link", "set", "eth0", "up")
out("ip", "address", "add", "10.50.0.1/24", "dev", "wan")
session.run(ports_of_the_host_come_and_go_with_the_lab, wrong_ports_are_told_and_leave_nothing,
            guests_find_the_way_out_by_dhcp_and_by_gateway)
