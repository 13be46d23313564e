#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks of a switch whose process has given up its rights: another process opens each and takes over, nobody beside
it loses a frame, and no thread has a right afterwards; what may not be opened is refused there, whoever asks."""
import ctypes
import os
import signal
import socket
import struct
import time

from hostnet import Net, cleaned, out, private
from rights import rights_check
from session import Session, await_true, children, is_over, run
from steady import Steady, status

PIDFD_GETFD = 438
CHANNEL = 3  # the descriptor of the process that forwards
ASK, OPEN = 7, 13


def wire(i):
    out("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", f"p{i}", "netns", f"n{i}")
    out("ip", "link", "set", f"v{i}", "up")
    nets[i].ip("link", "set", f"p{i}", "up")
    nets[i].ip("address", "add", f"10.9.0.{i}/24", "dev", f"p{i}")


def unwire():
    for i in nets:
        out("ip", "link", "del", f"v{i}", check=False)


def add(s, i, device=None, check=True):
    return s.cli("port", "add", "u" + i, "--bridge", "br0", "--type", "uplink", "--device",
                 device or f"{DRIVER[i]}{i},iface=v{i}", check=check)


def traces(i):
    """What of us is in the interface: how many want all frames, and whether there is a program."""
    link = Net().link("v" + i)
    return link["promiscuity"], "PROMISC" in link["flags"], "xdp" in link


def nobody_beside_it_loses_a_frame():
    with Session("--workers", "1") as s:
        load = Steady(s)
        for i in "12":
            wire(i)
            assert traces(i) == (0, False, False)
            load.report()
            load.gap_us = load.doubles_now = 0
            add(s, i)
            assert s.port("u" + i)["state"] == "up", s.port("u" + i)
            rights_check(s.pid)
            assert traces(i) == (1, False, i == "2")
            load.await_frames(8000)
            r = load.report()
            load.check(r)
            assert not r["doubles"], r
            print(f"   {DRIVER[i]}: at most {load.gap_us / 1000:.1f} ms between two frames of another port")
        assert status(s)["successions"]["n"] == 2 and status(s)["restarts"] == {"n": 0}, status(s)
        await_true("they reach each other", lambda: nets["1"].ping("10.9.0.2"), 5)
        assert set(s.json("show", "config")["ports"]) >= {"u1", "u2"}
        pid = s.pid
        for i in "12":
            s.cli("port", "down", "u" + i)
            assert traces(i) == (0, False, False), (i, traces(i))
            s.cli("port", "up", "u" + i)
            assert s.port("u" + i)["state"] == "up" and traces(i) == (1, False, i == "2"), s.port("u" + i)
        rights_check(s.pid)
        await_true("they reach each other again", lambda: nets["1"].ping("10.9.0.2"), 5)
        assert s.pid != pid
        pid = s.pid
        for i in "12":
            s.cli("port", "del", "u" + i)
            assert traces(i) == (0, False, False), (i, traces(i))
        assert s.pid == pid
        load.check(load.report())


def interface_that_returns_heals():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        for i in "12":
            wire(i)
            add(s, i)
        await_true("they reach each other", lambda: nets["1"].ping("10.9.0.2"), 5)
        for i in "12":
            out("ip", "link", "del", "v" + i)
            await_true("it is seen", lambda: s.port("u" + i)["state"] == "errored", 5)
            n, pid = status(s)["successions"]["n"], s.pid
            wire(i)
            await_true("it heals", lambda: s.port("u" + i)["state"] == "up", 10)
            assert status(s)["successions"]["n"] == n + 1 and s.pid != pid, status(s)
            rights_check(s.pid)
            # The other one knows its old address yet.
            await_true("they reach each other again", lambda: nets[i].ping(f"10.9.0.{3 - int(i)}"), 5)
        assert status(s)["restarts"] == {"n": 0}, status(s)


def what_cannot_be_opened_changes_nothing():
    with Session() as s:
        s.cli("bridge", "add", "br0")
        wire("1")
        pid = s.pid
        for device, text in (("net_af_packet1,iface=nope", 'port "u1": there is no interface "nope"'),
                             ("net_af_packet1,iface=v1,framecnt=9", "could not set PACKET_RX_RING"),
                             ("net_af_xdp1,iface=v1,xdp_prog=/tmp/x", '"xdp_prog" is no argument'),
                             ("net_memif0,socket=/etc/memif.sock,socket-abstract=no", "would open its socket with root's rights"),
                             (f"net_pcap0,tx_pcap={s.path('made')}", "is no device that an uplink takes")):
            done = add(s, "1", device, check=False)
            assert done.returncode in (1, 2) and text in done.stderr, done
        done = s.cli("apply", with_uplinks(s, "net_af_packet1,iface=nope"), check=False)
        assert done.returncode == 1 and 'no interface "nope"' in done.stderr, done
        assert s.json("port", "show") == [] and s.json("show", "config")["ports"] == {}
        assert [b["name"] for b in s.json("bridge", "show")] == ["br0"]
        assert s.pid == pid and status(s)["successions"] == {"n": 0}, status(s)
        assert traces("1") == (0, False, False) and not os.path.exists(s.path("made"))
        assert not os.path.exists("/etc/memif.sock")


def with_uplinks(s, *devices):
    """A configuration with these; its file."""
    ports = "".join(f"\n  u{d.partition(',')[0][-1]}: {{bridge: br1, type: uplink, device: '{d}'}}" for d in devices)
    return s.write("c.yaml", f"bridges: {{br0: {{}}, br1: {{}}}}\nports:{ports or ' {}'}\n")


def packet_killed(s):
    pid = s.pid
    os.kill(pid, signal.SIGKILL)
    await_true("another one forwards", lambda: s.cli("status", check=False).returncode == 0 and s.pid != pid, 10)


def are_up(s, *numbers):
    return [p["name"] for p in s.json("port", "show") if p["state"] == "up"] == ["u" + i for i in numbers]


def way_back_outlives_successions_and_deaths():
    devices = [f"{DRIVER[i]}{i},iface=v{i}" for i in "12"]
    with Session() as s:
        s.cli("bridge", "add", "br0")
        for i in "12":
            wire(i)
        # Made, and gone back from by whoever forwards then.
        pid = s.pid
        s.cli("apply", with_uplinks(s, *devices), "--confirm", "60s")
        await_true("they are up", lambda: are_up(s, "1", "2"), 5)
        assert s.pid != pid and status(s)["confirm_s"] > 40 and status(s)["restarts"] == {"n": 0}, status(s)
        done = s.cli("bridge", "add", "br2", check=False)
        assert "waits to be confirmed" in done.stderr, done
        s.await_spare()
        packet_killed(s)
        await_true("they are up again", lambda: are_up(s, "1", "2"), 10)
        s.cli("rollback")
        assert s.json("port", "show") == [] and [b["name"] for b in s.json("bridge", "show")] == ["br0"]
        assert [traces(i) for i in "12"] == [(0, False, False)] * 2 and status(s)["confirm_s"] is None
        # Made, and confirmed by a switch that was started anew.
        s.cli("apply", with_uplinks(s, *devices), "--confirm", "60s")
        s.kill()
        s.start()
        await_true("they are up", lambda: are_up(s, "1", "2"), 10)
        assert status(s)["confirm_s"] > 30, status(s)
        s.cli("confirm")
        assert status(s)["confirm_s"] is None and os.listdir(s.state_dir).count("config.trial.json") == 0
        # One changed, one taken away, by a process that dies meanwhile: nobody confirms.
        changed = "net_af_packet3,iface=v1"
        s.cli("apply", with_uplinks(s, changed), "--confirm", "4s")
        await_true("it is changed", lambda: are_up(s, "3"), 5)
        packet_killed(s)
        await_true("all is as before", lambda: are_up(s, "1", "2"), 15)
        assert traces("1") == (1, False, False) and traces("2") == (1, False, True), (traces("1"), traces("2"))
        assert status(s)["confirm_s"] is None and "u3" not in s.json("show", "config")["ports"]
        rights_check(s.pid)


def checksum(text):
    h = 0xcbf29ce484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001b3 % 2 ** 64
    return f"{h:016x}"


def saved_device_that_may_not_be_is_refused():
    """The file is that of whoever forwards."""
    with Session() as s:
        s.cli("bridge", "add", "br0")
        add(s, "1", "net_null1")
        s.cli("stop")
        s.daemon.wait(10)
        path = os.path.join(s.state_dir, "config.json")
        with open(path, encoding="utf-8") as f:
            document = f.read().partition('"document":')[2].rstrip("\n")[:-1]
        assert "net_null1" in document
        document = document.replace("net_null1", f"net_pcap1,tx_pcap={s.path('made')}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'{{"format":1,"checksum":"{checksum(document)}",\n"document":{document}}}\n')
        s.start()
        assert [p["kept_out"] for p in s.json("port", "show")] == [True], s.json("port", "show")
        assert "is no device that an uplink takes" in s.log_text() and "damaged" not in s.log_text(), s.log_text()
        assert not os.path.exists(s.path("made"))


def killed_but_for_its_helper(s):
    keeper, helper = s.daemon.pid, s.helper_pid
    os.kill(keeper, signal.SIGSTOP)
    pids = [pid for pid in children(keeper) if pid != helper] + [keeper]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    s.daemon.wait()
    await_true("the switch is gone", lambda: all(map(is_over, pids)))
    await_true("its helper, too", lambda: is_over(helper))


def killed_switch_leaves_no_program():
    for words in ((), ("--user", "root")):
        with Session(*words) as s:
            s.cli("bridge", "add", "br0")
            wire("2")
            add(s, "2")
            helper = await_true("a helper knows of it", lambda: s.helper_pid, 5)
            os.kill(helper, signal.SIGKILL)  # the next one is told, too
            await_true("there is another one", lambda: s.helper_pid not in (None, helper), 5)
            assert s.port("u2")["state"] == "up" and traces("2") == (1, False, True), (s.port("u2"), traces("2"))
            killed_but_for_its_helper(s)
            assert traces("2") == (0, False, False), traces("2")
            s.start(*words)
            await_true("it is up", lambda: are_up(s, "2"), 5)
        assert traces("2") == (0, False, False), traces("2")
        unwire()


def devices_are_those_that_the_switch_may_have():
    with Session("--uplink-device", "v1", "--uplink-device", "0000:03:00.0") as s:
        s.cli("bridge", "add", "br0")
        wire("1")
        wire("2")
        done = add(s, "2", check=False)
        assert done.returncode and "v2 is none of the devices" in done.stderr, done
        assert "--uplink-device v2" in done.stderr and traces("2") == (0, False, False), done
        with channel(s.pid) as c:  # as a guest's process would, which asks nobody
            c.send(open_message(1, "net_af_packet2,iface=v2"))
            time.sleep(0.5)
        assert traces("2") == (0, False, False)
        add(s, "1")
        assert s.port("u1")["state"] == "up", s.port("u1")


def channel(pid):
    """The end of its channel that the process has: what we say there, it says."""
    pidfd = os.pidfd_open(pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, CHANNEL, 0)
    os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=fd)


def open_message(number, device):
    return struct.pack("III4xIII512s", OPEN, 0, 0, number, 1, 0, device.encode())


def process_that_is_a_guests_gets_nothing_opened():
    with Session("--workers", "1") as s:
        load = Steady(s, 2)
        wire("1")
        s.await_spare()
        def keepers_socket():
            return os.stat(os.path.join(s.run_dir, "keeper.sock")).st_ino

        def n_sockets():  # of the spare, which would open it
            folder = f"/proc/{s.pids()[2]}/fd"
            return sum(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder))

        was = keepers_socket(), n_sockets()
        with channel(s.pid) as c:
            before = status(s)["successions"]["n"]
            for device in ("net_memif0,role=client,socket-abstract=no,socket=" + s.run_dir + "/keeper.sock",
                           f"net_pcap0,tx_pcap={s.path('made')}", f"net_failsafe0,exec(touch {s.path('made')})",
                           "net_af_xdp1,iface=v1,xdp_prog=/bin/true", "net_tap0,iface=dtap0,remote=v1"):
                c.send(open_message(1, device))
                time.sleep(0.2)
                assert (keepers_socket(), n_sockets()) == was, device
            assert not os.path.exists(s.path("made")) and not Net().link("dtap0")
            # One that may be, asked for a thousand times, and not wanted: it is closed again, too.
            c.send(open_message(2, "net_af_packet1,iface=v1"))
            await_true("it is open", lambda: traces("1")[0] == 1, 5)
            for _ in range(1000):
                c.send(open_message(3, "net_af_packet1,iface=v1"))
            assert status(s)["successions"]["n"] == before
        start = time.monotonic()
        while time.monotonic() < start + 4:
            try:
                with channel(s.pid) as c:
                    for _ in range(50):
                        c.send(struct.pack("III4x256s", ASK, 0, 0, b"because"))
            except (OSError, AssertionError):
                pass  # it has yielded meanwhile, to us or before it answered
            time.sleep(0.05)
        most = 9 + (time.monotonic() - start) // 2  # eight in a row, then one each two seconds
        load.await_frames(10000)
        r = load.report()
        load.check(r)
        assert not r["doubles"], r
        print("   successions:", status(s)["successions"]["n"])
        assert status(s)["restarts"] == {"n": 0} and status(s)["successions"]["n"] <= most, status(s)
        rights_check(s.pid)


private("busybox", "ethtool")
out("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
nets = {i: Net("n" + i) for i in "12"}
DRIVER = {"1": "net_af_packet", "2": "net_af_xdp"}
run(*cleaned(unwire, (nobody_beside_it_loses_a_frame, interface_that_returns_heals,
                      what_cannot_be_opened_changes_nothing, way_back_outlives_successions_and_deaths,
                      killed_switch_leaves_no_program, saved_device_that_may_not_be_is_refused,
                      devices_are_those_that_the_switch_may_have, process_that_is_a_guests_gets_nothing_opened)))
