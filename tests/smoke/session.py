# SPDX-License-Identifier: BSD-3-Clause
"""A user's session for smoke tests: a daemon of its own, the CLI, and cleaning up.

What     Session() starts lanyard-switch in a temporary folder; cli() and json() run `lanyard`
         there. Programs started with spawn() end with the session, also when a test fails.
How      Waits are for events (await_true), never for time. close() checks that the counters of
         every port add up and that the daemon ends by itself.
Keep     KEEP=1 leaves the folder and the daemon and says how to look around.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIP = 77
BUILD = os.environ.get("LANYARD_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIP)


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            skip(f"{p} is not installed (tests/install-deps installs it)")


def binary(name):
    for place in ("control/cli", "control/daemon", "control/host", "vm-launcher", "tests", "tests/evil", "tests/planted",
                  "bench"):
        path = os.path.abspath(os.path.join(BUILD, place, name))
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    sys.exit(f"{name} is not built in {BUILD}")


def await_true(what, condition, seconds=60):
    """Returns the condition's first true value; fails with `what` after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def start_time(pid):
    """In clock ticks since boot, as /proc has it; None: there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return None


def n_fds(s):
    """Once it has closed the connections of commands that are over."""
    seen = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        seen.append(len(os.listdir(f"/proc/{s.pid}/fd")))
        time.sleep(0.01)
    return seen[-1]


def children(pid):
    """Of a process without threads."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_over(pid):
    """No thread of it is left: the first may be a zombie while another one still holds the descriptors."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(") ", 1)[1][0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) == 1
    except FileNotFoundError:
        return True


def kill_switch(keeper):
    """Keeper, packet process and spare at once, as when a machine dies: none of them sees another's end."""
    os.kill(keeper, signal.SIGSTOP)
    pids = children(keeper) + [keeper]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await_true("the switch is gone", lambda: all(map(is_over, pids)))


class Session:
    def __init__(self, *daemon_args, daemon=True):
        self.dir = tempfile.mkdtemp(prefix="lanyard-smoke-")
        self.run_dir = os.path.join(self.dir, "run")
        self.state_dir = os.path.join(self.dir, "state")
        self.children = []
        self.daemon = None
        self.env = dict(os.environ, LANYARD_RUN_DIR=self.run_dir, LANYARD_STATE_DIR=self.state_dir)
        if daemon:
            self.start(*daemon_args)

    def start(self, *daemon_args, program=None):
        self.log = open(os.path.join(self.dir, "switch.log"), "ab")
        self.daemon = subprocess.Popen(
            [program or binary("lanyard-switch"), "--run-dir", self.run_dir, "--state-dir", self.state_dir,
             *daemon_args], stderr=self.log, stdin=subprocess.DEVNULL)
        await_true("the daemon answers", lambda: self.daemon.poll() is not None or
                   self.cli("status", check=False).returncode == 0)
        if self.daemon.poll() is not None:
            raise AssertionError("the daemon ended: " + self.log_text())

    @property
    def pid(self):
        """Of the process that forwards: other than self.daemon's, which is its keeper."""
        return self.json("status")["daemon"]["pid"]

    def pids(self):
        """The keeper, which self.daemon is, the one that forwards, and, after a second, the warm spare."""
        return [self.daemon.pid, *(p for p in children(self.daemon.pid) if comm(p) != "lanyard-host")]

    @property
    def helper_pid(self):
        """Of lanyard-host, or None: it starts when there is something to do."""
        return next((p for p in children(self.daemon.pid) if comm(p) == "lanyard-host"), None)

    @property
    def dhcp_pid(self):
        """Of lanyard-dhcp, the helper's child that runs dnsmasqs, or None."""
        return next((p for p in children(self.helper_pid or 0) if comm(p) == "lanyard-dhcp"), None)

    def await_spare(self):
        """The keeper starts it a second after the first: then only what happens costs anything."""
        def schedstat(pid):
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
                return f.read()

        def sleeps():
            pids = self.pids()
            # EAL's threads come last.
            if len(pids) < 3 or len(os.listdir(f"/proc/{pids[2]}/task")) < 3:
                return False
            before = schedstat(pids[2])
            time.sleep(0.3)
            # One that died may have been among them.
            return self.pids() == pids and schedstat(pids[2]) == before

        await_true("there is a spare", sleeps)

    def kill(self):
        kill_switch(self.daemon.pid)
        self.daemon.wait()

    def log_text(self):
        """What the session's switch said, or the one that `lanyard up` started."""
        for place in (self.dir, self.run_dir):
            path = os.path.join(place, "switch.log")
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    return f.read()
        return ""

    def cli(self, *words, check=True, stdin=None, timeout=120, cwd=None):
        done = subprocess.run([binary("lanyard"), *words], env=self.env, text=True,
                              capture_output=True, input=stdin, timeout=timeout, cwd=cwd)
        if check and done.returncode:
            raise AssertionError(f"lanyard {' '.join(words)}: exit {done.returncode}: "
                                 f"{done.stderr}{done.stdout}")
        return done

    def json(self, *words, **kw):
        return json.loads(self.cli("--json", *words, **kw).stdout)

    def port(self, name):
        return next(p for p in self.json("port", "show") if p["name"] == name)

    def await_port(self, name, state, seconds=20):
        await_true(f"port {name} is {state} (it is {self.port(name)['state']}: "
                   f"{self.port(name)['reason']})",
                   lambda: self.port(name)["state"] == state, seconds)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        """A file in the session's folder; its path."""
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def spawn(self, *argv, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(argv, **kw)
        self.children.append(child)
        return child

    def end(self, child, how=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(how)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child in self.children:
            self.children.remove(child)

    def is_served(self):
        """A switch answers, and it is this session's."""
        done = self.cli("--json", "status", check=False)
        return done.returncode == 0 and json.loads(done.stdout)["daemon"]["run_dir"] == self.run_dir

    def sums_check(self):
        """Every port, at rest: received = forwarded + dropped. Says which reasons were seen."""
        def open_sums():
            ports = self.json("port", "show")
            return [f"{p['name']}: {c}" for p in ports for c in [p["counters"]]
                    if c["rx_frames"] != c["rx_forwarded"] + sum(c["rx_drops"].values())], ports

        end = time.monotonic() + 5
        wrong, ports = open_sums()
        while wrong and time.monotonic() < end:
            time.sleep(0.02)
            wrong, ports = open_sums()
        assert not wrong, "the counters of these ports do not add up: " + "; ".join(wrong)
        seen = {f"{way[:2]} {reason}" for p in ports for way in ("rx_drops", "tx_drops")
                for reason, n in p["counters"][way].items() if n}
        if seen:
            print("   drops seen:", ", ".join(sorted(seen)))

    def close(self, failed=False):
        for child in list(self.children):
            self.end(child)
        if os.environ.get("KEEP"):
            print(f"kept: LANYARD_RUN_DIR={self.run_dir} LANYARD_STATE_DIR={self.state_dir} "
                  f"{binary('lanyard')}; log {self.dir}/switch.log; pid {self.daemon and self.daemon.pid}")
            return
        try:
            # Also of a switch that `lanyard up` started, where one still runs.
            if not failed and self.is_served():
                self.sums_check()
            if self.daemon and not failed:
                self.cli("stop")
                self.daemon.wait(5)
                assert self.daemon.returncode == 0, self.log_text()
        finally:
            if self.daemon and self.daemon.poll() is None:
                self.daemon.kill()
                self.daemon.wait()
            if failed:
                print(self.log_text()[-4000:], file=sys.stderr)
            self.vms_end()
            shutil.rmtree(self.dir, ignore_errors=True)

    def vms_end(self):
        """Those that a test left: a guest outlives its supervisor. Which is which is noted with its start time."""
        for name in os.listdir(folder) if os.path.isdir(folder := os.path.join(self.run_dir, "vm")) else []:
            if not name.endswith(".json"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                noted = json.load(f)
            for part in ("guard", "supervisor", "qemu"):
                who = noted.get(part) or {}
                if who.get("pid") and start_time(who["pid"]) == who.get("start"):
                    os.kill(who["pid"], signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(failed=kind is not None)


class Asked:
    """A program that answers each line with a line of JSON."""

    def __init__(self, s, *argv):
        self.child = s.spawn(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word=""):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"{self.child.args[0]} ended: {self.child.wait()}"
        return json.loads(line)


class LabSession(Session):
    """One whose switch a lab starts; at its end the counters add up, and all labs are taken down, also after a failure."""

    def __init__(self):
        super().__init__(daemon=False)

    def up(self, text, *words, **kw):
        """Brings up the lab that the text describes; the path of its file."""
        path = self.write("lab.yaml", text)
        self.cli("up", path, *words, **kw)
        return path

    def close(self, failed=False):
        try:
            if not failed and self.is_served():
                self.sums_check()
        finally:
            if not os.environ.get("KEEP"):
                self.cli("down", check=False)
                self.cli("stop", check=False)
            super().close(failed)


def run(*tests):
    """Runs the functions in order, each named for its rule, and prints one line each."""
    for test in tests:
        start = time.monotonic()
        test()
        print(f"ok {test.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
