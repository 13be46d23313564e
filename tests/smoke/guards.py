#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guards and limits: guests that claim to be others, and what `lanyard` says of it."""
import subprocess
import time

import session
from session import Session, await_true, need

LAB = """name: g
bridges: {sw: {}}
vms:
  h1: {memory: 128M, nics: [{to: sw, ip: 10.0.0.1/24, mac: "02:00:00:00:00:01"}]}
  h2: {memory: 128M, nics: [{to: sw, ip: 10.0.0.2/24, guard: "mac,ip,arp,dhcp,ra"}]}
  h3: {memory: 128M, nics: [{to: sw, ip: 10.0.0.3/24, guard: off}]}
"""
SIZE = 3 << 20


def sh(s, vm, script, check=True):
    return s.cli("exec", vm, "--", "sh", "-c", script, check=check)


def reaches(s, vm, address, seconds=2):
    return sh(s, vm, f"ping -c 1 -W {seconds} {address}", check=False).returncode == 0


def rx_drops(s, vm, reason):
    return s.port(f"g/{vm}.eth0")["counters"]["rx_drops"].get(reason, 0)


def mac_set(s, vm, mac):
    sh(s, vm, f"ip link set eth0 down; ip link set eth0 address {mac}; ip link set eth0 up; "
              "ip neigh flush dev eth0")


def launched_nics_are_guarded(s):
    ports = [s.port(f"g/h{i}.eth0") for i in (1, 2, 3)]
    assert ports[0]["guard"] == ["mac"] and ports[0]["mac"] == "02:00:00:00:00:01", ports[0]
    assert ports[1]["guard"] == ["mac", "ip", "arp", "dhcp", "ra"], ports[1]
    assert ports[1]["ip"] == ["10.0.0.2"], ports[1]
    assert ports[2]["guard"] == [] and ports[2]["mac"] is None, ports[2]
    for a, b in ((1, 2), (2, 3), (3, 1)):
        assert reaches(s, f"h{a}", f"10.0.0.{b}", 20), (a, b)
    assert not any(rx_drops(s, f"h{i}", f"guard_{what}") for i in (1, 2)
                   for what in ("mac", "arp", "dhcp")), s.json("port", "show")


def guest_that_changes_its_mac_loses_its_network(s):
    mac_set(s, "h1", "02:00:00:00:00:99")
    assert not reaches(s, "h1", "10.0.0.3")
    assert rx_drops(s, "h1", "guard_mac") > 0
    said = s.cli("drops", "g/h1.eth0").stdout
    assert "guard_mac" in said and "guard=off" in said, said
    shown = s.spawn(session.binary("lanyard"), "capture", "g/h1.eth0", "--drops", "--count", "1", env=s.env,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    await_true("a frame is captured", lambda: reaches(s, "h1", "10.0.0.3", 1) or shown.poll() is not None)
    line = shown.communicate(timeout=20)[0]
    assert "guard_mac" in line and "02:00:00:00:00:99" in line, line
    trace = s.cli("trace", "g/sw", "--port", "g/h1.eth0", "--frame",
                  "eth src 02:00:00:00:00:99 dst broadcast").stdout
    assert "guard_mac" in trace, trace
    # Until its port lets it.
    s.cli("port", "set", "g/h1.eth0", "guard=off")
    assert reaches(s, "h1", "10.0.0.3", 10)
    s.cli("port", "set", "g/h1.eth0", "guard=mac")
    mac_set(s, "h1", "02:00:00:00:00:01")
    assert reaches(s, "h1", "10.0.0.3", 10)


def nobody_takes_a_guarded_address(s):
    s.cli("port", "down", "g/h1.eth0")  # its owner is not even there
    own = s.json("vm", "show", "h3")["nics"][0]["mac"]
    mac_set(s, "h3", "02:00:00:00:00:01")
    assert not reaches(s, "h3", "10.0.0.2")
    assert rx_drops(s, "h3", "mac_owned") > 0
    assert "guard mac" in s.cli("drops", "g/h3.eth0").stdout
    assert not any(e["mac"] == "02:00:00:00:00:01" and e["port"] == "g/h3.eth0"
                   for e in s.json("fdb", "show"))
    mac_set(s, "h3", own)
    s.cli("port", "up", "g/h1.eth0")
    assert reaches(s, "h3", "10.0.0.1", 20)
    taken = s.cli("port", "set", "g/h3.eth0", "mac=02:00:00:00:00:01", "guard=mac", check=False)
    assert taken.returncode == 2 or taken.returncode == 1, taken
    assert "is that of port \"g/h1.eth0\"" in taken.stderr, taken


def guest_with_another_ip_is_not_heard(s):
    sh(s, "h2", "ip addr add 10.0.0.77/24 dev eth0")
    sh(s, "h2", "arping -c 1 -w 2 -s 10.0.0.77 -I eth0 10.0.0.3", check=False)
    assert rx_drops(s, "h2", "guard_arp") > 0
    sh(s, "h2", "ping -c 1 -W 2 -I 10.0.0.77 10.0.0.3", check=False)
    assert rx_drops(s, "h2", "guard_ip") > 0
    assert reaches(s, "h2", "10.0.0.3", 10)


def rate_is_felt_and_loses_nothing(s):
    sh(s, "h1", f"dd if=/dev/urandom of=/tmp/file bs=64k count={SIZE >> 16} 2>&1; httpd -p 80 -h /tmp")
    s.cli("port", "set", "g/h1.eth0", "rate=10M")
    assert s.port("g/h1.eth0")["rate"] == 10000000
    begin = time.monotonic()
    before = s.port("g/h1.eth0")["counters"]
    sh(s, "h3", "wget -q -O /tmp/got http://10.0.0.1/file")
    seconds = time.monotonic() - begin
    after = s.port("g/h1.eth0")["counters"]
    bits = 8 * (after["rx_bytes"] - before["rx_bytes"])
    print(f"   {bits / 1e6:.1f} Mbit in {seconds:.2f} s: {bits / seconds / 1e6:.2f} Mbit/s", flush=True)
    assert seconds > (bits - 10e6 * 0.021) / 10e6 * 0.98, (bits, seconds)
    assert sum(after["rx_drops"].values()) == sum(before["rx_drops"].values()), after
    sums = [sh(s, vm, f"sha256sum <{path}").stdout for vm, path in (("h1", "/tmp/file"), ("h3", "/tmp/got"))]
    assert sums[0] == sums[1], sums


def settings_are_kept(s):
    s.cli("bridge", "add", "b")
    s.cli("port", "add", "p", "--bridge", "b", "--type", "vhost-user", "--path", s.path("p.sock"),
          "--listen", "--guard", "mac,ip,arp", "--mac", "02:00:00:00:00:05", "--ip", "10.0.0.5,fd00::5",
          "--isolated", "--max-macs", "4", "--storm", "100", "--rate", "1.5G")
    shown = s.port("p")
    table = s.cli("port", "show", "p").stdout
    assert "mac,ip,arp isolated max-macs 4 storm 100 rate 1.5G" in table, table
    assert shown["ip"] == ["10.0.0.5", "fd00::5"] and shown["rate"] == 1500000000, shown
    assert shown["max_macs"] == 4 and shown["storm"] == 100 and shown["isolated"] is True, shown
    saved = s.cli("show", "config").stdout
    s.write("saved.yaml", saved)
    s.cli("port", "set", "p", "guard=off", "mac=none", "ip=none", "isolated=false", "rate=none",
          "storm=none", "max-macs=none")
    bare = s.port("p")
    assert bare["guard"] == [] and bare["ip"] == [] and bare["mac"] is None and bare["rate"] is None, bare
    s.cli("apply", s.path("saved.yaml"))
    assert s.cli("show", "config").stdout == saved
    keys = ("guard", "mac", "ip", "max_macs", "storm", "rate", "isolated")
    assert [s.port("p")[k] for k in keys] == [shown[k] for k in keys]
    for words, sentence in (
            (["guard=mack"], "none of mac, ip, arp, dhcp, ra and off"),
            (["ip=10.0.0"], "no address like"), (["rate=fast"], "no number of bits a second"),
            (["rate=1"], "outside 8K-1000G"), (["mac=none"], "needs the NIC's MAC address"),
            (["mac=01:00:00:00:00:01"], "a group address"), (["max-macs=0"], "outside"), (["storm=-1"], "outside")):
        bad = s.cli("port", "set", "p", *words, check=False)
        assert bad.returncode and sentence in bad.stderr, (words, bad)
    assert [s.port("p")[k] for k in keys] == [shown[k] for k in keys]


def main():
    need("qemu-system-x86_64")
    with Session() as s:
        s.write("g.yaml", LAB)
        session.run(lambda: settings_are_kept(s))
        s.cli("up", s.path("g.yaml"), "--wait", "180s", timeout=240)
        for test in (launched_nics_are_guarded, guest_that_changes_its_mac_loses_its_network,
                     nobody_takes_a_guarded_address, guest_with_another_ip_is_not_heard,
                     rate_is_felt_and_loses_nothing):
            begin = time.monotonic()
            test(s)
            print(f"ok {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        s.cli("down", "g")


main()
