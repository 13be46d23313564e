#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A guest without virtio: QEMU emulates its card, and its frames reach the switch as datagrams."""
import time

import session
from session import LabSession, await_true, need

LAB = """name: e
bridges: {sw: {}, far: {}}
links: [{between: [sw, far]}]
vms:
  new: {memory: 128M, nics: [{to: sw, mtu: 9000, ip: 10.0.0.1/24}]}
  old:
    memory: 160M
    nics:
      - {to: far, model: e1000, mtu: 9000, ip: 10.0.0.2/24}
      - {to: sw, ip: 10.0.1.2/24}
      - {to: sw, model: rtl8139, ip: 10.0.2.2/24}
      - {to: sw, model: e1000e, ip: 10.0.3.2/24}
      - {to: sw, model: pcnet, ip: 10.0.4.2/24}
      - {to: sw, model: ne2k_pci, ip: 10.0.5.2/24}
      - {to: sw, model: vmxnet3, ip: 10.0.6.2/24}
"""
SIZE = 10 << 20


def sh(s, vm, script, check=True):
    return s.cli("exec", vm, "--", "sh", "-c", script, check=check).stdout


def cards_are_in_the_files_order(s):
    drivers = [sh(s, "old", f"basename $(readlink /sys/class/net/eth{i}/device/driver)").strip()
               for i in range(7)]
    assert drivers == ["e1000", "virtio_net", "8139cp", "e1000e", "pcnet32", "ne2k-pci",
                       "vmxnet3"], drivers
    assert "cloud" not in sh(s, "old", "uname -r")
    assert "cloud" in sh(s, "new", "uname -r")  # which boots faster
    assert s.port("e/old.eth0")["type"] == "dgram" and s.port("e/old.eth1")["type"] == "vhost-user"


def every_model_sends_and_receives(s):
    # All are on one bridge: each card shall answer for its own address alone.
    sh(s, "old", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
    for i in range(2, 7):
        sh(s, "new", f"ip addr add 10.0.{i}.1/24 dev eth0")
        # Some have their link some seconds after they were set up.
        await_true(f"eth{i} answers", lambda: s.cli(
            "exec", "new", "--", "ping", "-c", "1", "-W", "1", f"10.0.{i}.2", check=False).returncode == 0)
        before = s.port(f"e/old.eth{i}")["counters"]
        s.cli("exec", "new", "--", "ping", "-c", "3", "-i", "0.2", "-w", "10", "-s", "1400", f"10.0.{i}.2")
        after = s.port(f"e/old.eth{i}")["counters"]
        for way in ("rx", "tx"):
            assert after[f"{way}_bytes"] - before[f"{way}_bytes"] >= 3 * 1442, (i, before, after)


def jumbo_frames_pass_whole(s):
    """Over the link between the bridges, too."""
    assert sh(s, "old", "cat /sys/class/net/eth0/mtu") == "9000\n"
    # The card was set up anew for its MTU, and has its link some seconds later.
    await_true("the card has its link", lambda: s.cli(
        "exec", "new", "--", "ping", "-c", "1", "-W", "1", "10.0.0.2", check=False).returncode == 0)
    before = s.port("e/old.eth0")["counters"]
    s.cli("exec", "new", "--", "ping", "-c", "3", "-i", "0.2", "-w", "10", "-s", "8972", "10.0.0.2")
    after = s.port("e/old.eth0")["counters"]
    assert after["rx_bytes"] - before["rx_bytes"] >= 3 * 9014, after
    assert after["rx_frames"] - before["rx_frames"] < 12, after


def file_arrives(s, sender, receiver, address):
    """10 MB of noise, from one to the other by HTTP; both hash it."""
    sh(s, sender, f"dd if=/dev/urandom of=/tmp/file bs=64k count={SIZE >> 16} 2>&1; httpd -p 80 -h /tmp")
    start = time.monotonic()
    sh(s, receiver, f"wget -q -O /tmp/got http://{address}/file")
    print(f"  {sender} to {receiver}: 10 MB in {time.monotonic() - start:.1f} s", flush=True)
    sums = [sh(s, vm, f"sha256sum <{path}") for vm, path in ((sender, "/tmp/file"), (receiver, "/tmp/got"))]
    assert sums[0] == sums[1], sums


def cable_of_an_emulated_card(s):
    for state, value in (("down", "0"), ("up", "1")):
        s.cli("vm", "nic", state, "old.eth0")
        await_true(f"carrier {value}", lambda: sh(s, "old", "cat /sys/class/net/eth0/carrier").strip()
                   == value)
    s.cli("exec", "new", "--", "ping", "-c", "1", "-w", "10", "10.0.0.2")


def guest_with_emulated_cards_is_like_any_other():
    with LabSession() as s:
        s.up(LAB)
        cards_are_in_the_files_order(s)
        every_model_sends_and_receives(s)
        jumbo_frames_pass_whole(s)
        file_arrives(s, "new", "old", "10.0.0.1")
        file_arrives(s, "old", "new", "10.0.0.2")
        cable_of_an_emulated_card(s)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    session.run(guest_with_emulated_cards_is_like_any_other)
