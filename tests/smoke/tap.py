#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Taps between network namespaces: traffic, what their interfaces go through, what is left behind."""
import json
import os
import select
import socket
import subprocess

from hostnet import Net, out, private
from session import Session, await_true, binary, n_fds, run

SOON = 2  # seconds: what the kernel tells is seen at once; the machine may be busy


def tap(s, name, *words, check=True):
    return s.cli("port", "add", name, "--bridge", "br0", "--type", "tap", *words, check=check)


def pair(s, *words):
    """Ports t1 and t2 in namespaces n1 and n2, 10.9.0.1 and 10.9.0.2."""
    s.cli("bridge", "add", "br0")
    for i in ("1", "2"):
        tap(s, "t" + i, "--netns", "n" + i, "--address", f"10.9.0.{i}/24", *words)
        assert s.port("t" + i)["state"] == "up", s.port("t" + i)


def await_state(s, name, state, text=""):
    await_true(f"{name} is {state}", lambda: s.port(name)["state"] == state and
               text in s.port(name)["reason"], SOON)


def frame_size(s, name):
    c = s.port(name)["counters"]
    return c["rx_bytes"] / c["rx_frames"]


def namespaces_talk_and_segmentation_passes():
    with Session() as s:
        pair(s)
        assert n1.ping("10.9.0.2", count=2)
        rates = [n1.iperf(n2, "10.9.0.2"), n1.iperf(n2, "10.9.0.2", "-R")]
        print("TCP, Gb/s:", *(round(r / 1e9, 1) for r in rates))
        assert min(rates) > 1e8
        # Far longer than any packet: nobody cut them on the way.
        assert frame_size(s, "t1") > 5000 and frame_size(s, "t2") > 5000
        port = s.port("t1")
        assert (port["ifname"], port["netns"], port["address"], port["mtu"]) == \
            ("t1", "n1", "10.9.0.1/24", 1500), port


def several_queues_share_the_work():
    with Session("--workers", "0,1") as s:
        pair(s, "--queues", "2")
        assert s.port("t1")["queues"] == 2
        assert n1.link("t1")["linkinfo"]["info_data"]["numqueues"] == 2
        assert n1.iperf(n2, "10.9.0.2", "-P", "4") > 1e8


def interface_set_down_or_deleted_is_named_and_healed():
    with Session() as s:
        pair(s)
        n1.ip("link", "set", "t1", "down")
        await_state(s, "t1", "errored", 'interface "t1" in namespace "n1" was set down')
        n1.ip("link", "set", "t1", "up")
        await_state(s, "t1", "up")
        assert n1.ping("10.9.0.2")
        n1.ip("link", "set", "t1", "down")
        await_state(s, "t1", "errored")
        s.cli("port", "up", "t1")
        assert s.port("t1")["state"] == "up" and n1.link("t1")["operstate"] != "DOWN"
        n1.ip("link", "del", "t1")
        await_state(s, "t1", "errored", "was deleted")
        assert s.port("t2")["state"] == "up"
        s.cli("port", "up", "t1")
        assert n1.addresses("t1") == ["10.9.0.1/24"]
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)
        # Somebody else makes it again.
        n1.ip("link", "del", "t1")
        await_state(s, "t1", "errored", "was deleted")
        n1.ip("tuntap", "add", "t1", "mode", "tap")
        await_state(s, "t1", "up")
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)
        s.cli("port", "del", "t1")
        n1.ip("link", "del", "t1")


def mtu_is_followed_and_counts():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        tap(s, "t1", "--netns", "n1", "--address", "10.9.0.1/24", "--mtu", "9000")
        tap(s, "t2", "--netns", "n2", "--address", "10.9.0.2/24")
        assert n1.link("t1")["mtu"] == 9000 and s.port("t2")["mtu"] == 1500
        assert n1.ping("10.9.0.2") and not n1.ping("10.9.0.2", 8000)
        assert s.port("t2")["counters"]["tx_drops"]["too_long"] > 0
        n2.ip("link", "set", "t2", "mtu", "9000")
        await_true("the new MTU is seen", lambda: s.port("t2")["mtu"] == 9000, SOON)
        assert n1.ping("10.9.0.2", 8000)
        s.cli("port", "set", "t1", "mtu=2000")
        assert n1.link("t1")["mtu"] == 2000
        done = s.cli("port", "set", "t1", "mtu=65535", check=False)
        assert "mtu 65535: an interface of this kind takes 65521 at most" in done.stderr, done
        assert s.port("t1")["mtu"] == 2000


def interface_is_followed_to_another_namespace_and_name():
    with Session() as s:
        pair(s)
        n1.ip("link", "set", "t1", "netns", "n3")
        await_state(s, "t1", "errored", "set down")
        n3.ip("address", "add", "10.9.0.1/24", "dev", "t1")
        n3.ip("link", "set", "t1", "up")
        await_state(s, "t1", "up")
        assert n3.ping("10.9.0.2") and "netns" not in s.port("t1")
        n3.ip("link", "set", "t1", "down")
        n3.ip("link", "set", "t1", "name", "other")
        n3.ip("link", "set", "other", "up")
        await_true("the new name", lambda: s.port("t1")["ifname"] == "other", SOON)
        await_state(s, "t1", "up")
        # Deleted there, it comes back where its settings say.
        n3.ip("link", "del", "other")
        await_state(s, "t1", "errored", 'interface "t1" in namespace "n1" was deleted')
        s.cli("port", "up", "t1")
        assert n1.addresses("t1") == ["10.9.0.1/24"] and not n3.link("t1") and not n3.link("other")
        assert (s.port("t1")["ifname"], s.port("t1")["netns"]) == ("t1", "n1")
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)
        s.cli("port", "del", "t1")
        assert not n1.link("t1")


def port_down_takes_the_carrier():
    with Session() as s:
        pair(s)
        s.cli("port", "down", "t1")
        assert "NO-CARRIER" in n1.link("t1")["flags"] and s.port("t1")["state"] == "down"
        assert not n2.ping("10.9.0.1")
        s.cli("port", "up", "t1")
        assert "LOWER_UP" in n1.link("t1")["flags"]
        await_true("ping", lambda: n2.ping("10.9.0.1"), 5)


def persistent_tap_is_used_and_stays():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        n1.ip("tuntap", "add", "many", "mode", "tap", "multi_queue")
        n1.ip("address", "add", "10.9.0.1/24", "dev", "mine")
        n1.ip("link", "set", "mine", "mtu", "1400")
        tap(s, "t1", "--netns", "n1", "--ifname", "mine", "--address", "10.9.1.1/24")
        tap(s, "t2", "--netns", "n2", "--address", "10.9.0.2/24")
        tap(s, "t3", "--netns", "n1", "--ifname", "many")
        assert s.port("t1")["mtu"] == 1400 and n1.ping("10.9.0.2")
        done = tap(s, "t4", "--netns", "n1", "--ifname", "mine", check=False)
        assert "used by another" in done.stderr, done.stderr
        s.cli("port", "del", "t1")
        s.cli("port", "del", "t3")
        assert n1.addresses("mine") == ["10.9.0.1/24"] and n1.link("mine")["mtu"] == 1400
        done = tap(s, "t5", "--netns", "n1", "--ifname", "mine", "--queues", "2", check=False)
        assert "has one queue, not 2" in done.stderr, done.stderr
        tap(s, "t6", "--netns", "n1", "--ifname", "many", "--queues", "2")
        s.cli("port", "del", "t6")
        n1.ip("link", "del", "mine")
        n1.ip("link", "del", "many")


def just_left_tap_is_used_again_at_once():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        words = ["--netns", "n1", "--ifname", "mine"]
        for i in range(10):
            tap(s, f"t{i}", *words)
            assert s.port(f"t{i}")["state"] == "up"
            s.cli("port", "del", f"t{i}")
        tap(s, "t1", *words)
        # Made anew each time, in one apply.
        for i in range(3):
            port = {"bridge": "br0", "type": "tap", "netns": "n1", "ifname": "mine", "address": f"10.9.{i}.1/24"}
            s.cli("apply", "-", stdin=json.dumps({"bridges": {"br0": {}}, "ports": {"t1": port}}))
            assert s.port("t1")["state"] == "up" and n1.addresses("mine") == [f"10.9.{i}.1/24"]
        s.cli("port", "del", "t1")
        n1.ip("link", "del", "mine")


def ask(s, method, **params):
    """A connection on which this was asked."""
    c = socket.socket(socket.AF_UNIX)
    c.connect(f"{s.run_dir}/switch.sock")
    c.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
    return c


def nobody_waits_for_a_tap_that_another_program_holds():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        tap(s, "t1", "--netns", "n1", "--ifname", "mine")
        tap(s, "t2", "--netns", "n1")
        s.cli("port", "del", "t2")  # so that it may be another one that was just left
        with ask(s, "port.add", name="t3", bridge="br0", type="tap", netns="n1", ifname="mine") as adding:
            for _ in range(3):
                with ask(s, "daemon.status") as other:
                    assert b"result" in other.recv(1 << 16)
            assert not select.select([adding], [], [], 0)[0], "others had to wait for it"
            assert b'interface \\"mine\\" is used by another program' in adding.recv(1 << 16)
        assert [p["name"] for p in s.json("port", "show")] == ["t1"]
        # One that asked and has gone is no trouble, nor one whose switch ends.
        ask(s, "port.add", name="t3", bridge="br0", type="tap", netns="n1", ifname="mine").close()
        s.cli("port", "del", "t1")
        ask(s, "port.add", name="t4", bridge="br0", type="tap", netns="n1", ifname="none")
        n1.ip("link", "del", "mine")


def many_interfaces_are_deleted_together():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        names = [f"t{i}" for i in range(40)]
        config = {"bridges": {"br0": {}}, "ports": {
            name: {"bridge": "br0", "type": "tap", "netns": "n1" if i < 30 else "n2"} for i, name in enumerate(names)}}
        s.cli("apply", "-", stdin=json.dumps(config))
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        tap(s, "found", "--netns", "n1", "--ifname", "mine")
        n1.ip("link", "add", "va", "type", "veth", "peer", "name", "vb")
        with open(s.path("links"), "w") as f:
            seen = s.spawn(*n1.argv("ip", "-o", "-d", "monitor", "link"), stdout=f)
            n1.ip("link", "set", "va", "up")

            def links():
                with open(s.path("links")) as of:
                    return of.read().splitlines()
            await_true("the monitor listens", lambda: n1.ip("link", "set", "va", "up") or
                       n1.ip("link", "set", "va", "down") or links())
            s.cli("stop")
            s.daemon.wait(20)
            deleted = await_true("they go", lambda: (lambda d: len(d) == 30 and d)(
                [line for line in links() if line.startswith("Deleted")]))
        groups = {line.split(" group ")[1].split()[0] for line in deleted}
        assert len(groups) == 1 and "default" not in groups, groups
        # Nobody else's goes with them, nor one that was there before.
        assert n1.link("mine") and n1.link("va") and not n1.link("t0") and not n2.link("t39")
        for name in ("mine", "va"):
            n1.ip("link", "del", name)
        s.start()
        assert n1.link("t0") and n2.link("t39")


def what_cannot_be_is_refused_and_leaves_nothing():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("link", "add", "va", "type", "veth", "peer", "name", "vb")
        n1.ip("address", "add", "10.8.0.1/24", "dev", "va")
        os.mkfifo("/run/netns/pipe")
        os.close(os.open("/run/netns/file", os.O_WRONLY | os.O_CREAT))
        n_before = n_fds(s)
        for words, text in (
                (["--netns", "none"], 'no network namespace "none"'),
                (["--netns", "../n1"], "is no name of a network namespace"),
                (["--netns", "pipe"], '"/run/netns/pipe" is no network namespace'),
                (["--netns", "file"], '"/run/netns/file" is no network namespace'),
                (["--ifname", "va", "--netns", "n1"], "exists and is no tap (veth)"),
                (["--ifname", "a/b"], "is no interface name"),
                (["--ifname", "tap%d"], "is no interface name"),
                (["--address", "10.9.0.300/24"], "is not an IP address with its prefix"),
                (["--address", "10.9.0.1"], "is not an IP address with its prefix"),
                (["--address", "10.8.0.1/16", "--netns", "n1"], 'interface "va" has address'),
                (["--address", "10.9.0.1/33"], "its prefix is 1 to 32 bits"),
                (["--address", "0.0.0.0/0"], "its prefix is 1 to 32 bits"),
                (["--address", "0.0.0.0/8"], "stands for any address"),
                (["--address", "fd00::1/129"], "its prefix is 1 to 128 bits"),
                (["--address", "::/64"], "stands for any address"),
                (["--address", "224.0.0.1/4"], "a multicast group's address"),
                (["--address", "255.255.255.255/32"], "broadcast address"),
                (["--address", "10.9.0.255/24"], "broadcast address"),
                (["--address", "10.9.0.0/24"], "its network's own address"),
                (["--mtu", "65535", "--netns", "n1"], "mtu 65535: an interface of this kind takes 65521 at most"),
                (["--path", "x"], "has no path")):
            done = tap(s, "t1", *words, check=False)
            assert done.returncode in (1, 2) and text in done.stderr, (words, done)
            assert s.json("port", "show") == [] and n_fds(s) == n_before, words
            assert not Net().link("t1") and not n1.link("t1"), words
        n1.ip("link", "del", "va")
        for name in ("pipe", "file"):
            os.unlink("/run/netns/" + name)


def nothing_is_left_after_port_del():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        task = f"/proc/{s.pid}/task"
        n_before, tasks = n_fds(s), len(os.listdir(task))
        for _ in range(5):
            tap(s, "lab-with-a-long-name", "--netns", "n1")
            tap(s, "t2", "--queues", "4")
            ifname = s.port("lab-with-a-long-name")["ifname"]
            assert len(ifname) == 15 and n1.link(ifname), ifname
            for name in ("lab-with-a-long-name", "t2"):
                s.cli("port", "del", name)
        assert n_fds(s) == n_before and len(os.listdir(task)) == tasks
        assert not n1.link(ifname) and not Net().link("t2")


def killed_switch_starts_again_with_its_taps():
    with Session() as s:
        pair(s)
        s.kill()
        assert not n1.link("t1")
        s.start()
        assert s.port("t1")["state"] == "up" and n1.addresses("t1") == ["10.9.0.1/24"]
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)
        text = s.cli("show", "config").stdout
        s.cli("apply", "-", stdin="bridges: {}\nports: {}\n")
        assert not n1.link("t1")
        s.cli("apply", "-", stdin=text)
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)


def made_interface_has_the_same_mac_each_time():
    with Session() as s:
        pair(s)
        mac = n1.link("t1")["address"]
        assert int(mac[:2], 16) & 3 == 2, f"{mac} is not a device's, or not of here"
        assert n2.link("t2")["address"] != mac
        with open(s.path("arp"), "w") as f:
            seen = s.spawn(*n2.argv("tcpdump", "-n", "-l", "-e", "-i", "t2", "arp"), stdout=f,
                           stderr=subprocess.PIPE, text=True)
            await_true("tcpdump listens", lambda: "listening" in seen.stderr.readline())
            n1.ip("link", "del", "t1")
            await_state(s, "t1", "errored")
            s.cli("port", "up", "t1")

        def told():
            with open(s.path("arp")) as f:
                return f"{mac} > ff:ff:ff:ff:ff:ff" in f.read()
        assert n1.link("t1")["address"] == mac
        await_true("the neighbours are told", told, 5)
        s.kill()
        s.start()
        assert n1.link("t1")["address"] == mac
        # Another switch of this host has ports of the same names.
        with Session() as other:
            other.cli("bridge", "add", "br0")
            tap(other, "t1", "--netns", "n3")
            assert n3.link("t1")["address"] != mac
        # One that was there keeps its own.
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        n1.ip("link", "set", "mine", "address", "02:00:00:00:00:77")
        tap(s, "t3", "--netns", "n1", "--ifname", "mine")
        assert n1.link("mine")["address"] == "02:00:00:00:00:77"
        s.cli("port", "del", "t3")
        n1.ip("link", "del", "mine")


def failed_port_up_changes_nothing():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        tap(s, "t1", "--netns", "n1")
        s.cli("port", "down", "t1")
        n1.ip("link", "del", "t1")
        n1.ip("link", "add", "t1", "type", "veth", "peer", "name", "vb")
        done = s.cli("port", "up", "t1", check=False)
        assert 'port "t1": interface "t1" exists and is no tap (veth)' in done.stderr, done
        assert s.port("t1")["state"] == "down"
        n1.ip("link", "del", "t1")
        n1.ip("tuntap", "add", "t1", "mode", "tap")
        # Seen by the switch, and left down.
        await_true("it is used", lambda: "UP" in n1.link("t1")["flags"], 5)
        assert s.port("t1")["state"] == "down" and "NO-CARRIER" in n1.link("t1")["flags"]
        s.cli("port", "up", "t1")
        assert s.port("t1")["state"] == "up" and s.port("t1")["carrier"]
        n1.ip("link", "del", "t1")
        await_state(s, "t1", "errored", "was deleted")
        n1.ip("link", "add", "t1", "type", "veth", "peer", "name", "vb")
        await_state(s, "t1", "errored", "is another one now, no tap")
        n1.ip("link", "set", "t1", "name", "va")
        await_state(s, "t1", "errored", "was deleted")
        n1.ip("link", "del", "va")


def what_was_the_interfaces_own_stays():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        n1.ip("tuntap", "add", "mine", "mode", "tap")
        n1.ip("tuntap", "add", "other", "mode", "tap")
        n1.ip("address", "add", "10.9.0.1/24", "dev", "mine")
        n1.ip("address", "add", "10.9.1.1/24", "dev", "other")
        mine = ["--netns", "n1", "--ifname", "mine"]
        for words in (["--address", "10.9.1.1/24", "--mtu", "9000"],
                      ["--address", "10.9.2.1/24", "--mtu", "65535"]):
            tap(s, "t1", *mine, *words, check=False)
            link = n1.link("mine")
            assert link["mtu"] == 1500 and "UP" not in link["flags"], (words, link)
            assert n1.addresses("mine") == ["10.9.0.1/24"], words
        tap(s, "t1", *mine, "--address", "10.9.0.1/24")
        s.cli("port", "del", "t1")
        assert n1.addresses("mine") == ["10.9.0.1/24"]
        tap(s, "t1", *mine, "--address", "10.9.2.1/24")
        s.cli("port", "del", "t1")
        assert n1.addresses("mine") == ["10.9.0.1/24"]
        n1.ip("link", "del", "mine")
        n1.ip("link", "del", "other")


def events_of(s, name, *words):
    """States and carriers that are told of the port while the command runs."""
    with open(s.path("events"), "w+") as f:
        child = s.spawn(binary("lanyard"), "--json", "events", env=s.env, stdout=f)

        def seen():
            f.seek(0)
            return [json.loads(line) for line in f if line.endswith("\n")]

        def marked():
            s.cli("bridge", "add", "mark")
            s.cli("bridge", "del", "mark")
            return seen()
        await_true("events come", marked)
        s.cli(*words)
        s.cli("bridge", "add", "after")
        await_true("the last one", lambda: any(e["object"] == "after" for e in seen()))
        s.cli("bridge", "del", "after")
        s.end(child)
        return [e.get("new", e.get("on")) for e in seen()
                if e["object"] == name and e["kind"] in ("port.state", "port.carrier")]


def port_made_down_is_never_up():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        told = events_of(s, "t1", "port", "add", "t1", "--bridge", "br0", "--type", "tap",
                         "--netns", "n1", "--address", "10.9.0.1/24", "--down")
        assert told == ["down"], told
        assert "NO-CARRIER" in n1.link("t1")["flags"] and not s.port("t1")["carrier"]
        assert s.port("t1")["counters"]["rx_frames"] == 0
        told = events_of(s, "d1", "port", "add", "d1", "--bridge", "br0", "--type", "dgram",
                         "--path", s.path("a"), "--peer", s.path("b"), "--down")
        assert told == ["down"], told
        s.cli("bridge", "add", "br1")
        told = events_of(s, "l1", "port", "add", "l1", "--bridge", "br0", "--type", "link",
                         "--peer-bridge", "br1", "--down")
        assert told == ["down"], told
        tap(s, "t2", "--netns", "n2", "--address", "10.9.0.2/24")
        s.cli("port", "up", "t1")
        assert "LOWER_UP" in n1.link("t1")["flags"] and s.port("t1")["carrier"]
        await_true("ping", lambda: n1.ping("10.9.0.2"), 5)
        s.cli("port", "up", "d1")
        s.await_port("d1", "connecting")


def without_the_right_a_sentence_says_which():
    s = Session(daemon=False)
    argv = ["setpriv", "--bounding-set", "-net_admin", binary("lanyard-switch"), "--run-dir",
            s.run_dir, "--state-dir", s.state_dir]
    s.spawn(*argv, stderr=subprocess.DEVNULL)
    try:
        await_true("it answers", lambda: s.cli("status", check=False).returncode == 0)
        s.cli("bridge", "add", "br0")
        done = tap(s, "t1", check=False)
        assert "needs CAP_NET_ADMIN" in done.stderr and "ip tuntap add" in done.stderr, done
    finally:
        s.close()


private("iperf3", "busybox", "setpriv", "tcpdump")
n1, n2, n3 = Net("n1"), Net("n2"), Net("n3")
out("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
run(namespaces_talk_and_segmentation_passes, several_queues_share_the_work,
    interface_set_down_or_deleted_is_named_and_healed, mtu_is_followed_and_counts,
    interface_is_followed_to_another_namespace_and_name, port_down_takes_the_carrier,
    persistent_tap_is_used_and_stays, just_left_tap_is_used_again_at_once,
    nobody_waits_for_a_tap_that_another_program_holds, many_interfaces_are_deleted_together,
    what_cannot_be_is_refused_and_leaves_nothing,
    nothing_is_left_after_port_del, killed_switch_starts_again_with_its_taps,
    made_interface_has_the_same_mac_each_time, failed_port_up_changes_nothing,
    what_was_the_interfaces_own_stays, port_made_down_is_never_up,
    without_the_right_a_sentence_says_which)
