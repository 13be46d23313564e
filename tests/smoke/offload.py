#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Offloads between Linux guests: TCP with segmentation left to the switch, without, and between a guest
that takes it and one that does not; and every kind of frame of the offload matrix, delivered to
such a guest and to a front end whose capture tshark verifies."""
import json
import os
import re
import shutil
import subprocess

import session
from initrd import initrd_make
from session import Session, await_true, binary, need

SECONDS = 3
FILE_MIB = 8
ROUNDS = 2
PAUSE_US = 2000  # a frame becomes up to 60 packets, and the guest is emulated
PLAIN = ",".join(f"{name}=off" for name in (
    "csum", "gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo",
    "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo"))
PROGRAMS = ["iperf3", "ethtool"]

ADDRESS = {"full1": "10.0.0.1", "full2": "10.0.0.2", "plain": "10.0.0.3"}


def qemu_without_offloads_for_plain(s):
    """The launcher has no word for a device's properties: a QEMU before the real one adds them."""
    folder = s.path("bin")
    os.mkdir(folder)
    for path in (s.dir, folder):  # QEMU's user comes in
        os.chmod(path, 0o711)
    with open(os.path.join(folder, "qemu-system-x86_64"), "w", encoding="ascii") as f:
        f.write("#!/bin/sh\ncase \"$*\" in\n*guest=plain*) set -- \"$@\" " +
                " ".join(f"-global virtio-net-pci.{p}" for p in PLAIN.split(",")) +
                f" ;;\nesac\nexec {shutil.which('qemu-system-x86_64')} \"$@\"\n")
        os.fchmod(f.fileno(), 0o755)
    s.env["PATH"] = folder + ":" + os.environ["PATH"]


def guest(s, vm, command):
    return s.cli("exec", vm, "--", "sh", "-c", command).stdout


def features_are_those_wanted(s):
    for vm in ADDRESS:
        names = s.port(f"{vm}.eth0")["features"]
        for name in ("CSUM", "GUEST_CSUM", "HOST_TSO4", "GUEST_TSO4", "HOST_TSO6", "GUEST_TSO6"):
            assert (name in names) == (vm != "plain"), (vm, names)


def iperf(s, what, sender, receiver):
    """TCP for some seconds; returns the bytes of the sender's
    frames, on average."""
    counters = s.port(f"{sender}.eth0")["counters"]
    guest(s, receiver, "iperf3 -s -1 -D >/dev/null 2>&1 </dev/null")
    result = json.loads(guest(s, sender, f"iperf3 -J -i 0 -t {SECONDS} -c {ADDRESS[receiver]}"))
    assert "error" not in result, result
    end = result["end"]
    sent, received = end["sum_sent"], end["sum_received"]
    after = s.port(f"{sender}.eth0")["counters"]
    mean = (after["rx_bytes"] - counters["rx_bytes"]) / (after["rx_frames"] - counters["rx_frames"])
    print(f"   {what}: {received['bits_per_second'] / 1e6:.0f} Mb/s, {sent['retransmits']} "
          f"retransmits, {mean:.0f} bytes a frame sent")
    assert received["bytes"] > 0.9 * sent["bytes"] > 1e6, (sent, received)
    return mean


def file_arrives_intact(s, sender, receiver):
    guest(s, sender, f"[ -f /tmp/file ] || dd if=/dev/urandom of=/tmp/file bs=1M count={FILE_MIB} "
          "2>/dev/null; httpd -h /tmp 2>/dev/null || true")
    guest(s, receiver, f"wget -q -O /tmp/got http://{ADDRESS[sender]}/file")
    want, got = guest(s, sender, "md5sum </tmp/file"), guest(s, receiver, "md5sum </tmp/got")
    assert want == got, (sender, receiver, want, got)


def tcp_passes(s):
    mean = iperf(s, "TSO on, both take it", "full1", "full2")
    assert mean > 4000, mean
    file_arrives_intact(s, "full1", "full2")
    mean = iperf(s, "mixed: cut for who does not take it", "full1", "plain")
    assert mean > 4000, mean
    file_arrives_intact(s, "full1", "plain")
    mean = iperf(s, "mixed: from who does not leave it", "plain", "full1")
    assert mean <= 1514, mean
    file_arrives_intact(s, "plain", "full1")
    guest(s, "full1", "ethtool -K eth0 tso off gso off")
    mean = iperf(s, "TSO off", "full1", "plain")
    assert mean <= 1514, mean
    file_arrives_intact(s, "full1", "plain")


def checksums(pcap):
    """How many good checksums tshark finds, and how many bad ones, by protocol; and in how many
    packets it found no good one of TCP or UDP."""
    fields = ["ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"]
    out = subprocess.run(
        ["tshark", "-n", "-r", pcap, "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
         "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "occurrence=a", "-E", "separator=;",
         *[word for field in fields for word in ("-e", field)]],
        capture_output=True, text=True, timeout=60, check=True).stdout
    good, bad, unknown = dict.fromkeys(fields, 0), dict.fromkeys(fields, 0), 0
    for line in out.splitlines():
        unknown += not re.search("1", line.split(";", 1)[1])
        for field, values in zip(fields, line.split(";")):
            for value in filter(None, values.split(",")):
                good[field] += value == "1"
                bad[field] += value == "0"
    return good, bad, unknown


def dropped(s):
    """What was not delivered to whom, and why."""
    return {p["name"]: {reason: n for reason, n in p["counters"]["tx_drops"].items() if n}
            for p in s.json("port", "show")}


def matrix_is_delivered(s):
    digests = {}
    s.cli("exec", "plain", "--", "sh", "-c", "for i in 0 1; do ethtool -K eth$i gro off; "
          "frame_digest eth$i >/tmp/digest$i 2>&1 </dev/null & done")
    await_true("the guest listens", lambda: guest(s, "plain", "cat /tmp/digest?").count("ready") == 2)
    for name, vlan in (("trunk", []), ("access", ["--access", "10"]), ("tunnel", ["--tunnel", "10"]),
                       ("to-trunk", []), ("to-access", ["--access", "10"])):
        s.cli("port", "add", name, "--bridge", "lan", "--type", "vhost-user", "--listen",
              "--path", s.path(name), *vlan)
    done = subprocess.run([binary("matrix_pcap"), s.dir, str(ROUNDS), str(PAUSE_US)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done
    for i, name in enumerate(("to-trunk", "to-access")):
        digests[name] = re.search(rf"{name}: (.*)", done.stdout).group(1)
        said = await_true("the guest has all of them",
                          lambda: re.search("(.*), (\\d+) lost", guest(s, "plain", f"cat /tmp/digest{i}")))
        print(f"   {name}: {digests[name]}; plain's eth{i}: {said.group(0)}")
        assert said.group(1) == digests[name] and said.group(2) == "0", (done.stdout, dropped(s))
        good, bad, unknown = checksums(s.path(f"{name}.pcap"))
        print(f"   tshark: good {list(good.values())}, bad {list(bad.values())} (IP, TCP, UDP), "
              f"{unknown} without")
        assert sum(bad.values()) == 0, bad
        assert min(good.values()) > 50 and unknown == 0, good
    assert s.port("trunk")["counters"]["rx_drops"]["bad_offload"] == 0


def guests_boot(s):
    initrd = initrd_make(s, *map(shutil.which, PROGRAMS), binary("frame_digest"))
    qemu_without_offloads_for_plain(s)
    s.cli("bridge", "add", "lan")
    for vm in ADDRESS:
        s.cli("vm", "start", vm, "--memory", "256M", "--initrd", initrd, "--nic", "lan",
              *(["--nic", "lan,access=10"] if vm == "plain" else []))
    for vm, address in ADDRESS.items():
        s.cli("vm", "wait", vm, "--for", "90s")
        guest(s, vm, f"ip addr add {address}/24 dev eth0")


def offloads_between_guests():
    with Session() as s:
        try:
            for part in (guests_boot, features_are_those_wanted, tcp_passes, matrix_is_delivered):
                part(s)
        finally:
            for vm in ("image", *ADDRESS):
                s.cli("vm", "kill", vm, check=False)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga", "cpio", "tshark", *PROGRAMS)
    session.run(offloads_between_guests)
