#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo as an ordinary user, with folders of that user's own and nothing else: it comes up, holds, and goes; while it
runs neither the process that forwards nor any QEMU has a right, and the former may do next to nothing."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import session
from session import await_true, binary, need

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/demo")
USER = 61183 if os.geteuid() == 0 else os.geteuid()


def as_user(*words, env, **kw):
    if os.geteuid() == 0:
        words = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--inh-caps=-all", *words)
    return subprocess.run(words, env=env, text=True, capture_output=True, timeout=200, check=False, **kw)


def status_of(pid):
    return [dict(line.rstrip("\n").split(":\t", 1) for line in open(f"/proc/{pid}/task/{tid}/status", encoding="ascii")
                 if ":\t" in line) for tid in os.listdir(f"/proc/{pid}/task")]


def has_no_right(pid):
    for thread in status_of(pid):
        assert set(map(int, thread["Uid"].split())) == {USER}, thread
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[kind], 16) == 0, (kind, thread)
        assert thread["NoNewPrivs"] == "1" and thread["Seccomp"] == "2", thread


def lab_is_up_and_confined(env):
    def lanyard(*words):
        done = as_user(binary("lanyard"), *words, env=env)
        assert done.returncode == 0, done
        return done.stdout

    daemon = json.loads(lanyard("--json", "status"))["daemon"]
    assert "no capabilities, 50 system calls" in daemon["confined"], daemon
    print("   confined:", daemon["confined"])
    has_no_right(daemon["pid"])
    vms = json.loads(lanyard("--json", "vm", "list"))
    assert len(vms) == 3 and all(vm["ready"] and vm["user_reason"] == "" for vm in vms), vms
    for vm in vms:
        has_no_right(vm["pid"])
    assert "2 packets received" in lanyard("exec", "h1", "--", "ping", "-c", "2", "10.0.10.12")
    pids = [daemon["pid"], daemon["keeper_pid"], *(vm["pid"] for vm in vms)]
    lanyard("down")
    await_true("all of it has ended", lambda: all(session.is_over(pid) for pid in pids))


def demo_runs_as_an_ordinary_user():
    home = tempfile.mkdtemp(prefix="lanyard-smoke-")
    env = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home, "LANYARD_BUILD": os.path.abspath(session.BUILD),
           "LANYARD_STATE_DIR": os.path.join(home, "state")}
    try:
        if os.geteuid() == 0:
            os.chown(home, USER, USER)
            if as_user("test", "-x", binary("lanyard"), env=env).returncode:
                session.skip(f"user {USER} cannot read {session.BUILD}")
        done = as_user(DEMO, "--keep", env=env)
        assert done.returncode == 0, done
        assert "3 guests" in done.stdout and re.search("ok +same vlan", done.stdout) and \
            re.search("ok +other vlan", done.stdout), done.stdout
        env["LANYARD_RUN_DIR"] = re.search(r"LANYARD_RUN_DIR=(\S+)", done.stdout)[1]
        try:
            lab_is_up_and_confined(env)
        finally:
            as_user(binary("lanyard"), "down", env=env)
            shutil.rmtree(os.path.dirname(env["LANYARD_RUN_DIR"]), ignore_errors=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


need("qemu-system-x86_64", "busybox", "qemu-ga", "setpriv")
session.run(demo_runs_as_an_ordinary_user)
