# SPDX-License-Identifier: BSD-3-Clause
"""Lanyard's own image with more programs, for tests and measurements with guests."""
import os
import re
import shutil
import subprocess


def libraries(program):
    """Absolute paths of what a program of this host is linked with."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", out)


def initrd_make(s, *programs):
    """Lanyard's own image with programs of this host behind it: Linux takes archives in a row."""
    s.cli("vm", "start", "image", "--nic", "user")
    s.cli("vm", "kill", "image")
    s.cli("vm", "rm", "image")
    images = os.path.join(s.state_dir, "images")
    base = os.path.join(images, next(f for f in os.listdir(images) if f.endswith(".cpio")))
    root, names = s.path("root"), set()
    for program in programs:
        for path in [program, *libraries(program)]:
            name = "usr/bin/" + os.path.basename(path) if path == program else path[1:]
            os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
            shutil.copy(path, os.path.join(root, name))
            while name:
                names.add(name)
                name = os.path.dirname(name)
    more = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, check=True,
                          input="\n".join(sorted(names)).encode(), stdout=subprocess.PIPE).stdout
    initrd = s.path("initrd.cpio")
    with open(base, "rb") as f, open(initrd, "wb") as out:
        out.write(f.read() + more)
    return initrd
