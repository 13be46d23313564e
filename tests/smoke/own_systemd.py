# SPDX-License-Identifier: BSD-3-Clause
"""A real systemd, PID 1 of namespaces of its own, for tests of units; the machine need not run systemd.

What     OwnSystemd(folder, writable) boots one that knows the units in FOLDER/run/systemd/system; ctl() is its
         systemctl, inside() runs a program in there.
How      Namespaces of processes, mounts, network, host name, IPC and cgroups; a root of tmpfs in which /usr and /etc of
         this machine can be read, and nothing but FOLDER written. That is vital: systemd-tmpfiles empties /tmp.
         What lies in FOLDER, /run above all, is seen from outside too. There is no journal and no D-Bus:
         systemctl talks to PID 1 itself.
End      killing that PID 1 ends everything in there; close() does, and removes its control group.
"""
import os
import shutil
import subprocess
import time

import session

# $1: the folder, $2: the root; the rest may be read. Before that, the parent puts us into a control group.
BOOT = r"""
set -e
folder=$1 root=$2; shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=755 root "$root"
cd "$root"
mkdir proc sys dev dev_old run tmp var root etc usr
mount -t tmpfs var var
mount -t tmpfs -o mode=1777 tmp tmp
for d in /usr /etc "$@"; do
	mkdir -p ".$d"
	mount --bind "$d" ".$d"
	mount -o remount,bind,ro ".$d"
done
for d in bin sbin lib lib64 lib32 libx32; do
	[ ! -L "/$d" ] || cp -a "/$d" .
	[ -L "/$d" ] || [ ! -d "/$d" ] || { mkdir "$d"; mount -o bind "/$d" "$d"; mount -o remount,bind,ro "$d"; }
done
mkdir -p ".$folder"
mount --bind "$folder" ".$folder"
mount --bind "$folder/run" run
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/net
for d in null zero full random urandom tty net/tun; do
	touch "dev/$d"
	mount --bind "/dev/$d" "dev/$d"
done
ln -s /proc/self/fd dev/fd
mount -t tmpfs shm dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir old
pivot_root . old
umount -l /old
rmdir /old /dev_old
# As on a machine; systemd leaves that to whoever makes a container.
mount --make-rshared /
ip link set lo up
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lanyard-test \
	/lib/systemd/systemd --system --log-target=console --log-level=$LEVEL --show-status=no --unit=$UNIT
"""


def cgroup2():
    with open("/proc/mounts", encoding="utf-8") as f:
        for line in f:
            where, kind = line.split()[1:3]
            if kind == "cgroup2":
                return where
    return None


def need():
    session.need("unshare", "nsenter", "systemctl", "pivot_root", "ip")
    if os.geteuid() or not os.path.exists("/lib/systemd/systemd") or not cgroup2():
        session.skip("needs root, systemd's programs and cgroup2")


class OwnSystemd:
    def __init__(self, folder, unit, *readable, level="warning"):
        self.folder, self.unit = folder, unit
        self.cgroup = f"{cgroup2()}/lanyard-test-{os.getpid()}"
        root = os.path.join(folder, "root")
        os.makedirs(os.path.join(folder, "run"), exist_ok=True)
        os.makedirs(root, exist_ok=True)
        os.mkdir(self.cgroup)
        self.log = open(os.path.join(folder, "systemd.log"), "ab")
        join = f"echo $$ >{self.cgroup}/cgroup.procs; exec \"$@\""
        # --kill-child: it dies with us, and everything in there with it.
        self.process = subprocess.Popen(
            ["sh", "-c", join, "sh", "unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts",
             "--ipc", "--cgroup", "sh", "-c", BOOT, "sh", folder, root, *readable],
            env=dict(os.environ, UNIT=unit, LEVEL=level), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        self.pid = session.await_true("systemd is there", self._init)

    def _init(self):
        if self.process.poll() is not None:
            raise AssertionError("systemd did not start: " + self.log_text())
        for pid in session.children(self.process.pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                    if f.read() == "systemd\n" and os.path.exists(f"{self.folder}/run/systemd/private"):
                        return pid
            except FileNotFoundError:
                pass
        return 0

    def log_text(self):
        with open(os.path.join(self.folder, "systemd.log"), errors="replace", encoding="utf-8") as f:
            return f.read()

    def inside(self, *words, check=True, **kw):
        kw.setdefault("timeout", 60)
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-a", *words], text=True, capture_output=True,
                              check=False, **kw)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr}{done.stdout}"
                                 f"{self.log_text()[-2000:]}")
        return done

    def ctl(self, *words, check=True):
        return self.inside("systemctl", "--no-pager", *words, check=check)

    def show(self, *names):
        lines = self.ctl("show", self.unit, *(f"--property={n}" for n in names)).stdout.splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return values[names[0]] if len(names) == 1 else values

    def kill(self, pid, sig="KILL"):
        """A process by its number in there."""
        self.inside("/bin/kill", f"-{sig}", str(pid))

    def close(self):
        if self.process.poll() is None:
            for pid in session.children(self.process.pid):
                os.kill(pid, 9)
        self.process.wait(20)
        self.log.close()
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            end = time.monotonic() + 5
            while True:
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)
        shutil.rmtree(os.path.join(self.folder, "root"), ignore_errors=True)
