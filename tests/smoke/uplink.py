#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks: interfaces of the host through AF_PACKET and AF_XDP, between network namespaces."""
import os
import signal
import socket
import subprocess
import time

from hostnet import Net, cleaned, out, private
from session import Session, await_true, binary, run

SOON = 2  # seconds
DRIVER = {"1": "net_af_packet", "2": "net_af_xdp", "3": "net_af_packet"}


def wire(i, mtu=1500):
    """A veth pair: v<i> here for the switch, p<i> with 10.9.0.<i> in n<i>, which fills its checksums."""
    out("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", f"p{i}", "netns", f"n{i}")
    for argv in (["ip", "link", "set", f"v{i}", "mtu", str(mtu), "up"],
                 nets[i].argv("ip", "link", "set", f"p{i}", "mtu", str(mtu), "up"),
                 nets[i].argv("ip", "address", "add", f"10.9.0.{i}/24", "dev", f"p{i}"),
                 nets[i].argv("ethtool", "-K", f"p{i}", "tx", "off")):
        out(*argv)


def unwire():
    for i in nets:
        out("ip", "link", "del", f"v{i}", check=False)


def device(i, driver=None):
    return f"{driver or DRIVER[i]}{i},iface=v{i}"


def add(s, name, dev, *words, check=True):
    return s.cli("port", "add", name, "--bridge", "br0", "--type", "uplink", "--device", dev, *words,
                 check=check)


def uplinks(s, numbers="12", mtu=1500, driver=None, words=()):
    s.cli("bridge", "add", "br0")
    for i in numbers:
        wire(i, mtu)
        add(s, "u" + i, device(i, driver), *words)
        assert s.port("u" + i)["state"] == "up", s.port("u" + i)


def await_state(s, name, state, text=""):
    await_true(f"{name} is {state}", lambda: s.port(name)["state"] == state and
               text in s.port(name)["reason"], SOON)


def await_ping(net, address):
    await_true(f"{net.name} reaches {address}", lambda: net.ping(address), 5)


def fds(s):
    where = f"/proc/{s.pid}/fd"
    return sorted(os.readlink(f"{where}/{fd}").split(":")[0] for fd in os.listdir(where))


def same_fds(s, before):
    """The connection of the last command may not be closed yet."""
    await_true(f"open as before: {before}", lambda: fds(s) == before, SOON)


def namespaces_talk():
    with Session() as s:
        uplinks(s)
        await_ping(nets["1"], "10.9.0.2")
        rates = [nets["1"].iperf(nets["2"], "10.9.0.2"),
                 nets["1"].iperf(nets["2"], "10.9.0.2", "-R")]
        print("TCP, Gb/s, AF_PACKET to AF_XDP and back:", *(round(r / 1e9, 2) for r in rates))
        assert min(rates) > 5e7
        at_rest(s)
        sent, got = s.port("u1")["counters"], s.port("u2")["counters"]
        assert sent["rx_forwarded"] == got["tx_frames"] + sum(got["tx_drops"].values()), (sent, got)


def at_rest(s):
    seen = []

    def still():
        seen.append([s.port(n)["counters"] for n in ("u1", "u2")])
        return len(seen) > 2 and seen[-1] == seen[-2]

    await_true("nothing moves any more", still, 5)


def frames_of_a_segmenting_host_are_cut():
    with Session() as s:
        uplinks(s, "2")
        s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap", "--netns", "n1", "--address",
              "10.9.0.1/24")
        await_ping(nets["1"], "10.9.0.2")
        rate = nets["1"].iperf(nets["2"], "10.9.0.2")
        c = s.port("t1")["counters"]
        print("TCP, Gb/s, tap with TSO to AF_XDP:", round(rate / 1e9, 2))
        assert rate > 5e7 and c["rx_bytes"] / c["rx_frames"] > 3000, c
        s.cli("port", "del", "t1")


def unfilled_checksums_are_counted_and_explained():
    with Session() as s:
        uplinks(s)
        await_ping(nets["1"], "10.9.0.2")
        for i in "12":
            port, n = "u" + i, nets[i]
            n.run("ethtool", "-K", "p" + i, "tx", "on")
            n.run("timeout", "1", "busybox", "nc", f"10.9.0.{3 - int(i)}", "99", check=False)
            await_true(f"{port} counts them",
                       lambda: s.port(port)["counters"]["rx_drops"].get("rx_bad_csum"), 3)
            text = s.cli("drops", port).stdout
            assert "rx_bad_csum" in text and "ethtool -K PEER tx off" in text, text
            n.run("ethtool", "-K", "p" + i, "tx", "off")


def no_frame_is_lost_without_being_counted():
    with Session("--no-keeper") as s:
        uplinks(s)
        s.daemon.send_signal(signal.SIGSTOP)
        for i in "12":
            nets[i].run("python3", "-c", "import socket\n"
                        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                        f"s.bind(('p{i}', 0))\n"
                        "for n in range(6000): s.send(bytes.fromhex("
                        f"'02000000000{3 - int(i)}02000000000{i}88b5') + bytes(46))")
        s.daemon.send_signal(signal.SIGCONT)
        for i in "12":
            await_true(f"u{i} has counted all: {s.port('u' + i)['counters']}",
                       lambda: s.port("u" + i)["counters"]["rx_frames"] == 6000, SOON)
            assert s.port("u" + i)["counters"]["rx_drops"]["rx_missed"] > 1000, s.port("u" + i)


def tagged(net, interface, vid):
    """Sends a frame with that tag, priority 3."""
    net.run("python3", "-c", "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW);"
            f"s.bind(('{interface}', 0)); s.send(bytes.fromhex("
            f"'ffffffffffff0200000000aa8100{0x6000 | vid:04x}88b5') + bytes(46))")


def tags_pass_as_they_are():
    with Session() as s:
        uplinks(s)
        for a, b in (("1", "2"), ("2", "1")):
            dump = s.spawn(*nets[b].argv("tcpdump", "-c1", "-nne", "-i", "p" + b, "vlan", "10"),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert "listening" in dump.stderr.readline() + dump.stderr.readline()
            tagged(nets[a], "p" + a, 10)
            text = dump.communicate(timeout=10)[0]
            assert "vlan 10, p 3" in text and "02:00:00:00:00:aa" in text, text


def interface_that_goes_takes_only_its_port():
    with Session() as s:
        uplinks(s, "123")
        await_ping(nets["2"], "10.9.0.3")
        for gone, a, b in (("1", "2", "3"), ("2", "1", "3")):
            out("ip", "link", "del", "v" + gone)
            await_state(s, "u" + gone, "errored", f'interface "v{gone}" is gone')
            assert s.port("u" + a)["state"] == "up" and s.port("u" + b)["state"] == "up"
            assert nets[a].ping("10.9.0." + b)
            done = s.cli("port", "up", "u" + gone, check=False)
            assert f'no interface "v{gone}"' in done.stderr, done
            wire(gone)
            await_state(s, "u" + gone, "up")
            await_ping(nets[gone], "10.9.0.3")


def link_is_followed():
    with Session() as s:
        uplinks(s)
        await_ping(nets["1"], "10.9.0.2")
        for i in "12":
            out("ip", "link", "set", "v" + i, "down")
            await_state(s, "u" + i, "errored", f'interface "v{i}" is down; `ip link set v{i} up`')
            out("ip", "link", "set", "v" + i, "up")
            await_state(s, "u" + i, "up")
            nets[i].ip("link", "set", "p" + i, "down")
            await_state(s, "u" + i, "errored", "no carrier")
            nets[i].ip("link", "set", "p" + i, "up")
            await_state(s, "u" + i, "up")
            await_ping(nets["1"], "10.9.0.2")
            s.cli("port", "down", "u" + i)
            assert s.port("u" + i)["state"] == "down" and not nets["1"].ping("10.9.0.2")
            s.cli("port", "up", "u" + i)
            assert s.port("u" + i)["state"] == "up", s.port("u" + i)
            await_ping(nets["1"], "10.9.0.2")


def long_frames_pass_where_the_interface_takes_them():
    with Session() as s:
        uplinks(s, "13", mtu=9000)
        assert s.port("u1")["mtu"] == 9000
        await_ping(nets["1"], "10.9.0.3")
        assert nets["1"].ping("10.9.0.3", 8900)
        out("ip", "link", "set", "v3", "mtu", "2000")
        await_true("the new MTU is seen", lambda: s.port("u3")["mtu"] == 2000, SOON)
        # What a start would not make is not saved: by the same rule as with port add.
        done = s.cli("port", "set", "u3", "mtu=9000", check=False)
        assert done.returncode == 2 and 'interface "v3" has an mtu of 2000, less than 9000' in done.stderr, done
        assert "mtu" not in s.cli("show", "config").stdout
        s.cli("port", "set", "u3", "mtu=2000")
        s.cli("port", "set", "u3", "mtu=none")
        assert not nets["1"].ping("10.9.0.3", 8900)
        assert s.port("u3")["counters"]["tx_drops"]["too_long"], s.port("u3")
        wire("2", 9000)
        done = add(s, "u2", device("2"), check=False)
        assert "takes an mtu of" in done.stderr, done
        out("ip", "link", "set", "v2", "mtu", "1500")
        done = add(s, "u2", device("2"), "--mtu", "3000", check=False)
        assert 'interface "v2" has an mtu of 1500, less than 3000' in done.stderr, done


def several_queues_share_the_work():
    with Session("--workers", "0,1") as s:
        uplinks(s, "13", words=("--queues", "2"))
        assert s.port("u1")["queues"] == 2
        await_ping(nets["1"], "10.9.0.3")
        assert nets["1"].iperf(nets["3"], "10.9.0.3", "-P", "4") > 5e7


def what_cannot_be_is_refused_and_leaves_nothing():
    with Session() as s:
        uplinks(s, "1")
        wire("2")
        before = fds(s)
        for dev, text in (
                ("nothing", '"nothing" is no device that an uplink takes'),
                ("net_foo,x=1", "is no device that an uplink takes"),
                (f"net_failsafe0,exec(touch {s.path('made')})", "is no device that an uplink takes"),
                (f"net_pcap0,tx_pcap={s.path('made')}", "is no device that an uplink takes"),
                ("net_af_packet5,iface=v2,qpairs=2", "--queues"),
                ("net_af_packet5", "needs an interface"),
                ("net_af_packet5,iface=nope", 'no interface "nope"'),
                ("net_af_packet5,iface=much-too-long-a-name", "iface is a name of an interface"),
                ("net_af_packet5,iface=v2,foo=1", '"foo" is no argument'),
                ("net_af_packet5,iface=v2,framecnt=9", "could not set PACKET_RX_RING"),
                ("net_af_packet5,iface=v1", 'another port has interface "v1"'),
                (device("1"), "another port has device net_af_packet1"),
                ("ffff:ff:1f.6", "there is no PCI device ffff:ff:1f.6"),
                ("crypto_null0", "is no device that an uplink takes"),
                ("net_af_xdp5,iface=v2,start_queue=99", "device net_af_xdp5")):
            done = add(s, "x", dev, check=False)
            assert done.returncode in (1, 2) and text in done.stderr, (dev, done)
            assert [p["name"] for p in s.json("port", "show")] == ["u1"], dev
            same_fds(s, before)
        assert not os.path.exists(s.path("made"))
        done = s.cli("port", "add", "x", "--bridge", "br0", "--type", "uplink", check=False)
        assert "needs a device" in done.stderr, done


def nothing_is_left_after_port_del():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        for i in "12":
            wire(i)
        before, links = fds(s), [Net().link(f"v{i}")["flags"] for i in "12"]
        for _ in range(4):
            for i in "12":
                add(s, "u" + i, device(i))
            for i in "12":
                s.cli("port", "del", "u" + i)
        same_fds(s, before)
        assert [Net().link(f"v{i}")["flags"] for i in "12"] == links
        assert "xdp" not in Net().link("v2"), Net().link("v2")


def killed_switch_starts_again_with_its_uplinks():
    with Session() as s:
        uplinks(s)
        s.kill()
        s.start()
        for i in "12":
            assert s.port("u" + i)["state"] == "up", (s.json("port", "show"), s.log_text())
        await_ping(nets["1"], "10.9.0.2")
        assert s.json("show", "config")["ports"]["u2"]["device"] == device("2")


def without_the_right_a_sentence_says_which():
    s = Session(daemon=False)
    wire("1")
    argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            binary("lanyard-switch"), "--run-dir", s.run_dir, "--state-dir", s.state_dir]
    os.chmod(s.dir, 0o777)
    s.spawn(*argv, stderr=subprocess.DEVNULL)
    try:
        await_true("it answers", lambda: s.cli("status", check=False).returncode == 0)
        s.cli("bridge", "add", "br0")
        done = add(s, "u1", device("1"), check=False)
        assert "CAP_NET_RAW" in done.stderr, done
        assert s.json("port", "show") == []
    finally:
        s.close()


def slow_interface_holds_nobody_up():
    """A shaper keeps what it is sent, so that the ring of AF_PACKET stays full."""
    with Session() as s:
        s.cli("bridge", "add", "br0")
        wire("1")
        out("tc", "qdisc", "add", "dev", "v1", "root", "tbf", "rate", "8kbit", "burst", "1600",
            "limit", "10000000")
        add(s, "u1", device("1") + ",qdisc_bypass=0")
        s.cli("port", "add", "t1", "--bridge", "br0", "--type", "tap")
        await_state(s, "t1", "up")
        blast("t1", 3000)
        s.cli("port", "del", "t1", timeout=5)  # control waits for the worker here
        c = s.port("u1")["counters"]
        assert c["tx_drops"]["rx_ring_full"] > 100, c


def port_added_down_leaves_its_device_alone():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        assert add(s, "u1", device("1"), "--down").returncode == 0
        assert s.port("u1")["state"] == "down"
        done = s.cli("port", "up", "u1", check=False)
        assert 'no interface "v1"' in done.stderr, done
        s.cli("port", "down", "u1")
        wire("1")
        s.cli("port", "up", "u1")
        await_state(s, "u1", "up")
        out("ip", "link", "set", "v1", "down")
        await_state(s, "u1", "errored", "is down")


def failing_device_is_tried_less_and_less():
    with Session() as a, Session("--log", "debug", "--no-keeper") as b:
        uplinks(b, "2")
        b.daemon.send_signal(signal.SIGSTOP)
        out("ip", "link", "del", "v2")
        try:
            uplinks(a, "2")
        finally:
            b.daemon.send_signal(signal.SIGCONT)
        await_state(b, "u2", "errored", "device net_af_xdp2")
        before = b.log_text().count("opening took")
        time.sleep(4)
        n = b.log_text().count("opening took") - before
        assert 2 <= n <= 6, n
        a.cli("port", "del", "u2")
        await_true("it gets it", lambda: b.port("u2")["state"] == "up", 10)


def blast(interface, n):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    for _ in range(n):
        raw.send(bytes.fromhex("ffffffffffff02000000000188b5") + bytes(1400))
    raw.close()


private("iperf3", "busybox", "ethtool", "tcpdump", "setpriv", "tc")
out("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
nets = {i: Net("n" + i) for i in "123"}
for net in nets.values():
    net.run("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
run(*cleaned(unwire, (
    namespaces_talk, frames_of_a_segmenting_host_are_cut,
    unfilled_checksums_are_counted_and_explained, no_frame_is_lost_without_being_counted,
    tags_pass_as_they_are,
    interface_that_goes_takes_only_its_port, link_is_followed,
    long_frames_pass_where_the_interface_takes_them, several_queues_share_the_work,
    slow_interface_holds_nobody_up, port_added_down_leaves_its_device_alone,
    failing_device_is_tried_less_and_less,
    what_cannot_be_is_refused_and_leaves_nothing, nothing_is_left_after_port_del,
    killed_switch_starts_again_with_its_uplinks, without_the_right_a_sentence_says_which)))
