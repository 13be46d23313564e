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


def image_files(s):
    """Kernel and image of Lanyard's own. Any VM makes the image."""
    s.cli("vm", "start", "image", "--nic", "user")
    folder = os.path.join(s.run_dir, "vm")
    with open(os.path.join(folder, next(f for f in os.listdir(folder) if f.endswith(".json"))), encoding="utf-8") as f:
        kernel, image = (re.search(f'"boot_{k}": ?"([^"]*)"', text)[1] for text in [f.read()] for k in ("kernel", "initrd"))
    s.cli("vm", "kill", "image")
    s.cli("vm", "rm", "image")
    return kernel, image


def archive(name, content):
    """One program, as Linux takes it after an image."""
    def entry(path, mode, data):
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + path + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    return entry(name.encode(), 0o100755, content) + entry(b"TRAILER!!!", 0, b"")


def initrd_make(s, *programs):
    """Lanyard's own image with programs of this host behind it: Linux takes archives in a row."""
    base = image_files(s)[1]
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
