#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Captures as a user makes them: what is in the file is what was counted, tshark and tcpdump read it, drops
say why, a reader that is slow, dies or cannot write costs nobody else anything."""
import collections
import fcntl
import itertools
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import termios
import time

from session import Session, await_true, binary, need, run


def ports_make(s, n, *access):
    s.cli("bridge", "add", "br")
    for i in range(n):
        s.cli("port", "add", f"p{i}", "--bridge", "br", "--type", "vhost-user", "--path",
              s.path(f"s{i}"), "--listen")
    for i in access:
        s.cli("port", "set", f"p{i}", "access=10")


def load(s, n, *words):
    done = subprocess.run([binary("load"), "--path", s.path("s"), "--ports", str(n), *words],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def waiting(fd):
    """Bytes in a pipe."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]


class Capture:
    """`lanyard capture` in the background; there once it answers to being there: the file has a head."""

    def __init__(self, s, *words, file=None, **kw):
        self.file = file and s.path(file)
        if file and os.path.exists(self.file):
            os.unlink(self.file)
        words = [binary("lanyard"), "capture", *words, *(["-w", self.file] if file else [])]
        self.child = s.spawn(*words, env=s.env, text=True, stderr=subprocess.PIPE, **kw)
        self.session = s
        if file:
            await_true("the capture has begun",
                       lambda: os.path.exists(self.file) and os.path.getsize(self.file) or
                       self.child.poll() is not None)

    def end(self, how=signal.SIGINT):
        """Ends it, and gives back what it said: (frames, lost)."""
        if how:
            self.child.send_signal(how)
        said = self.child.communicate(timeout=20)[1]
        self.session.children.remove(self.child)
        if how != signal.SIGKILL:
            assert self.child.returncode == 0, (self.child.returncode, said)
        frames = re.search(r"(\d+) frames? captured", said)
        return int(frames.group(1)) if frames else None, sum(map(int, re.findall(r"(\d+) of port", said)))


def tshark(path, *fields):
    words = [w for f in fields for w in ("-e", f)]
    out = subprocess.run(["tshark", "-r", path, "-T", "fields", *words], capture_output=True,
                         text=True, check=True, timeout=60).stdout
    return [tuple(line.split("\t")) for line in out.splitlines()]


def seen(path):
    """{(port, "in" or "out"): frames} by tshark's reading."""
    ways = {"0x00000001": "in", "0x00000002": "out"}
    return collections.Counter((port, ways[way]) for port, way in
                               tshark(path, "frame.interface_name", "frame.packet_flags"))


def tcpdump_count(path, *words):
    out = subprocess.run(["tcpdump", "-r", path, "-nn", "-t", *words], capture_output=True, text=True,
                         check=True, timeout=60).stdout
    return sum(1 for line in out.splitlines() if not line.startswith("\t"))


def counted(s):
    out = {}
    for p in s.json("port", "show"):
        out[p["name"], "in"] = p["counters"]["rx_frames"]
        out[p["name"], "out"] = p["counters"]["tx_frames"]
    return collections.Counter(out)


def three_ports_in_one_file_agree_with_the_counters():
    with Session() as s:
        ports_make(s, 3, 2)
        all_three = Capture(s, "p0", "p1", "p2", file="all")
        only_in = Capture(s, "p0", "--direction", "in", file="in")
        tagged = Capture(s, "p1", "-f", "vlan 10", "--snaplen", "40", file="tagged")
        result = load(s, 3, "--pattern", "broadcast", "--rate", "4000", "--seconds", "0.5", "--vlan", "10")
        assert result["sent"] > 1000, result
        n = counted(s)
        frames, lost = all_three.end()
        assert (frames, lost) == (sum(n.values()), 0), (frames, lost, n)
        assert seen(all_three.file) == +n, (seen(all_three.file), n)
        assert tcpdump_count(all_three.file) == frames
        # As it was on the port: tagged on the trunks, untagged on the access port.
        vlans = collections.Counter(tshark(all_three.file, "frame.interface_name", "vlan.id"))
        assert vlans["p1", "10"] > 1000 and vlans["p2", ""] > 1000 and not vlans["p2", "10"], vlans
        assert only_in.end()[0] == n["p0", "in"]
        n_tagged = tagged.end()[0]
        assert n_tagged == vlans["p1", "10"] == tcpdump_count(tagged.file, "vlan", "10"), n_tagged
        assert {int(c) for c, in tshark(tagged.file, "frame.cap_len")} == {40}
        times = [float(t) for t, in tshark(all_three.file, "frame.time_epoch")]
        assert times == sorted(times) and abs(times[-1] - time.time()) < 30, times[-1]


def frames_of_two_workers_are_in_one_order():
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        print("   only one CPU: not tried")
        return
    with Session("--workers", ",".join(map(str, cpus))) as s:
        ports_make(s, 4)
        c = Capture(s, "p0", "p1", "p2", "p3", file="two")
        load(s, 4, "--rate", "8000", "--seconds", "0.5")
        n = counted(s)
        frames, lost = c.end()
        assert (frames, lost) == (sum(n.values()), 0) and seen(c.file) == +n, (frames, lost, n)
        by_worker = [w["frames"] for w in s.json("stats")["workers"]]
        assert len(by_worker) == 2 and min(by_worker) > 500, (by_worker, n)
        # A worker that is held up for longer than a millisecond may be told too late: seldom.
        times = [float(t) for t, in tshark(c.file, "frame.time_epoch")]
        n_back = sum(t < latest for t, latest in zip(times, itertools.accumulate(times, max)))
        assert n_back <= len(times) / 100, (n_back, len(times))
        print(f"   {by_worker} frames by worker, {n_back} of {len(times)} records out of order")


def drops_say_why():
    with Session() as s:
        ports_make(s, 3, 1)
        drops = Capture(s, "p0", "p1", "p2", "--drops", file="drops")
        # p1 sends tagged frames to an access port; p2 takes nothing.
        load(s, 3, "--pattern", "broadcast", "--rate", "4000", "--seconds", "0.3", "--stall-port", "2")
        load(s, 2, "--one-way", "--rate", "2000", "--seconds", "0.2", "--vlan", "10")
        subprocess.run([binary("load"), "--path", s.path("s1"), "--path", s.path("s0"), "--one-way", "--vlan",
                        "10", "--rate", "2000", "--seconds", "0.2"], capture_output=True, timeout=60)
        want = collections.Counter()
        for p in s.json("port", "show"):
            for way, key in (("in", "rx_drops"), ("out", "tx_drops")):
                for reason, n in p["counters"][key].items():
                    want[p["name"], way, reason] += n
        frames, lost = drops.end()
        assert lost == 0 and frames == sum(want.values()), (frames, lost, +want)
        ways = {"0x00000001": "in", "0x00000002": "out"}
        got = collections.Counter(
            (port, ways[way], re.match(r"dropped, (\w+): \w", comment).group(1)) for port, way, comment in
            tshark(drops.file, "frame.interface_name", "frame.packet_flags", "frame.comment"))
        assert got == +want, (got, +want)
        for reason in ("rx_ring_full", "vlan_tagged_on_access"):
            assert any(r == reason for _, _, r in got), (reason, got)


def a_reader_that_stops_costs_no_traffic():
    with Session() as s:
        ports_make(s, 2)
        stopped = Capture(s, "p0", "p1", file="stopped")
        other = Capture(s, "p0", "--direction", "in", "--snaplen", "60", file="other")
        stopped.child.send_signal(signal.SIGSTOP)
        done = subprocess.run([binary("exact"), "--path", s.path("s0"), "--path", s.path("s1"), "--frames",
                               "20000"], capture_output=True, text=True, timeout=60)
        stopped.child.send_signal(signal.SIGCONT)
        assert done.returncode == 0, done.stderr
        n = counted(s)
        frames, lost = stopped.end()
        assert lost > 1000 and frames + lost == sum(n.values()), (frames, lost, n)
        assert sum(seen(stopped.file).values()) == frames
        assert other.end() == (n["p0", "in"], 0)
        # A part of each frame is captured and all of it delivered, from the same bytes: exact has looked.
        assert not any(sum(p["counters"]["rx_drops"].values()) for p in s.json("port", "show"))


def descriptors(s):
    return len(os.listdir(f"/proc/{s.pid}/fd"))


def several_run_at_once_and_nothing_is_left_of_one_that_dies():
    with Session() as s:
        ports_make(s, 2)
        s.cli("capture", "p0", "--for", "50ms")
        n = descriptors(s)
        for _ in range(2):
            eight = [Capture(s, "p0", file=f"c{i}") for i in range(8)]
            ninth = s.cli("capture", "p0", "--count", "1", check=False, timeout=10)
            assert ninth.returncode == 4 and "8 captures are running" in ninth.stderr, ninth
            for c in eight:
                c.end(signal.SIGKILL)
            await_true("nothing is left", lambda: descriptors(s) == n)
        maps = open(f"/proc/{s.pid}/maps", encoding="ascii").read()
        assert "lanyard-capture" not in maps, maps
        # The switch ends: so does the capture, in order.
        c = Capture(s, "p1", file="end")
        s.cli("stop")
        s.daemon.wait(10)
        c.end(None)
        assert tshark(c.file, "frame.number") == []
        s.daemon = None


def capture_ends_with_the_last_of_its_ports():
    with Session() as s:
        ports_make(s, 3)
        c = Capture(s, "p0", "p1", file="gone")
        other = Capture(s, "p2", file="other")
        load(s, 2, "--rate", "4000", "--seconds", "0.2")
        n = sum(counted(s).values())
        s.cli("port", "del", "p0")
        time.sleep(0.2)
        assert c.child.poll() is None
        s.cli("port", "del", "p1")
        said = c.child.communicate(timeout=10)[1]
        assert c.child.returncode == 0 and "all its ports have been deleted" in said, said
        assert f"{n} frames captured" in said and n > 500, (n, said)
        assert len(tshark(c.file, "frame.number")) == n
        assert other.end() == (0, 0)


def call(sock, method, params, **more):
    text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more})
    sock.sendall(text.encode() + b"\n")


def clients_that_read_no_capture_hold_no_place():
    with Session() as s:
        ports_make(s, 1)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(s.path("run/switch.sock"))
            for _ in range(8):
                call(sock, "capture.start", {"ports": ["p0"]})
            call(sock, "capture.start", {"ports": ["p0"]}, id=1)
            call(sock, "capture.start", {"ports": ["p0"]}, id=2)
            first, fds, *_ = socket.recv_fds(sock, 65536, 4)
            answers = first + (b"" if first.count(b"\n") > 1 else sock.recv(65536))
            first, second = map(json.loads, answers.splitlines())
            assert first["result"]["rings"] == 1 and len(fds) == 1, first
            os.close(fds[0])
            assert "this connection has a capture already" in second["error"]["message"], second
            # The other seven places are free.
            for c in [Capture(s, "p0", file=f"c{i}") for i in range(7)]:
                c.end()


def blocks(data):
    """Types of the pcapng blocks in data, which are whole."""
    types, at = [], 0
    while at < len(data):
        kind, size = struct.unpack_from("II", data, at)
        assert at + size <= len(data), (at, size, len(data))
        assert struct.unpack_from("I", data, at + size - 4) == (size,), at
        types.append(kind)
        at += size
    return types


def end_with_a_full_pipe_leaves_whole_blocks():
    with Session() as s:
        ports_make(s, 2)
        for size in (60, 1000):
            c = Capture(s, "p0", "-w", "-", stdout=subprocess.PIPE)
            pipe = c.child.stdout.fileno()
            head = os.read(pipe, 4)
            load(s, 2, "--rate", "20000", "--seconds", "0.3", "--size", str(size))
            # All but what a group of blocks leaves of each page.
            await_true("the pipe is full", lambda: waiting(pipe) > 48000)
            c.child.send_signal(signal.SIGINT)
            said = c.child.stderr.read()
            assert c.child.wait(10) == 0, said
            data = head + c.child.stdout.buffer.read()
            n = blocks(data).count(6)
            assert f"{n} frames captured\n" in said and n > 30, (n, said)
            s.children.remove(c.child)


def numbers(said):
    """[captured, not written, lost] of what a capture said."""
    return [sum(map(int, re.findall(r"(\d+) " + words, said)))
            for words in ("frames? captured", "more w", "of port")]


def a_reader_that_takes_nothing_holds_no_end_up():
    with Session() as s:
        ports_make(s, 2)
        os.mkfifo(s.path("fifo"))
        done = s.cli("capture", "p0", "-w", s.path("fifo"), "--for", "200ms", timeout=10)
        assert numbers(done.stderr) == [0, 0, 0], done
        for words, end in ((("--for", "1s"), lambda: None), ((), lambda: s.cli("port", "del", "p0"))):
            c = Capture(s, "p0", "-w", "-", *words, stdout=subprocess.PIPE)
            os.read(c.child.stdout.fileno(), 4)
            before = counted(s)
            load(s, 2, "--rate", "20000", "--seconds", "0.2")
            now = counted(s)
            n = sum(now[key] - before[key] for key in (("p0", "in"), ("p0", "out")))
            end()
            said = c.child.stderr.read()
            assert c.child.wait(10) == 0, said
            captured, unwritten, lost = numbers(said)
            assert captured + unwritten + lost == n and unwritten > 500, (said, n)
            c.child.stdout.close()
            s.children.remove(c.child)


def file_that_cannot_grow_ends_with_a_whole_frame():
    with Session() as s:
        ports_make(s, 2)
        c = Capture(s, "p0", file="short", restore_signals=False, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (100000, 100000)))
        load(s, 2, "--rate", "20000", "--seconds", "0.3")
        said = c.child.communicate(timeout=20)[1]
        assert c.child.returncode == 1 and f"cannot write {c.file}: File too large" in said, said
        with open(c.file, "rb") as f:
            data = f.read()
        assert blocks(data).count(6) > 500 and 99000 < len(data) < 100000, len(data)


def mistakes_are_sentences():
    with Session() as s:
        ports_make(s, 2)
        for words, code, text in (
                (["nix"], 2, 'there is no port "nix"'),
                (["p0", "p0"], 2, 'port "p0" is named twice'),
                (["p0", "-f", "tcp port"], 2, "can't parse filter expression: syntax error"),
                (["p0", "-f", "ip and arp[1000000]=1 and ether proto 99999"], 2, 'filter "ip and arp'),
                (["p0", "-f", "ip protochain 6"], 2, "bounded time"),
                (["p0", "-f", "host www.example.com"], 2, "names of hosts are not looked up"),
                (["p0", "-f", "host 1e100.net"], 2, "names of hosts are not looked up"),
                (["p0", "-w", "/nix/file"], 1, "cannot write /nix/file: No such file or directory"),
                (["p0", "-w", "/dev/full"], 4, "cannot write /dev/full: No space left on device")):
            done = s.cli("capture", *words, check=False, timeout=10)
            assert text in done.stderr, (words, done)
            assert done.returncode in (code, 1), (words, done)


def a_pipe_gets_its_head_at_once_and_may_close():
    with Session() as s:
        ports_make(s, 2)
        c = Capture(s, "p0", "-w", "-", stdout=subprocess.PIPE)
        head = os.read(c.child.stdout.fileno(), 4)
        assert head == b"\n\r\r\n", head
        c.child.stdout.close()
        load(s, 2, "--rate", "2000", "--seconds", "0.1")
        c.end(None)
        # As lines, and with TCP frames whole.
        tso = Capture(s, "p0", "--direction", "in", "--count", "3", stdout=subprocess.PIPE)
        time.sleep(0.2)
        load(s, 2, "--send", "tso", "--size", "20000", "--seconds", "0.1")
        lines = tso.child.stdout.read().splitlines()
        assert tso.end(None)[0] == 3 and len(lines) == 3, lines
        assert re.match(r"\d\d:\d\d:\d\d\.\d{6} p0 in  02:00:.* TCP \[\.\], seq \d+, .*, 20000 bytes$", lines[0]), lines


def traces_tell_what_happens_then():
    with Session() as s:
        ports_make(s, 3, 2)
        c = Capture(s, "p1", "p2", file="x")
        text = "eth src 02:00:00:00:00:99 dst broadcast"
        steps = s.json("trace", "br", "--port", "p0", "--frame", text)["steps"]
        assert [x["step"] for x in steps] == ["entered", "learn", "group", "dropped"], steps
        assert s.json("fdb", "show") == [] and c.end() == (0, 0)
        assert not any(counted(s).values())
        bad = s.cli("trace", "br", "--port", "p0", "--frame", "eth src 02:00 dst broadcast", check=False)
        assert bad.returncode == 2 and '"02:00" stands where a MAC address' in bad.stderr, bad
        said = s.cli("trace", "br", "--port", "p2", "--frame", text + " vlan 20").stdout
        assert "1. dropped by p2: vlan_tagged_on_access" in said, said


def mirrored_frames_are_those_of_the_port():
    with Session() as s:
        ports_make(s, 2, 1)
        s.cli("bridge", "add", "mon")
        s.cli("port", "add", "p2", "--bridge", "mon", "--type", "vhost-user", "--path", s.path("s2"), "--listen",
              "--access", "99")
        s.cli("mirror", "add", "p0", "--to", "p2")
        # Copies are not copied again, there or back.
        s.cli("mirror", "add", "p2", "--to", "p1")
        original = Capture(s, "p0", file="original")
        copies = Capture(s, "p2", file="copies")
        load(s, 3, "--busy", "2", "--rate", "3000", "--seconds", "0.3", "--pattern", "broadcast")
        n = counted(s)
        assert n["p0", "in"] > 500 and n["p0", "out"] > 0, n
        assert n["p2", "out"] == n["p0", "in"] + n["p0", "out"], n
        assert original.end() == copies.end() == (n["p2", "out"], 0), n
        fields = "frame.len", "eth.src", "eth.dst", "data.data"
        assert tshark(original.file, *fields) == tshark(copies.file, *fields)
        s.cli("mirror", "del", "--to", "p1")
        # One that takes nothing costs the others nothing, and what it misses is counted.
        s.cli("port", "down", "p2")
        subprocess.run([binary("exact"), "--path", s.path("s0"), "--path", s.path("s1"), "--frames", "5000"],
                       check=False, capture_output=True, timeout=60)
        p2 = s.port("p2")["counters"]
        n = counted(s)
        assert p2["tx_drops"]["not_up"] + p2["tx_frames"] == n["p0", "in"] + n["p0", "out"], (p2, n)


def mirrors_are_saved_with_the_port_they_go_to():
    with Session() as s:
        ports_make(s, 3)
        for words, text in ((["p0", "--to", "p0"], 'port "p0": a port cannot be mirrored to itself'),
                            (["nix", "--to", "p0"], 'there is no port "nix"'),
                            (["p0", "--to", "p1", "-f", "tcp port"], "syntax error")):
            done = s.cli("mirror", "add", *words, check=False)
            assert done.returncode and text in done.stderr, (words, done)
        assert s.json("mirror", "show") == []
        s.cli("mirror", "add", "p0", "p1", "--to", "p2", "--direction", "in", "-f", "arp")
        again = s.cli("mirror", "add", "p0", "--to", "p2", check=False)
        assert "has a mirror already" in again.stderr and again.returncode == 1, again
        want = [{"to": "p2", "ports": ["p0", "p1"], "missing": [], "direction": "in", "filter": "arp"}]
        assert s.json("mirror", "show") == want
        config = s.cli("show", "config").stdout
        for text in ("mirror: [p0, p1]", "mirror-direction: in", "mirror-filter: arp"):
            assert text in config, config
        s.write("config", config)
        s.cli("port", "del", "p0")
        assert s.json("mirror", "show")[0]["ports"] == ["p1"]
        s.cli("apply", s.path("config"))
        now = s.cli("show", "config").stdout
        assert s.json("mirror", "show") == want and sorted(now.split("\n")) == sorted(config.split("\n")), now
        s.cli("mirror", "del", "--to", "p2")
        assert s.json("mirror", "show") == []
        s.cli("rollback")
        assert s.json("mirror", "show") == want
        s.cli("stop")
        s.daemon.wait(10)
        s.start()
        assert s.json("mirror", "show") == want
        assert sorted(s.cli("show", "config").stdout.split("\n")) == sorted(config.split("\n"))
        assert "p0, p1" in s.cli("mirror", "show").stdout


def mirrors_of_all_places_are_changed_and_wait():
    with Session() as s:
        n = 32
        ports = {f"p{i}": "{type: link, bridge: br, peer-bridge: b2}" for i in range(2)}
        ports |= {f"m{i}": f"{{type: vhost-user, bridge: br, path: {s.path('s')}{i}, listen: true, "
                           "mirror: [p0]}" for i in range(n)}
        text = "bridges: {br: {}, b2: {}}\nports:\n"
        s.cli("apply", "-", stdin=text + "".join(f"  {k}: {v}\n" for k, v in ports.items()))
        refused = s.cli("capture", "p0", "--for", "0.1s", check=False)
        assert refused.returncode == 4 and "32 captures and mirrors are there" in refused.stderr, refused
        # One of them gets another port, though no place is free.
        ports["m5"] = ports["m5"].replace("[p0]", "[p0, p1]")
        s.cli("apply", "-", stdin=text + "".join(f"  {k}: {v}\n" for k, v in ports.items()))
        assert s.json("mirror", "show")[5]["ports"] == ["p0", "p1"]
        # A mirror that waits for its port gets a place when one is free.
        del ports["m0"], ports["p1"]
        ports["m5"] = ports["m5"].replace("[p0, p1]", "[p0]")
        s.cli("apply", "-", stdin=text + "".join(f"  {k}: {v}\n" for k, v in ports.items()))
        c = Capture(s, "p0", file="takes-the-place")
        s.cli("port", "add", "late", "--bridge", "br", "--type", "vhost-user", "--listen", "--path",
                      s.path("late"))
        done = s.cli("mirror", "add", "p0", "--to", "late", check=False)
        assert done.returncode == 4 and "the most there can be" in done.stderr, done
        c.end()
        s.cli("mirror", "add", "p0", "--to", "late")


need("tshark", "tcpdump")
run(three_ports_in_one_file_agree_with_the_counters, frames_of_two_workers_are_in_one_order, drops_say_why,
    a_reader_that_stops_costs_no_traffic,
    several_run_at_once_and_nothing_is_left_of_one_that_dies, capture_ends_with_the_last_of_its_ports,
    clients_that_read_no_capture_hold_no_place, end_with_a_full_pipe_leaves_whole_blocks,
    a_reader_that_takes_nothing_holds_no_end_up,
    file_that_cannot_grow_ends_with_a_whole_frame, mistakes_are_sentences,
    a_pipe_gets_its_head_at_once_and_may_close, traces_tell_what_happens_then,
    mirrored_frames_are_those_of_the_port, mirrors_are_saved_with_the_port_they_go_to,
    mirrors_of_all_places_are_changed_and_wait)
