#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the process that forwards may still do: it is nobody's, without capabilities, with few system calls; one that
is not among them ends it by name, and its ports go on; its cores have nothing of guests; an ordinary user's is
confined as root's is."""
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile

import session
from rights import NOBODYS, rights_check
from session import Session, await_true, binary
from steady import BURST, Steady, status

FRAME = bytes((2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5))  # from steady's first port to its second


def await_successor(s, pid, n):
    return await_true("another process forwards", lambda: (
        lambda d: d["pid"] if d["pid"] != pid and d["restarts"]["n"] == n else 0)(status(s)))


def no_thread_keeps_a_right(s, load):
    pid = status(s)["pid"]
    rights_check(pid)
    assert "is confined: user " in s.log_text(), s.log_text()
    assert re.match(r"user \d+, no capabilities, \d+ system calls", status(s)["confined"]), status(s)
    facts = {f["name"]: f for f in s.json("doctor", check=False)}
    assert facts["confined"]["state"] == "ok", facts["confined"]
    s.await_spare()
    os.kill(pid, signal.SIGKILL)
    rights_check(await_successor(s, pid, 1))
    load.await_frames(1000)
    load.check(load.report())


def a_call_that_is_not_listed_is_named_and_ports_go_on(s, load):
    pid = status(s)["pid"]
    s.await_spare()
    load.doubles_now = 0
    os.kill(pid, signal.SIGUSR2)
    await_successor(s, pid, 2)
    assert "system call 110 (getppid) is not allowed" in s.log_text(), s.log_text()
    assert "signal 31" in status(s)["restarts"]["reason"], status(s)["restarts"]
    load.await_frames(1000)
    r = load.report()
    assert not r["closed"] and not r["lost"] and not r["misordered"], r


def saving_works_without_rights(s, load):
    s.cli("bridge", "add", "saved")
    path = os.path.join(s.state_dir, "config.json")
    with open(path, encoding="utf-8") as f:
        assert '"saved"' in f.read()
    assert os.stat(path).st_uid in NOBODYS and os.stat(os.path.join(s.state_dir, "switch.lock")).st_uid == 0
    assert os.stat(os.path.join(s.run_dir, "switch.sock")).st_uid == 0


def a_core_has_nothing_of_guests(s, load):
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
        pattern = f.read().strip()
    if "/" in pattern or "%" in pattern or pattern.startswith("|"):
        print(f"   cores go to \"{pattern}\" here: not looked at")
        return
    pid = status(s)["pid"]
    if resource.getrlimit(resource.RLIMIT_CORE)[0] != resource.RLIM_INFINITY:
        print("   cores are limited here: not looked at")
        return
    s.await_spare()
    with open(f"/proc/{load.child.pid}/mem", "rb", 0) as mem, open(f"/proc/{load.child.pid}/maps",
                                                                   encoding="ascii") as maps:
        guest = next(line.split()[0].split("-") for line in maps if "memfd" in line)
        begin, end = (int(word, 16) for word in guest)
        mem.seek(begin)
        n_frames = mem.read(end - begin).count(FRAME)
    os.kill(pid, signal.SIGQUIT)
    await_successor(s, pid, 3)
    cores = [name for name in os.listdir(s.state_dir) if name.startswith("core")]
    assert cores, os.listdir(s.state_dir)
    with open(os.path.join(s.state_dir, cores[0]), "rb") as f:
        core = f.read()
    print(f"   a core of {len(core) >> 10} KiB")
    assert b"lanyard-packet" in core and b"p1" in core
    # What a worker had just read of a burst may be in its stack.
    assert n_frames > 2 * BURST and core.count(FRAME) <= BURST, (n_frames, core.count(FRAME))


def as_root():
    if os.geteuid() != 0:
        print("   only root can become another user: not looked at")
        return
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    os.environ["LD_PRELOAD"] = os.path.join(session.BUILD, "tests/violate.so")
    s = Session()  # that is root's default
    del os.environ["LD_PRELOAD"]
    with s:
        load = Steady(s, 2)
        for test in (no_thread_keeps_a_right, a_call_that_is_not_listed_is_named_and_ports_go_on,
                     saving_works_without_rights, a_core_has_nothing_of_guests):
            test(s, load)
            print("   ok", test.__name__, flush=True)
        s.end(load.child)


def roots_folder_is_given_over_and_back():
    if os.geteuid() != 0:
        print("   only root can become another user: not looked at")
        return
    with Session("--user", "root") as s:
        s.cli("bridge", "add", "old")
        path = os.path.join(s.state_dir, "config.json")
        for words, is_root in (((), False), (("--user", "root"), True), (("--user", "auto"), False)):
            owner = [os.stat(p).st_uid for p in (s.state_dir, path)]
            s.cli("stop")
            s.daemon.wait(10)
            s.start(*words)
            assert "old" in [b["name"] for b in s.json("bridge", "show")], s.log_text()
            s.cli("bridge", "add", f"b{owner[0]}{len(words)}")
            owner = [os.stat(p).st_uid for p in (s.state_dir, path)]
            if is_root:
                assert owner == [0, 0] and s.json("status")["daemon"]["confined"] is None, owner
                facts = {f["name"]: f for f in s.json("doctor", check=False)}
                assert facts["confined"]["state"] == "warn" and "--user root" in str(facts["confined"]), facts
            else:
                assert owner[0] == owner[1] and owner[0] in NOBODYS, owner
                rights_check(s.pid)
        assert "keeps all rights of who started it" in s.log_text()


def as_an_ordinary_user():
    """In folders of its own, with the programs where it can reach them."""
    uid = 61183 if os.geteuid() == 0 else os.geteuid()
    top = tempfile.mkdtemp(prefix="lanyard-user-")
    os.chmod(top, 0o755)
    home = os.path.join(top, "home")
    os.mkdir(home)
    for name in ("lanyard-switch", "lanyard-packet", "lanyard-host", "lanyard"):
        shutil.copy(binary(name), top)
    if os.geteuid() == 0:
        os.chown(home, uid, uid)
    env = dict(os.environ, HOME=home, LANYARD_RUN_DIR=f"{home}/run", LANYARD_STATE_DIR=f"{home}/state")
    become = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}

    def cli(*words):
        return subprocess.run([f"{top}/lanyard", *words], env=env, text=True, capture_output=True, check=False,
                              **become)

    with open(f"{top}/log", "wb") as log:
        switch = subprocess.Popen([f"{top}/lanyard-switch"], env=env, stderr=log, cwd="/", **become)
    try:
        await_true("it answers", lambda: cli("status").returncode == 0)
        rights_check(session.children(switch.pid)[0], uid)
        for words in (("bridge", "add", "br0"),
                      ("port", "add", "p0", "--bridge", "br0", "--type", "vhost-user", "--listen", "--path",
                       f"{home}/p0.sock"), ("capture", "p0", "--count", "0"), ("stop",)):
            done = cli(*words)
            assert done.returncode == 0 or words[0] == "capture", (words, done.stderr)
        assert switch.wait(10) == 0
    finally:
        if switch.poll() is None:
            switch.kill()
            switch.wait()
        with open(f"{top}/log", encoding="utf-8") as f:
            text = f.read()
        shutil.rmtree(top)
    assert "is confined: the caller's user" in text, text


session.run(as_root, roots_folder_is_given_over_and_back, as_an_ordinary_user)
