#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
What Linux's VLAN-filtering bridge does with the frames of cases.txt.

What    Boots the installed kernel under QEMU (TCG) with four virtio NICs on datagram sockets, makes
        the bridge of each set-up in it, injects the frames and records what comes out, as JSON:
        {"STEP": {"PORT": ["hex", ...]}}.
How     The guest is an initramfs made here: busybox, the host's ip and bridge, the modules. Its
        init runs the lines that come over the second serial port.
        A step is over when a marker frame, sent after it by the same port, has come out of every
        other port, and one sent back by another port has come out of the first. Markers travel
        in a VLAN of their own (VID 4000, a member of every port), so they teach the bridge nothing
        about the addresses under test; queues in the guest and in QEMU keep their order.
Exit    0, or 77 with a sentence when something that this needs is not installed.
"""

import gzip
import json
import lzma
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases

MARKER_VID = 4000
MARKER_HEAD = bytes.fromhex("ffffffffffff" "0200000000ee" "8100") + MARKER_VID.to_bytes(2, "big") + \
    bytes.fromhex("88b5")
N_NICS = 4
BOOT_S, REPLY_S, MARKER_S = 60, 20, 10
MODULES = ["virtio_pci", "virtio_net", "bridge"]
TOOLS = ["/usr/sbin/ip", "/usr/sbin/bridge"]

INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
while read -r m; do $bb insmod $m || echo "cannot load $m"; done </modules/order
$bb stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>&1
echo ready
while read -r line; do eval "$line"; echo "@$?"; done
"""


class Missing(Exception):
    pass


def need(ok, text):
    if not ok:
        raise Missing(text)


# ---- the guest's image ----

def cpio_entry(name, mode, data=b"", rdev=(0, 0)):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name) + 1, 0]
    out = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
    out += b"\0" * (-len(out) % 4)
    return out + data + b"\0" * (-len(data) % 4)


def kernel_find():
    """(vmlinuz, modules' folder) of the newest installed kernel that can be read and has both."""
    given = os.environ.get("LANYARD_TEST_KERNEL")
    names = [given] if given else sorted(os.listdir("/lib/modules"), reverse=True) \
        if os.path.isdir("/lib/modules") else []
    for name in sorted(names, key=lambda n: "cloud" not in n):
        image, modules = f"/boot/vmlinuz-{name}", f"/lib/modules/{name}"
        if os.access(image, os.R_OK) and os.access(f"{modules}/modules.dep", os.R_OK):
            return image, modules
    raise Missing("no readable kernel with modules (Debian: apt install linux-image-cloud-amd64)")


def module_closure(modules):
    """Paths below `modules` in the order in which they load."""
    deps, by_name = {}, {}
    with open(f"{modules}/modules.dep") as f:
        for line in f:
            path, rest = line.split(":")
            deps[path] = rest.split()
            by_name[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    with open(f"{modules}/modules.builtin") as f:
        builtin = {os.path.basename(line.strip())[:-3].replace("-", "_") for line in f}
    order = []

    def add(path):
        for dep in deps[path]:
            add(dep)
        if path not in order:
            order.append(path)

    for name in MODULES:
        if name not in builtin:
            need(name in by_name, f"the kernel in {modules} has no module {name}")
            add(by_name[name])
    return order


def module_read(path):
    if path.endswith(".zst"):
        raise Missing(f"{path} is zstd-compressed, which this test cannot unpack")
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(os.path.splitext(path)[1], open)
    with opener(path, "rb") as f:
        return f.read()


def libraries_of(binary):
    out = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
    return [w for w in out.split() if w.startswith("/")]


def file_list(modules):
    """[(name in the image, mode, content)]"""
    files = []
    busybox = shutil.which("busybox")
    need(busybox, "busybox is not installed (Debian: apt install busybox-static)")
    paths = {"/bin/busybox": busybox}
    for tool in TOOLS:
        found = shutil.which(os.path.basename(tool), path="/usr/sbin:/sbin:/usr/bin:/bin")
        need(found, f"{tool} is not installed (Debian: apt install iproute2)")
        paths[tool] = found
    for binary in list(paths.values()):
        paths.update((lib, lib) for lib in libraries_of(binary))
    for name, path in paths.items():
        with open(path, "rb") as f:
            files.append((name[1:], 0o100755, f.read()))
    order = module_closure(modules)
    for i, path in enumerate(order):
        files.append((f"modules/{i}.ko", 0o100644, module_read(f"{modules}/{path}")))
    names = "".join(f"/modules/{i}.ko\n" for i in range(len(order)))
    return files + [("modules/order", 0o100644, names.encode()), ("init", 0o100755, INIT.encode())]


def image_write(path, modules):
    files = file_list(modules)
    folders = {"dev", "proc", "sys"}
    for name, _, _ in files:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[:i + 1]) for i in range(len(parts)))
    with open(path, "wb") as f:
        for folder in sorted(folders):
            f.write(cpio_entry(folder, 0o040755))
        f.write(cpio_entry("dev/console", 0o020600, rdev=(5, 1)))
        for name, mode, data in files:
            f.write(cpio_entry(name, mode, data))
        f.write(cpio_entry("TRAILER!!!", 0))


# ---- the guest ----

class Guest:
    def __init__(self, folder):
        self.folder, self.qemu, self.ctl, self.pending = folder, None, None, b""
        self.nics = []

    def start(self):
        need(shutil.which("qemu-system-x86_64"),
             "qemu-system-x86_64 is not installed (Debian: apt install qemu-system-x86)")
        kernel, modules = kernel_find()
        image_write(f"{self.folder}/initrd", modules)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.folder}/ctl")
        listener.listen(1)
        for i in range(N_NICS):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(f"{self.folder}/t{i}")
            self.nics.append(s)
        with open(f"{self.folder}/qemu.log", "wb") as log:
            self.qemu = subprocess.Popen(self.argv(kernel), stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log)
        listener.settimeout(BOOT_S)
        self.ctl, _ = listener.accept()
        listener.close()
        self.line(BOOT_S, b"ready")

    def argv(self, kernel):
        argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", kernel, "-initrd", f"{self.folder}/initrd",
                "-append", "console=ttyS0 quiet panic=-1 ipv6.disable=1",
                "-serial", f"file:{self.folder}/console",
                "-chardev", f"socket,id=ctl,path={self.folder}/ctl", "-serial", "chardev:ctl"]
        for i in range(N_NICS):
            argv += ["-netdev", f"dgram,id=n{i},local.type=unix,local.path={self.folder}/q{i},"
                                f"remote.type=unix,remote.path={self.folder}/t{i}",
                     # No filter and no offload in the device: the bridge sees every frame as sent.
                     "-device", f"virtio-net-pci,netdev=n{i},mac=52:54:00:00:00:0{i},addr={4 + i},"
                                "vectors=0,romfile=,ctrl_rx=off,ctrl_vlan=off,csum=off,gso=off,"
                                "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,"
                                "guest_ufo=off,guest_announce=off,status=off"]
        return argv

    def stop(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
        for s in self.nics + [self.ctl]:
            if s:
                s.close()

    def line(self, timeout_s, until):
        """Reads lines to one that begins with `until`; returns (that line, those before it)."""
        deadline, before = time.monotonic() + timeout_s, []
        while True:
            while b"\n" in self.pending:
                line, self.pending = self.pending.split(b"\n", 1)
                line = line.strip(b"\r")
                if line.startswith(until):
                    return line, before
                before.append(line)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.ctl], [], [], left)[0]:
                raise RuntimeError(f"the guest said nothing within {timeout_s} s; "
                                   f"last: {before[-3:]}")
            got = self.ctl.recv(65536)
            if not got:
                raise RuntimeError("the guest has gone; see its console:\n" + self.console())
            self.pending += got

    def console(self):
        with open(f"{self.folder}/console", errors="replace") as f:
            return f.read()[-2000:]

    def run(self, command):
        self.ctl.sendall(command.encode() + b"\n")
        status, before = self.line(REPLY_S, b"@")
        if status != b"@0":
            raise RuntimeError(f"in the guest: {command}: {b' '.join(before).decode()}")

    def batch(self, tool, lines):
        """Runs lines of ip or bridge in one go."""
        self.run("printf '%s\\n' " + " ".join(f"'{x}'" for x in lines) + f" | /usr/sbin/{tool} -b -")

    # ---- frames ----

    def send(self, i, frame):
        self.nics[i].sendto(frame, f"{self.folder}/q{i}")

    def collect(self, wanted, got):
        """Adds to got[i] what comes out until marker wanted[i] has come out of each port i."""
        deadline = time.monotonic() + MARKER_S
        wanted = dict(wanted)
        while wanted:
            left = deadline - time.monotonic()
            ready = select.select(self.nics, [], [], max(left, 0))[0]
            if not ready:
                raise RuntimeError(f"no marker on ports {sorted(wanted)} within {MARKER_S} s")
            for s in ready:
                i, frame = self.nics.index(s), s.recv(65536)
                if frame[:18] != MARKER_HEAD:
                    got[i].append(frame.hex())
                elif frame[:26] == wanted.get(i):
                    del wanted[i]

    def barrier(self, i, n_ports, serial, got):
        there = MARKER_HEAD + serial.to_bytes(8, "big")
        back = MARKER_HEAD + (serial + 1).to_bytes(8, "big")
        others = [j for j in range(n_ports) if j != i]
        self.send(i, there + bytes(42))
        self.collect({j: there for j in others}, got)
        self.send(others[0], back + bytes(42))
        self.collect({j: back for j in range(n_ports) if j != others[0]}, got)


# ---- set-ups and steps ----

def vlan_lines(i, port):
    dev = f"dev eth{i}"
    lines = [f"vlan add {dev} vid {MARKER_VID}"]
    if port.mode == "access":
        return lines + [f"vlan add {dev} vid {port.vids} pvid untagged"]
    lines += [f"vlan add {dev} vid {vids}" for vids in port.vids.split(",")]
    if port.native:
        lines.append(f"vlan add {dev} vid {port.native} pvid untagged")
    return lines


def setup_make(guest, setup):
    links = [f"link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0 stp_state 0 "
             f"mcast_snooping 0 ageing_time {setup.ageing_s * 100}"]
    for i in range(len(setup.ports)):
        links += [f"link set eth{i} master br0",
                  # Per port Linux lets all but pause be forwarded; per bridge not LACP either.
                  f"link set eth{i} type bridge_slave group_fwd_mask {setup.forward_reserved:#x}",
                  f"link set eth{i} up"]
    guest.batch("ip", links + ["link set br0 up"])
    guest.batch("bridge", [x for i, p in enumerate(setup.ports) for x in vlan_lines(i, p)])
    states = " ".join(f"/sys/class/net/br0/brif/eth{i}/state" for i in range(len(setup.ports)))
    guest.run(f"while cat {states} | grep -qv 3; do usleep 5000; done")  # 3: forwarding


def setup_end(guest, setup):
    guest.batch("ip", [f"link set eth{i} down" for i in range(len(setup.ports))] + ["link del br0"])


def run_table(guest, table):
    results, serial = {}, 0
    for setup, runs in table.run():
        setup_make(guest, setup)
        for _, steps in runs:
            guest.run("echo 1 >/sys/class/net/br0/bridge/flush")
            for step_id, i, step in steps:
                if not step_id:
                    time.sleep(step.wait_s)
                    continue
                got = [[] for _ in range(N_NICS)]
                guest.send(i, step.frame)
                guest.barrier(i, len(setup.ports), serial, got)
                serial += 2
                results[step_id] = {p.name: got[j] for j, p in enumerate(setup.ports)}
        setup_end(guest, setup)
    return results


def linux_results(path):
    """Results of every step of the table at `path`; raises Missing."""
    table = cases.Table(path)
    with tempfile.TemporaryDirectory(prefix="bref") as folder:
        guest = Guest(folder)
        try:
            guest.start()
            return run_table(guest, table)
        finally:
            guest.stop()


def main():
    try:
        results = linux_results(sys.argv[1])
    except Missing as e:
        print(f"SKIP: {e}", file=sys.stderr)
        return 77
    json.dump(results, sys.stdout, indent=0)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: linux_bridge.py CASES")
    sys.exit(main())
