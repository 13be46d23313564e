#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Configuration that survives: a save that is killed or fails at each of its system calls.

How      strace looks at the control thread's calls on the state folder alone, and tampers with the one that is told.
"""
import json
import os
import re
import subprocess

from session import Session, await_true, need


def traced(s, *inject):
    args = ["strace", "-o", s.path("calls"), "-p", str(s.pid), "-P", s.state_dir]
    for name in ("config.json.new", "config.json"):
        args += ["-P", os.path.join(s.state_dir, name)]
    p = subprocess.Popen(args + list(inject), stderr=subprocess.PIPE, text=True)
    s.children.append(p)
    assert "attached" in p.stderr.readline(), "strace attaches"
    return p


def calls(s):
    with open(s.path("calls"), encoding="ascii") as f:
        return [line.strip() for line in f if re.match(r"\w+\(", line)]


def saved(s):
    """Each generation that is there, checked as any JSON reader would."""
    found = []
    for n in range(5):
        path = os.path.join(s.state_dir, f"config.{n}.json" if n else "config.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                found.append(sorted(json.load(f)["document"]["bridges"]))
    return found


def bridges(s):
    return sorted(b["name"] for b in s.json("bridge", "show"))


def order_is_kept():
    with Session("--workers", "1") as s:
        for n in range(3):
            s.cli("bridge", "add", f"b{n}")
        p = traced(s)
        s.cli("bridge", "add", "last")
        s.end(p)
        seen = calls(s)
        at = [next(i for i, c in enumerate(seen) if re.match(what, c)) for what in
              (r'openat\(\d+, "config.json.new"', r"write\(", r"fsync\(",
               r'renameat\(\d+, "config.json.new", \d+, "config.json"\)',
               r'renameat\(\d+, "config.json.old"')]
        folder = re.match(r"openat\((\d+)", seen[at[0]])[1]
        synced = [i for i, c in enumerate(seen) if c.startswith(f"fsync({folder})")]
        assert at == sorted(at) and len(synced) == 1 and at[3] < synced[0] < at[4], seen
        assert saved(s)[0] == ["b0", "b1", "b2", "last"] and saved(s)[1] == ["b0", "b1", "b2"], saved(s)
        return [c.split("(")[0] for c in seen]


def killed_at(call, nth):
    """The nth such call of a save of four bridges after three."""
    with Session("--workers", "1", "--no-keeper") as s:
        for i in range(3):
            s.cli("bridge", "add", f"b{i}")
        p = traced(s, "-e", f"inject={call}:signal=KILL:when={nth}")
        assert s.cli("bridge", "add", "last", check=False).returncode, f"{call} {nth} ends the switch"
        s.daemon.wait(10)
        p.wait(10)
        before = [["b0", "b1", "b2"], ["b0", "b1"], ["b0"]]
        s.start("--workers", "1")
        assert "damaged" not in s.log_text() and "changes back" not in s.log_text(), s.log_text()
        kept = saved(s)
        assert kept in (before, [["b0", "b1", "b2", "last"]] + before), f"killed at {call} {nth}: {kept}"
        assert bridges(s) == kept[0], f"killed at {call} {nth}: {bridges(s)} run, {kept[0]} are saved"
        left = set(os.listdir(s.state_dir)) - {"switch.lock"}
        assert all(re.fullmatch(r"config(\.\d)?\.json", f) for f in left if f.startswith("config")), left


def fails(s, what, error, when, words):
    """The change is answered with an error and nothing is different, here or on disk."""
    ran, kept = bridges(s), saved(s)
    p = traced(s, "-e", f"inject={what}:error={error}:when={when}")
    done = s.cli(*words, check=False)
    s.end(p)
    hurt = [c for c in calls(s) if "(INJECTED)" in c]
    assert hurt, f"{what} {when}: {calls(s)}"
    if done.returncode == 0:
        assert re.match(r"unlinkat|renameat\(\d+, \"config\.(\d|json\.old)|linkat|close", hurt[0]), hurt
        return False
    assert "nothing was changed: the configuration cannot be saved" in done.stderr, done.stderr
    await_true(f"{what} {when} left what ran: {ran}, not {bridges(s)}", lambda: bridges(s) == ran)
    assert saved(s) == kept, f"{what} {when}: {kept} became {saved(s)}"
    return True


def failures():
    """Returns how many kinds of failure were answered with an error."""
    n = 0
    with Session("--workers", "1") as s:
        s.cli("bridge", "add", "b0")
        s.cli("bridge", "add", "b1")
        s.cli("port", "add", "p0", "--bridge", "b0", "--type", "vhost-user", "--listen", "--path", s.path("p0.s"))
        for what, error, whens in (("openat", "EACCES", [1]), ("write", "ENOSPC", [1, 2, 3]),
                                   ("fsync", "EIO", [1, 2]), ("close", "EIO", [1]), ("renameat", "EIO", [1])):
            for when in whens:
                n += fails(s, what, error, when, ("bridge", "add", "more"))
        n += fails(s, "write", "ENOSPC", 2, ("port", "set", "p0", "access=7"))
        n += fails(s, "write", "ENOSPC", 2, ("port", "del", "p0"))
        p0 = s.port("p0")
        assert p0["state"] == "waiting" and p0["vlan"]["mode"] == "trunk", p0
        n += apply_fails(s)
        s.cli("bridge", "add", "more")
        assert saved(s)[0] == ["b0", "b1", "more"], saved(s)
    return n


def apply_fails(s):
    s.write("new.yaml", "bridges: {other: {}}\nports: {}\n")
    n = fails(s, "fsync", "EIO", 1, ("apply", s.path("new.yaml")))
    s.cli("apply", s.path("new.yaml"), "--confirm", "60s")
    assert bridges(s) == ["other"]
    n += fails(s, "fsync", "EIO", 1, ("confirm",)) if False else 0
    s.cli("rollback")
    assert bridges(s) == ["b0", "b1"] and s.port("p0")["state"] == "waiting"
    return n


def main():
    need("strace")
    seen = order_is_kept()
    print(f"a save makes {len(seen)} system calls, in the order write, sync, rename, sync the folder, move older ones")
    for i, call in enumerate(seen):
        killed_at(call, seen[:i + 1].count(call))
    print(f"killed at each of {len(seen)} calls: the old or the new one runs, and all generations are whole")
    print(f"{failures()} failures of a save were answered, and changed nothing")


if __name__ == "__main__":
    main()
