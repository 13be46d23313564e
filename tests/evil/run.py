#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: run.py [evil's options and names of cases]
Starts a switch of its own and runs named attacks on it (tests/evil/evil.h says what passes)."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../smoke"))
from initrd import archive, image_files  # noqa: E402
from session import Session, binary  # noqa: E402

# To a group, so that nobody need answer; bigger than a frame, so that each is a burst.
BURST = b"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
while read -r ko; do busybox insmod "/lib/modules/$(busybox uname -r)/$ko"; done </etc/modules.boot
busybox ip link set eth0 up
busybox ip address add 10.99.0.1/24 dev eth0
busybox ip route add 224.0.0.0/4 dev eth0
for i in 1 2 3 4; do busybox ping -q -s 60000 -i 0.001 239.0.0.1 & done
wait
"""


def guest(s):
    """Where a kernel and an image are that does nothing but send; nothing where there is no QEMU."""
    if not all(map(shutil.which, ("qemu-system-x86_64", "busybox", "qemu-ga"))):
        return []
    kernel, base = image_files(s)
    initrd = s.path("burst.cpio")
    with open(base, "rb") as f, open(initrd, "wb") as out:
        out.write(f.read() + archive("burst", BURST))
    return ["--kernel", kernel, "--initrd", initrd]


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    with Session() as s:
        files = guest(s) if not names or any(n.startswith("qemu") for n in names) else []
        done = subprocess.run([binary("evil"), "--run-dir", s.run_dir, *files, *sys.argv[1:]], check=False)
        assert s.daemon.poll() is None, f"the switch ended with {s.daemon.returncode}"
        assert done.returncode == 0, "some cases failed"


main()
