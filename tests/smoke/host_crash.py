#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ports of the host when the process that forwards is killed: interfaces stay with all that is on them, also
those that others renamed, moved or made; sockets go on; what is deleted afterwards is gone at once."""
import os
import signal
import socket

from hostnet import Net, out, private
from session import Session, await_true, run


def add(s, name, kind, *words):
    s.cli("port", "add", name, "--bridge", "br0", "--type", kind, *words)


def crash(s):
    pid, n = s.pid, s.json("status")["daemon"]["restarts"]["n"]
    s.await_spare()
    os.kill(pid, signal.SIGKILL)
    await_true("another process forwards", lambda: (lambda d: d["pid"] != pid and d["restarts"]["n"] == n + 1)(
        s.json("status")["daemon"]))


def stands_still(pid):
    """Each of its threads: one may just be reading."""
    def state(task):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    return all(state(task) == "T" for task in os.listdir(f"/proc/{pid}/task"))


def facts(net, name):
    """What would change if the interface had been made anew or lost its carrier."""
    link = net.link(name)
    return (link["ifindex"], link["address"], link["operstate"], sorted(net.addresses(name)), link["mtu"],
            # /sys is the namespace's own only where it has a name.
            net.name and net.run("cat", f"/sys/class/net/{name}/carrier_changes"),
            net.run("ip", "route", "show", "dev", name))


def taps_stay_with_all_that_is_on_them():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("tuntap", "add", "own", "mode", "tap")
        add(s, "t1", "tap", "--netns", "n1", "--address", "10.9.0.1/24", "--mtu", "1400")
        add(s, "t2", "tap", "--netns", "n2", "--address", "10.9.0.2/24", "--queues", "2")
        add(s, "t3", "tap", "--netns", "n1", "--ifname", "own", "--address", "10.9.1.3/24")
        add(s, "t4", "tap", "--netns", "n1")
        add(s, "t5", "tap", "--netns", "n1")
        s.cli("port", "down", "t5")
        n1.ip("link", "set", "t1", "name", "other")
        n1.ip("route", "add", "10.99.0.0/16", "dev", "other")
        n1.ip("link", "set", "t4", "netns", "n3")
        await_true("the move is seen", lambda: s.port("t4")["state"] == "errored")
        n3.ip("link", "set", "t4", "up")
        for name, state in (("t1", "up"), ("t4", "up"), ("t5", "down")):
            s.await_port(name, state)
        assert n1.ping("10.9.0.2")
        where = ((n1, "other"), (n2, "t2"), (n1, "own"), (n3, "t4"), (n1, "t5"))
        before = [facts(net, name) for net, name in where]
        for _ in range(2):
            crash(s)
            ports = {name: s.port(name)["state"] for name in ("t1", "t2", "t3", "t4", "t5")}
            assert ports == {"t1": "up", "t2": "up", "t3": "up", "t4": "up", "t5": "down"}, ports
            assert [facts(net, name) for net, name in where] == before, (before, where)
            assert s.port("t1")["ifname"] == "other"
            assert n1.ping("10.9.0.2")
        # What others do to it is still seen, and who leaves it leaves it as ever.
        n1.ip("link", "set", "other", "down")
        s.await_port("t1", "errored")
        s.cli("port", "up", "t1")
        for name in ("t1", "t2", "t3", "t4", "t5"):
            s.cli("port", "del", name)
        for net, name in where:
            assert bool(net.link(name)) == (name == "own"), name
        assert not n1.addresses("own")
        add(s, "again", "tap", "--netns", "n1", "--ifname", "own")
        assert s.port("again")["state"] == "up"


def interface_that_went_with_the_process_is_made_again():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        add(s, "t1", "tap", "--netns", "n1", "--address", "10.9.0.1/24")
        n1.ip("link", "del", "t1")
        s.await_port("t1", "errored")
        crash(s)
        assert s.port("t1")["state"] == "up" and n1.addresses("t1") == ["10.9.0.1/24"]


def nat_keeps_its_network():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        add(s, "net", "nat")
        s.await_port("net", "up")
        host = Net()
        before, address = facts(host, "net"), host.addresses("net")
        crash(s)
        s.await_port("net", "up")
        assert facts(host, "net") == before and host.addresses("net") == address, (before, address)
        assert s.port("net")["address"] == address[0] and not s.port("net")["reason"], s.port("net")
        assert "masquerade" in out("nft", "list", "table", "ip", "lanyard-net")
        s.cli("port", "del", "net")
        assert not host.link("net")


def datagrams_wait_in_the_socket():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        ends = []
        for name in ("a", "b"):
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            end.bind(s.path(name + ".peer"))
            end.settimeout(10)
            add(s, name, "dgram", "--path", s.path(name + ".sock"), "--peer", s.path(name + ".peer"))
            s.await_port(name, "up")
            end.connect(s.path(name + ".sock"))  # to this socket, not to the next one of that name
            ends.append(end)
        frame = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5"
        ends[0].send(frame + b"before")
        assert ends[1].recv(2000)[14:20] == b"before"
        s.await_spare()
        # The one that forwards stands still, and is killed for it.
        pid = s.pid
        os.kill(pid, signal.SIGSTOP)
        while not stands_still(pid):
            pass
        for i in range(5):
            ends[0].send(frame + b"while%d" % i)
        for i in range(5):
            got = ends[1].recv(2000)
            assert got[14:20] == b"while%d" % i, (i, got)
        assert s.port("a")["state"] == s.port("b")["state"] == "up"


private("nft", "dnsmasq", "busybox")
n1, n2, n3 = Net("n1"), Net("n2"), Net("n3")
out("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
run(taps_stay_with_all_that_is_on_them, interface_that_went_with_the_process_is_made_again,
    nat_keeps_its_network, datagrams_wait_in_the_socket)
