#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A nat port: a guest (a tap in a namespace) gets an address and a way out, and all of it goes again."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from hostnet import Net, out, private
from session import Session, await_true, n_fds, run

DHCP = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "$ip $router $dns"
"""
WHO = "import socket,sys; s=socket.create_server(('', 7000)); print('on', flush=True); " \
      "print(s.accept()[1][0], flush=True)"


def port(s, name, kind, *words, check=True):
    return s.cli("port", "add", name, "--bridge", "br0", "--type", kind, *words, check=check)


def lab(s, *words):
    s.cli("bridge", "add", "br0")
    port(s, "net", "nat", *words)
    port(s, "g1", "tap", "--netns", "guest")


class Mounted:
    """One file in the place of another, for a while."""

    def __init__(self, what, where):
        self.what, self.where = what, where

    def __enter__(self):
        out("mount", "--bind", self.what, self.where)

    def __exit__(self, kind, value, trace):
        out("umount", self.where)


def dnsmasqs(s):
    """Processes of this switch."""
    text = out("ps", "-o", "pid=,comm=", "--ppid", str(s.dhcp_pid or s.pid), check=False)
    return [int(line.split()[0]) for line in text.splitlines() if "dnsmasq" in line]


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def forwarding():
    with open("/proc/sys/net/ipv4/ip_forward") as f:
        return f.read().strip()


def tables():
    return out("nft", "list", "tables").split()[2::3]


def dhcp(s, net):
    """Address, router and name server that a guest is given."""
    script = s.path("udhcpc.sh")
    with open(script, "w") as f:
        f.write(DHCP)
    os.chmod(script, 0o755)
    text = net.run("busybox", "udhcpc", "-i", "g1", "-s", script, "-q", "-n", "-f", "-t", "20", "-T",
                   "1")
    return text.strip().splitlines()[-1].split()


def guest_gets_an_address_and_a_way_out():
    with Session() as s:
        assert forwarding() == "0"
        lab(s)
        info = s.port("net")
        assert (info["state"], info["address"], info["ifname"]) == ("up", "10.77.0.1/24", "net"), info
        assert info["reason"] == "", info
        address, router, dns = dhcp(s, guest)
        assert router == dns == "10.77.0.1" and address.startswith("10.77.0."), address
        assert guest.ping("10.50.0.2")
        with subprocess.Popen(outside.argv(sys.executable, "-c", WHO), stdout=subprocess.PIPE,
                              text=True) as who:
            try:
                who.stdout.readline()
                guest.run("busybox", "nc", "-w", "1", "10.50.0.2", "7000", check=False)
                assert who.stdout.readline().strip() == "10.50.0.1"
            finally:
                who.kill()
        outside.ip("route", "add", "10.77.0.0/24", "via", "10.50.0.1")
        assert not outside.ping(address), "nobody outside reaches a guest"
        outside.ip("route", "del", "10.77.0.0/24")
        assert Net().ping(address), "but this host does"
        assert answers_dns()
        pids = dnsmasqs(s)
        assert len(pids) == 1
        with open(f"/proc/{pids[0]}/status") as f:
            status = dict(line.split(":\t") for line in f if ":\t" in line)
        assert not status["Uid"].startswith("0\t"), "dnsmasq is root"
        before = n_fds(s)
        s.cli("port", "del", "net")
        assert not alive(pids[0]) and tables() == [] and forwarding() == "0"
        assert not Net().link("net")
        port(s, "net", "nat")
        assert n_fds(s) == before


def only_the_networks_own_addresses_get_out():
    with Session() as s:
        lab(s)
        dhcp(s, guest)
        guest.ip("address", "add", "172.31.0.5/32", "dev", "g1")
        with open(s.path("seen"), "w") as f:
            child = s.spawn(*outside.argv("tcpdump", "-n", "-l", "-i", "eth0", "icmp"), stdout=f,
                            stderr=subprocess.PIPE, text=True)
            await_true("tcpdump listens", lambda: "listening" in child.stderr.readline())
            guest.run("busybox", "ping", "-c", "2", "-W", "1", "-I", "172.31.0.5", "10.50.0.2",
                      check=False)
            assert guest.ping("10.50.0.2")

        def seen():
            with open(s.path("seen")) as f:
                return f.read()
        await_true("the good ones are seen", lambda: "10.50.0.1 > 10.50.0.2" in seen(), 5)
        assert "172.31.0.5" not in seen(), seen()


def answers_dns():
    """Whether a name server is there: any answer to a question for the root's servers."""
    ask = "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); " \
          "s.sendto(bytes.fromhex('12340100000100000000000000000200' '01'), ('10.77.0.1', 53)); " \
          "print(s.recv(512)[:2].hex())"
    return "1234" in guest.run(sys.executable, "-c", ask, check=False)


def dnsmasq_that_ends_is_started_again():
    with Session() as s:
        lab(s)
        first = await_true("dnsmasq runs", lambda: dnsmasqs(s))
        os.kill(first[0], signal.SIGKILL)
        await_true("another one runs", lambda: dnsmasqs(s) and dnsmasqs(s) != first, 5)
        await_true("nothing is said any more", lambda: s.port("net")["reason"] == "", 5)
        assert dhcp(s, guest)[1] == "10.77.0.1"


def why_dnsmasq_does_not_run_is_said():
    with Session() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 67))
        lab(s)
        await_true("the reason", lambda: "dnsmasq does not run" in s.port("net")["reason"] and
                   "in use" in s.port("net")["reason"], 5)
        assert s.port("net")["state"] == "up"
        taken.close()
        await_true("all is well", lambda: s.port("net")["reason"] == "", 8)


def default_network_is_one_that_is_free():
    Net().ip("address", "add", "10.77.0.200/25", "dev", "wan")
    Net().ip("route", "add", "10.77.1.128/25", "via", "10.50.0.2")
    try:
        with Session() as s:
            lab(s)
            assert s.port("net")["address"] == "10.77.2.1/24"
            port(s, "more", "nat")
            assert s.port("more")["address"] == "10.77.3.1/24"
            assert sorted(tables()) == ["lanyard-more", "lanyard-net"]
            s.cli("port", "del", "more")
            assert forwarding() == "1" and tables() == ["lanyard-net"]
    finally:
        Net().ip("address", "del", "10.77.0.200/25", "dev", "wan")
        Net().ip("route", "del", "10.77.1.128/25")


def killed_switch_leaves_no_dnsmasq_and_replaces_its_table():
    with Session() as s:
        lab(s, "--address", "10.88.0.1/24")
        pid = await_true("dnsmasq runs", lambda: dnsmasqs(s))[0]
        s.kill()
        await_true("dnsmasq ends", lambda: not alive(pid), 5)
        assert tables() == ["lanyard-net"] and not Net().link("net")
        s.start()
        assert s.port("net")["address"] == "10.88.0.1/24" and tables() == ["lanyard-net"]
        assert out("nft", "list", "table", "ip", "lanyard-net").count("masquerade") == 1
        dhcp(s, guest)
        assert guest.ping("10.50.0.2")
    assert tables() == [] and forwarding() == "0", "the second one knows what the first has changed"


def what_a_killed_switch_leaves_is_undone_where_no_port_needs_it():
    with Session() as s:
        lab(s)
        port(s, "more", "nat")
        s.kill()
        assert sorted(tables()) == ["lanyard-more", "lanyard-net"] and forwarding() == "1"
        out("nft", "add", "table", "ip", "lanyard-other")
        shutil.rmtree(s.state_dir)
        s.start()
        try:
            assert tables() == ["lanyard-other"], "and nobody else's"
            assert forwarding() == "0" and os.path.getsize(f"{s.run_dir}/host") == 0
        finally:
            out("nft", "delete", "table", "ip", "lanyard-other")
        # Where a port is made again and fails, too.
        lab(s)
        s.kill()
        with Mounted("/dev/null", "/usr/sbin/dnsmasq"):
            s.start()
        assert tables() == [] and forwarding() == "0"
        # What is noted of another boot or namespace is none of this host's.
        s.kill()
        out("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        with open(f"{s.run_dir}/host", "w") as f:
            f.write("host 00000000-0000-0000-0000-000000000000 1\nforward\n")
        with Mounted("/dev/null", "/usr/sbin/dnsmasq"):
            s.start()
        assert forwarding() == "1"
        out("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")


def sysctl_forwarding(value):
    out("sysctl", "-q", "-w", f"net.ipv4.ip_forward={value}")


def forwarding_stays_on_for_another_switch():
    for first_goes in (True, False):
        with Session() as b:
            with Session() as a:
                first, second = (a, b) if first_goes else (b, a)
                for s, name in ((first, "net"), (second, "more")):
                    s.cli("bridge", "add", "br0")
                    port(s, name, "nat")
            # a has ended, and b has a nat port.
            assert forwarding() == "1" and tables() == ["lanyard-more" if first_goes else "lanyard-net"]
            out("nft", "flush", "ruleset")
            sysctl_forwarding(0)  # as by another one that saw no table of b's
            await_true("it is on again", lambda: forwarding() == "1", 5)
            await_true("the table, too", tables, 5)
        assert forwarding() == "0" and tables() == []
    # One that was killed does not keep it on when it has come back, nor takes it from the other.
    with Session() as a, Session() as b:
        for s, name in ((a, "net"), (b, "more")):
            s.cli("bridge", "add", "br0")
            port(s, name, "nat")
        a.kill()
        b.cli("port", "del", "more")
        assert forwarding() == "1" and tables() == ["lanyard-net"]
        port(b, "more", "nat")
        shutil.rmtree(a.state_dir)
        a.start()
        assert forwarding() == "1" and tables() == ["lanyard-more"]
        b.cli("port", "del", "more")
        assert forwarding() == "0"
    # Where it was on before, it stays on.
    sysctl_forwarding(1)
    with Session() as a, Session() as b:
        for s, name in ((a, "net"), (b, "more")):
            s.cli("bridge", "add", "br0")
            port(s, name, "nat")
    assert forwarding() == "1" and tables() == []
    sysctl_forwarding(0)


def table_that_somebody_takes_away_is_put_back():
    with Session() as s:
        lab(s)
        dhcp(s, guest)
        assert guest.ping("10.50.0.2")
        whole = out("nft", "list", "table", "ip", "lanyard-net")
        out("nft", "flush", "ruleset")
        await_true("the table is back", lambda: tables() == ["lanyard-net"], 5)
        await_true("the log says so", lambda: "put back" in s.log_text(), 5)
        assert guest.ping("10.50.0.2") and out("nft", "list", "table", "ip", "lanyard-net") == whole
        out("nft", "flush", "chain", "ip", "lanyard-net", "forward")
        await_true("its rules are back",
                   lambda: out("nft", "list", "table", "ip", "lanyard-net") == whole, 5)
        # What others add to it stays.
        out("nft", "insert", "rule", "ip", "lanyard-net", "forward", "counter")
        time.sleep(0.3)
        assert "counter" in out("nft", "list", "table", "ip", "lanyard-net")


def renamed_interface_keeps_its_rules_and_its_dnsmasq():
    with Session() as s:
        lab(s)
        dhcp(s, guest)
        Net().ip("link", "set", "net", "down")
        Net().ip("link", "set", "net", "name", "way")
        Net().ip("link", "set", "way", "up")
        await_true("its table", lambda: tables() == ["lanyard-way"], 5)
        s.await_port("net", "up", 5)
        assert '"net"' not in out("nft", "list", "ruleset")
        assert guest.ping("10.50.0.2") and dhcp(s, guest)[1] == "10.77.0.1"
        # Deleted, it is made again under the name of its settings.
        Net().ip("link", "del", "way")
        s.await_port("net", "errored", 5)
        s.cli("port", "up", "net")
        assert s.port("net")["ifname"] == "net" and tables() == ["lanyard-net"]
        assert dhcp(s, guest)[1] == "10.77.0.1" and guest.ping("10.50.0.2")
    assert tables() == [] and forwarding() == "0"


def interface_that_is_moved_away_is_said_to_be():
    with Session() as s:
        lab(s)
        Net().ip("link", "set", "net", "netns", "outside")
        await_true("the port is down there", lambda: "set down" in s.port("net")["reason"], 5)
        outside.ip("link", "set", "net", "up")
        await_true("it says what is missing", lambda: s.port("net")["state"] == "up" and s.port("net")["reason"] ==
                   'no masquerading and no DHCP: interface "net" is in another network namespace', 5)
        # It comes back, and after it was deleted elsewhere.
        outside.ip("link", "set", "net", "netns", str(os.getpid()))
        Net().ip("address", "add", "10.77.0.1/24", "dev", "net")
        Net().ip("link", "set", "net", "up")
        await_true("all is well", lambda: s.port("net")["state"] == "up" and s.port("net")["reason"] == "", 5)
        await_true("DHCP is there", lambda: dhcp(s, guest)[1] == "10.77.0.1", 5)
        assert guest.ping("10.50.0.2")
        Net().ip("link", "set", "net", "netns", "outside")
        await_true("the port is down there", lambda: "set down" in s.port("net")["reason"], 5)
        outside.ip("link", "del", "net")
        await_true("it has gone", lambda: "deleted" in s.port("net")["reason"], 5)
        s.cli("port", "up", "net")
        assert s.port("net")["reason"] == "" and tables() == ["lanyard-net"]
        assert dhcp(s, guest)[1] == "10.77.0.1" and guest.ping("10.50.0.2")


def chain_of_the_host_that_drops_is_named():
    out("nft", "add", "table", "inet", "wall")
    out("nft", "add", "chain", "inet", "wall", "through",
        "{ type filter hook forward priority 0; policy drop; }")
    try:
        with Session() as s:
            lab(s)
            assert 'chain "inet wall through" of this host drops' in s.port("net")["reason"]
    finally:
        out("nft", "delete", "table", "inet", "wall")


def what_cannot_be_is_refused_and_leaves_nothing():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        for words, text in ((["--address", "10.0.0.0/24"], "is not an IPv4 address with a prefix"),
                            (["--address", "10.0.0.1/31"], "is not an IPv4 address with a prefix"),
                            (["--address", "fd00::1/64"], "is not an IPv4 address with a prefix"),
                            (["--address", "10.50.0.1/24"], 'interface "wan" has address'),
                            (["--ifname", 'x";drop'], "is no interface name for a nat port"),
                            (["--netns", "guest"], "has no netns")):
            done = port(s, "net", "nat", *words, check=False)
            assert done.returncode in (1, 2) and text in done.stderr, (words, done)
        with Mounted("/dev/null", "/usr/sbin/dnsmasq"):
            done = port(s, "net", "nat", check=False)
            assert "needs dnsmasq, which is not installed" in done.stderr, done
        assert s.json("port", "show") == [] and not Net().link("net")
        assert tables() == [] and forwarding() == "0"


private("busybox", "nft", "dnsmasq", "ps", "tcpdump")
guest, outside = Net("guest"), Net("outside")
Net().ip("link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", "outside")
Net().ip("address", "add", "10.50.0.1/24", "dev", "wan")
Net().ip("link", "set", "wan", "up")
outside.ip("address", "add", "10.50.0.2/24", "dev", "eth0")
outside.ip("link", "set", "eth0", "up")
out("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
run(guest_gets_an_address_and_a_way_out, only_the_networks_own_addresses_get_out,
    dnsmasq_that_ends_is_started_again,
    why_dnsmasq_does_not_run_is_said, default_network_is_one_that_is_free,
    killed_switch_leaves_no_dnsmasq_and_replaces_its_table,
    what_a_killed_switch_leaves_is_undone_where_no_port_needs_it,
    forwarding_stays_on_for_another_switch, table_that_somebody_takes_away_is_put_back, renamed_interface_keeps_its_rules_and_its_dnsmasq,
    interface_that_is_moved_away_is_said_to_be, chain_of_the_host_that_drops_is_named,
    what_cannot_be_is_refused_and_leaves_nothing)
