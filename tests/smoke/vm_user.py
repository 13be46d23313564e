#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whose QEMU is: where root starts a VM, a user of its own without any right, to whom its files are handed; a guest that
got out of one QEMU finds nothing of another. An ordinary user's QEMU is that user's."""
import glob
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys

import session
from session import Session, await_true, binary, need, skip

NUMBERS = range(61440, 65520)
USERS_DIR = "/run/lanyard-users"
STRANGER = 61183

# Writes itself to the second sector by the BIOS, and says W on the serial port, or F where that failed.
BOOT = bytes.fromhex("31c0 8ed8 8ec0 8ed0 bc007c b80103 bb007c b90200 b600 cd13 7204 b057 eb02 b046"
                     "baf803 ee b00a ee f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
SIZE = 1 << 20


def disk_make(path, mode=0o600):
    with open(path, "wb") as f:
        f.write(BOOT.ljust(SIZE, b"\0"))
    os.chmod(path, mode)


def overlay_make(path, backing):
    """An empty qcow2 image over a raw one."""
    cluster, name = 1 << 16, backing.encode()
    ext = struct.pack(">II8s", 0xe2792aca, 3, b"raw") + struct.pack(">II", 0, 0)
    head = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 104 + len(ext), len(name), 16, SIZE, 0, 1, 3 * cluster,
                       cluster, 1, 0, 0, 0, 0, 0, 4, 104) + ext + name
    with open(path, "wb") as f:
        f.write(head.ljust(cluster, b"\0") + struct.pack(">Q", 2 * cluster).ljust(cluster, b"\0") +
                struct.pack(">4H", 1, 1, 1, 1).ljust(cluster, b"\0") + bytes(cluster))
    os.chmod(path, 0o600)


def show(s, name):
    return s.json("vm", "show", name)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def no_right_is_left(s, name):
    """Returns its user."""
    vm = show(s, name)
    is_ = status_of(vm["pid"])
    ids = {int(word) for word in is_["Uid"].split() + is_["Gid"].split()}
    assert len(ids) == 1 and ids <= set(NUMBERS) and str(*ids) == vm["user"], (is_, vm)
    assert not is_["Groups"].strip(), is_
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(is_[kind], 16) == 0, (kind, is_)
    assert is_["NoNewPrivs"] == "1" and is_["Seccomp"] == "2", is_
    with open(f"/proc/{vm['pid']}/limits", encoding="ascii") as f:
        limits = {line[:26].strip(): line[26:].split() for line in f}
    assert limits["Max core file size"][:2] == ["0", "0"], limits
    assert limits["Max processes"][1] == str(vm["cpus"] + 256), limits
    with open(f"/proc/{vm['pid']}/maps", encoding="ascii") as f:
        assert "memfd:memory-backend-memfd" in f.read()
    return ids.pop()


def await_written(s, name):
    said = await_true("the guest has tried to write", lambda: s.cli("vm", "log", name).stdout.strip()[-1:])
    assert said == "W", s.cli("vm", "log", name).stdout


def disk_of_root_boots_and_is_written(s, closed):
    disk = os.path.join(closed, "d.img")
    disk_make(disk)
    s.cli("vm", "start", "d1", "--disk", disk, "--nic", "br,model=e1000")
    await_written(s, "d1")
    with open(disk, "rb") as f:
        f.seek(512)
        assert f.read(512) == BOOT
    is_ = os.stat(disk)
    assert (is_.st_uid, stat.S_IMODE(is_.st_mode)) == (0, 0o600), is_
    # One disk is one VM's, also where both QEMUs were handed it.
    done = s.cli("vm", "start", "d9", "--disk", disk, check=False)
    assert done.returncode == 1 and f"Is another process using the image [{disk}]?" in done.stderr, done
    s.cli("vm", "rm", "d9")


def backing_file_is_opened_with_qemus_rights_only(s, closed):
    base, over = s.path("base.img"), os.path.join(closed, "over.qcow2")
    disk_make(base)
    overlay_make(over, "../base.img")
    done = s.cli("vm", "start", "d2", "--disk", over, check=False)
    assert done.returncode == 1 and "base.img\", the backing file of its disk, cannot be read by user 6" in \
        done.stderr and "Permission denied" in done.stderr, done
    os.chmod(base, 0o644)
    # By the folder of the disk's, which is closed.
    done = s.cli("vm", "start", "d2", "--disk", over, check=False)
    assert done.returncode == 1 and "Permission denied" in done.stderr, done
    overlay_make(over, base)
    s.cli("vm", "start", "d2", "--disk", over)
    await_written(s, "d2")
    with open(base, "rb") as f:
        assert f.read() == BOOT.ljust(SIZE, b"\0")
    no_right_is_left(s, "d2")
    s.cli("vm", "kill", "d2")
    overlay_make(over, "nbd://localhost/x")
    done = s.cli("vm", "start", "d2", "--disk", over, check=False)
    assert done.returncode == 1 and 'its backing file is "nbd://localhost/x", which is no path' in done.stderr, done
    s.cli("vm", "rm", "d2")


# Run as another VM's user: prints what it could do.
INTRUDER = """
import errno, os, socket, sys
done = []
def may(what, how):
    try:
        how()
        done.append(what)
    except OSError:
        pass
def connect(path, kind):
    with socket.socket(socket.AF_UNIX, kind) as s:
        try:
            s.connect(path)
        except OSError as e:
            # It got there: the socket is of another kind, or talks to another one only.
            if e.errno not in (errno.EPROTOTYPE, errno.EPERM):
                raise
folder, pid = sys.argv[1], int(sys.argv[2])
for path in sys.argv[3:]:
    may("read " + path, lambda: os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    may("write " + path, lambda: os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    may("connect " + path, lambda: connect(path, socket.SOCK_STREAM))
    may("send to " + path, lambda: connect(path, socket.SOCK_DGRAM))
may("make a file", lambda: os.open(folder + "/x", os.O_CREAT | os.O_RDWR))
may("list its descriptors", lambda: os.listdir(f"/proc/{pid}/fd"))
may("read its memory", lambda: os.open(f"/proc/{pid}/mem", os.O_RDONLY))
may("signal it", lambda: os.kill(pid, 0))
print(*done, sep="\\n", end="")
"""


def intrude(uid, s, pid, paths):
    return subprocess.run(
        ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", sys.executable,
         "-c", INTRUDER, os.path.join(s.run_dir, "vm"), str(pid), *paths],
        capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


def another_vm_finds_nothing(s, closed, users):
    vm = show(s, "d1")
    path, = (p for p in glob.glob(os.path.join(s.run_dir, "vm", "*.json")) if json.load(open(p))["spec"]["name"] == "d1")
    own = glob.glob(path[:-4] + "*") + glob.glob(path[:-4] + "q/*") + [os.path.join(closed, "d.img")]
    others = [os.path.join(s.run_dir, "switch.sock"), os.path.join(USERS_DIR, vm["user"])]
    for what in (".sock", ".con", ".qmp", ".ser", ".agt", ".log", ".d0", ".q/n0"):
        assert path[:-5] + what in own, (what, own)
    done = intrude(users["h1"], s, vm["pid"], own + others)
    assert done == [], done
    # What it has itself: its process, and a socket of the switch's, which takes what it has bound itself only.
    dgram = path[:-5] + ".d0"
    done = intrude(users["d1"], s, vm["pid"], own + others)
    assert sorted(done) == sorted(["signal it", "read its memory", "list its descriptors", f"connect {dgram}",
                                   f"send to {dgram}"]), done
    # Its folder is its own no more, so that nothing else gets there.
    folder = os.stat(path[:-4] + "q")
    assert (folder.st_uid, stat.S_IMODE(folder.st_mode)) == (0, 0o700), folder


def another_supervisor_knows_the_user(s):
    vm = show(s, "h1")
    with open(next(p for p in glob.glob(os.path.join(s.run_dir, "vm", "*.json"))
                   if json.load(open(p))["spec"]["name"] == "h1"), encoding="ascii") as f:
        noted = json.load(f)
    os.kill(noted["guard"]["pid"], signal.SIGKILL)
    os.kill(noted["supervisor"]["pid"], signal.SIGKILL)
    again = show(s, "h1")
    assert (again["pid"], again["user"]) == (vm["pid"], vm["user"]) and \
        again["supervisor_pid"] != vm["supervisor_pid"], again
    s.cli("vm", "wait", "h1", "--for", "30s")
    assert s.cli("exec", "h1", "--", "echo", "there").stdout == "there\n"
    assert os.path.exists(os.path.join(USERS_DIR, vm["user"]))


def nothing_is_left(s, users):
    for name in ("d1", "h1"):
        s.cli("vm", "kill", name)
        s.cli("vm", "rm", name)
    assert os.listdir(os.path.join(s.run_dir, "vm")) == []
    for uid in users.values():
        assert not os.path.exists(os.path.join(USERS_DIR, str(uid))), uid


def guests_have_users_of_their_own():
    if os.geteuid():
        skip("only root becomes other users")
    with Session() as s:
        closed = s.path("closed")
        os.mkdir(closed, 0o700)
        os.chmod(s.dir, 0o711)
        kernel = os.path.join(closed, "vmlinuz")
        shutil.copyfile(next(f["text"].split()[0] for f in s.json("doctor", check=False) if f["name"] == "kernel"),
                        kernel)
        os.chmod(kernel, 0o600)
        s.cli("bridge", "add", "br")
        try:
            # A kernel that only root reads.
            s.cli("vm", "start", "h1", "--image", "busybox", "--kernel", kernel, "--nic", "br", "--memory", "128M")
            disk_of_root_boots_and_is_written(s, closed)
            users = {name: no_right_is_left(s, name) for name in ("h1", "d1")}
            assert users["h1"] != users["d1"]
            backing_file_is_opened_with_qemus_rights_only(s, closed)
            another_vm_finds_nothing(s, closed, users)
            s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
            assert s.port("h1.eth0")["state"] == "up"
            another_supervisor_knows_the_user(s)
            nothing_is_left(s, users)
        finally:
            for name in ("h1", "d1", "d2", "d9"):
                s.cli("vm", "kill", name, check=False)


def user_can_be_said():
    with Session(daemon=False) as s:
        os.chmod(s.dir, 0o711)
        disk_make(s.path("d.img"))
        start = ["vm", "start", "d1", "--disk", s.path("d.img"), "--nic", "user", "--user"]
        done = s.cli(*start, "none-such", check=False)
        assert done.returncode and 'there is no user "none-such"' in done.stderr, done
        if os.geteuid():
            done = s.cli(*start, "root", check=False)
            assert done.returncode and 'only root starts a VM for another user, "root"' in done.stderr, done
            return
        try:
            for word, uid, reason in (("root", 0, "asked for"), (str(STRANGER), STRANGER, "")):
                s.cli(*start, word)
                vm = show(s, "d1")
                assert set(map(int, status_of(vm["pid"])["Uid"].split())) == {uid}, vm
                assert vm["user_reason"] == reason and vm["user"] == ("root" if uid == 0 else str(uid)), vm
                s.cli("vm", "stop", "d1", "--within", "0s")
            # What was said is remembered.
            s.cli("vm", "start", "d1")
            assert show(s, "d1")["user"] == str(STRANGER)
        finally:
            s.cli("vm", "kill", "d1", check=False)


def socket_of_a_port_is_given_away():
    with Session() as s:
        s.cli("bridge", "add", "br")
        mine = str(os.geteuid())
        whose = str(STRANGER) if os.geteuid() == 0 else mine
        s.cli("port", "add", "p1", "--bridge", "br", "--type", "vhost-user", "--listen", "--path", s.path("p1"),
              "--owner", whose, "--mode", "0600")
        s.cli("port", "add", "p2", "--bridge", "br", "--type", "dgram", "--path", s.path("p2"), "--peer",
              s.path("peer"), "--owner", whose, "--group", whose if os.geteuid() == 0 else str(os.getegid()),
              "--mode", "0620")
        for name, mode in (("p1", 0o600), ("p2", 0o620)):
            is_ = os.stat(s.path(name))
            assert (is_.st_uid, stat.S_IMODE(is_.st_mode)) == (int(whose), mode), (name, is_)
            assert (s.port(name)["owner"], s.port(name)["mode"]) == (whose, f"0{mode:o}"), s.port(name)
        for words, said in ((["--mode", "0755"], 'port "p3": "0755" is no mode of a socket, like 0660'),
                            (["--owner", "none-such"], 'port "p3": there is no user "none-such"'),
                            (["--group", "none-such"], 'port "p3": there is no group "none-such"')):
            done = s.cli("port", "add", "p3", "--bridge", "br", "--type", "vhost-user", "--listen", "--path",
                         s.path("p3"), *words, check=False)
            assert done.returncode and said in done.stderr and not os.path.exists(s.path("p3")), done
        done = s.cli("port", "add", "p3", "--bridge", "br", "--type", "vhost-user", "--path", s.path("p3"), "--owner",
                     whose, check=False)
        assert "a port that connects has no socket of its own" in done.stderr, done
        # It is saved, and comes back with the switch.
        saved = s.cli("show", "config").stdout
        session.kill_switch(s.daemon.pid)
        s.daemon.wait()
        s.start()
        assert s.cli("show", "config").stdout == saved and f"owner: {whose}, mode: 0600" in saved, saved
        for name, mode in (("p1", 0o600), ("p2", 0o620)):
            is_ = os.stat(s.path(name))
            assert (is_.st_uid, stat.S_IMODE(is_.st_mode)) == (int(whose), mode), (name, is_)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga", "setpriv")
    session.run(socket_of_a_port_is_given_away, user_can_be_said, guests_have_users_of_their_own)
