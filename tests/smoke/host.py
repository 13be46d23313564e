#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A guest and the host: one bridge with a guest, a tap in one namespace, an AF_PACKET and an AF_XDP uplink to
two others. DHCP from the host's side, ping, TCP both ways with and without offloads; a peer whose
checksums nobody fills is seen, and what to do about it."""
import json
import os
import shutil

from hostnet import Net, out, private
from initrd import initrd_make
from session import Session, await_true, need, run

SECONDS = 1
PROGRAMS = ["iperf3", "ethtool"]
# Name of the port and of its namespace: the address there, how the port is made.
SIDES = {"tap": "10.8.0.1", "afp": "10.8.0.2", "xdp": "10.8.0.3"}
DRIVER = {"afp": "net_af_packet", "xdp": "net_af_xdp"}
LEASE = "10.8.0.50"


def guest(s, *command, vm="h1"):
    return s.cli("exec", vm, "--", *command).stdout


class Host:
    """The namespaces and ports around a guest's bridge br0."""

    def __init__(self, s):
        self.s = s
        self.sides = {name: Net(name) for name in SIDES}
        s.cli("bridge", "add", "br0")
        s.cli("port", "add", "tap", "--bridge", "br0", "--type", "tap", "--netns", "tap",
              "--address", SIDES["tap"] + "/24")
        for name, driver in DRIVER.items():
            self.uplink(name, driver)

    def uplink(self, name, driver):
        """A veth pair as the cable: one end is the switch's, the other the namespace's eth0."""
        out("ip", "link", "add", "up-" + name, "type", "veth", "peer", "name", "eth0", "netns", name)
        out("ip", "link", "set", "up-" + name, "up")
        net = self.sides[name]
        net.ip("address", "add", SIDES[name] + "/24", "dev", "eth0")
        net.ip("link", "set", "eth0", "up")
        net.run("ethtool", "-K", "eth0", "tx", "off")
        self.s.cli("port", "add", name, "--bridge", "br0", "--type", "uplink",
                   "--device", f"{driver}0,iface=up-{name}")
        self.s.await_port(name, "up")

    def dnsmasq(self):
        """Of the host's side: it alone hands out one address."""
        s = self.s
        s.spawn(*self.sides["tap"].argv(
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=" + s.port("tap")["ifname"],
            f"--dhcp-range={LEASE},{LEASE},255.255.255.0", "--dhcp-leasefile=" + s.path("leases"),
            "--pid-file=" + s.path("dnsmasq.pid")), stderr=open(s.path("dnsmasq.log"), "wb"))


def guest_boots(s):
    s.cli("vm", "start", "h1", "--initrd", initrd_make(s, *map(shutil.which, PROGRAMS)), "--nic", "br0")
    s.cli("vm", "wait", "h1", "--for", "90s")


def iperf_from_guest(s, net, address, *words, seconds=SECONDS, vm="h1"):
    """TCP between the guest and a server in a namespace; what arrived, bits a second."""
    with_server = s.spawn(*net.argv("iperf3", "-s", "-1", "-B", address), stdout=open(os.devnull, "wb"))
    await_true("iperf3 listens", lambda: address in net.run("ss", "-Hltn", "sport = :5201", check=False))
    result = json.loads(guest(s, "iperf3", "-J", "-i", "0", "-t", str(seconds), "-c", address, *words, vm=vm))
    s.end(with_server)
    assert "error" not in result, result
    return result["end"]["sum_received"]["bits_per_second"]


def mean_frame(s, port, way, before):
    after = s.port(port)["counters"]
    return ((after[way + "_bytes"] - before[way + "_bytes"]) /
            max(1, after[way + "_frames"] - before[way + "_frames"]))


def guest_gets_an_address_from_the_host(s, host):
    host.dnsmasq()
    guest(s, "udhcpc", "-n", "-q", "-i", "eth0")
    assert LEASE in guest(s, "ip", "address", "show", "dev", "eth0")


def everybody_answers(s, host):
    for name, address in SIDES.items():
        guest(s, "ping", "-c", "2", "-W", "2", address)
        assert host.sides[name].ping(LEASE, count=2), name
    assert host.sides["afp"].ping(SIDES["xdp"]) and host.sides["xdp"].ping(SIDES["tap"])


def tcp_passes_both_ways(s, host):
    for name, address in SIDES.items():
        for way in ((), ("-R",)):
            rate = iperf_from_guest(s, host.sides[name], address, *way)
            print(f"   {name}, {'to' if way else 'from'} the guest: {rate / 1e6:.0f} Mb/s")
            assert rate > 1e6, (name, way, rate)


def segmentation_passes_through_a_tap_only_where_it_is_on(s, host):
    net, ifname = host.sides["tap"], s.port("tap")["ifname"]
    before = s.port("tap")["counters"]
    iperf_from_guest(s, net, SIDES["tap"])
    assert mean_frame(s, "tap", "tx", before) > 3000, mean_frame(s, "tap", "tx", before)
    before = s.port("tap")["counters"]
    iperf_from_guest(s, net, SIDES["tap"], "-R")
    assert mean_frame(s, "tap", "rx", before) > 3000, mean_frame(s, "tap", "rx", before)
    net.run("ethtool", "-K", ifname, "tx", "off", "tso", "off", "gso", "off")
    before = s.port("tap")["counters"]
    iperf_from_guest(s, net, SIDES["tap"], "-R")
    assert mean_frame(s, "tap", "rx", before) <= 1514, mean_frame(s, "tap", "rx", before)
    net.run("ethtool", "-K", ifname, "tx", "on", "tso", "on", "gso", "on")


def checksums_that_nobody_filled_are_seen(s, host):
    net = host.sides["afp"]
    assert not s.port("afp")["counters"]["rx_drops"].get("rx_bad_csum"), s.port("afp")
    net.run("ethtool", "-K", "eth0", "tx", "on")
    net.run("busybox", "nc", "-w", "1", LEASE, "9", check=False)
    drops = s.port("afp")["counters"]["rx_drops"]
    assert drops.get("rx_bad_csum"), drops
    said = s.cli("drops", "afp").stdout
    assert "rx_bad_csum" in said and "ethtool -K" in said, said
    net.run("ethtool", "-K", "eth0", "tx", "off")


def a_guest_reaches_the_host_and_beyond():
    with Session() as s:
        host = Host(s)
        guest_boots(s)
        try:
            guest_gets_an_address_from_the_host(s, host)
            everybody_answers(s, host)
            tcp_passes_both_ways(s, host)
            segmentation_passes_through_a_tap_only_where_it_is_on(s, host)
            checksums_that_nobody_filled_are_seen(s, host)
        finally:
            s.cli("vm", "kill", "h1", check=False)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga", "cpio", *PROGRAMS)
    private("dnsmasq", "ss")
    run(a_guest_reaches_the_host_and_beyond)
