# SPDX-License-Identifier: BSD-3-Clause
"""What rights the threads of a process have left, as the kernel has it."""
import os

NOBODYS = range(61184, 65520)


def threads(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="ascii") as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def rights_check(pid, uid=None):
    """No thread has any; uid: whose they are, None: a number that is nobody's."""
    seen = list(threads(pid))
    assert len(seen) >= 3, seen
    for t in seen:
        uids = {int(word) for word in t["Uid"].split() + t["Gid"].split()}
        assert uids == {uid} if uid else len(uids) == 1 and uids <= set(NOBODYS), t
        assert not t["Groups"].strip() or uid, t
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb") + (() if uid else ("CapBnd",)):
            assert int(t[kind], 16) == 0, (kind, t)
        assert t["NoNewPrivs"] == "1" and t["Seccomp"] == "2", t
    return seen
