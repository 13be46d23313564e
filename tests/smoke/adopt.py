#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A VM's supervisor is killed, hangs, or is gone with its guard: the guest goes on without losing a
frame, and another supervisor takes it over."""
import glob
import json
import os
import re
import signal
import subprocess

import session
from hostnet import Net, private
from session import Session, await_true, binary, need

ADDRESS = "10.66.0.2"


def show(s):
    return s.json("vm", "show", "h1")


def file_of(s):
    path, = glob.glob(os.path.join(s.run_dir, "vm", "*.json"))
    with open(path) as f:
        return json.load(f)


def kill(pid, how=signal.SIGKILL):
    os.kill(pid, how)


def ended(pid):
    """Whoever has to wait for it may not have done so yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def await_adopted(s, before, port="up"):
    def adopted():
        vm = show(s)
        return vm["supervisor_pid"] != before["supervisor_pid"] and \
            (vm["ready"] or vm["state"] == "paused") and vm
    vm = await_true("another supervisor", adopted)
    for key in ("pid", "state", "started_at", "ready_s", "reason", "accel"):
        assert vm[key] == before[key], (key, vm, before)
    assert s.port("h1.eth0")["state"] == port
    return vm


def console_talks(s, text):
    out = s.spawn(binary("lanyard"), "console", "h1", env=s.env, stdin=-1, stdout=-1)
    out.stdin.write(f"echo {text[:3]}''{text[3:]}\n".encode())
    out.stdin.flush()
    seen = b""
    while text.encode() not in seen:
        piece = os.read(out.stdout.fileno(), 4096)
        assert piece, seen
        seen += piece
    s.end(out)


def all_works(s, text):
    assert s.cli("exec", "h1", "--", "echo", text).stdout == text + "\n"
    console_talks(s, text)


def guest_goes_on_under_another_supervisor():
    with Session() as s:
        s.cli("bridge", "add", "br")
        s.cli("port", "add", "t1", "--bridge", "br", "--type", "tap", "--netns", "net", "--address",
              "10.66.0.1/24")
        try:
            s.cli("vm", "start", "h1", "--nic", "br", "--memory", "128M")
            s.cli("vm", "wait", "h1", "--for", "90s", timeout=100)
            s.cli("exec", "h1", "--", "sh", "-c",
                  f"ip addr add {ADDRESS}/24 dev eth0; ip link set eth0 up")
            await_true("the guest answers", lambda: net.ping(ADDRESS))
            supervisors_come_and_go(s)
            run_dirs_that_share_a_state_dir(s)
            ends_are_still_told(s)
            guard_that_is_told_to_end_ends_the_vm(s)
            hanging_supervisor_is_replaced(s)
        finally:
            s.cli("vm", "kill", "h1", check=False)


def supervisors_come_and_go(s):
    ping = s.spawn(*net.argv("ping", "-n", "-i", "0.01", ADDRESS), stdout=subprocess.PIPE, text=True)
    vm = show(s)
    kill(vm["supervisor_pid"])
    # Its guard notices, without any command.
    await_true("the guard has started another one",
               lambda: file_of(s)["supervisor"]["pid"] != vm["supervisor_pid"])
    vm = await_adopted(s, vm)
    all_works(s, "first")
    # Nobody is left who would notice: the next command does.
    kill(file_of(s)["guard"]["pid"])
    kill(vm["supervisor_pid"])
    vm = await_adopted(s, vm)
    all_works(s, "second")
    # The guard alone: nothing happens, and its supervisor is still found.
    kill(file_of(s)["guard"]["pid"])
    assert show(s)["supervisor_pid"] == vm["supervisor_pid"]
    # While nobody supervises it, it cannot be started, deleted or taken for one that has ended.
    for words, text in ((("vm", "start", "h1"), "is running already"),
                        (("vm", "rm", "h1"), "is running")):
        kill(show(s)["supervisor_pid"])
        if file_of(s)["guard"]["pid"] > 1:
            try:
                kill(file_of(s)["guard"]["pid"])
            except ProcessLookupError:
                pass
        done = s.cli(*words, check=False)
        assert done.returncode and text in done.stderr, done
        assert (show(s)["state"], show(s)["pid"]) == ("running", vm["pid"])
    ping.send_signal(signal.SIGINT)
    said = ping.communicate(timeout=20)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
    print(f"   {sent} pings, {received} answers")
    # One may be on its way at the end.
    assert sent > 20 and received >= sent - 1 and "duplicates" not in said, said


def run_dirs_that_share_a_state_dir(s):
    other = dict(s.env, LANYARD_RUN_DIR=s.path("other"))
    done = subprocess.run([binary("lanyard"), "vm", "start", "h1", "--nic", "user"], env=other,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode and "is running already, in another run dir" in done.stderr, done
    done = subprocess.run([binary("lanyard"), "vm", "rm", "h1"], env=other, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode and "is running in another run dir" in done.stderr, done
    assert show(s)["state"] == "running"


def ends_are_still_told(s):
    s.cli("vm", "pause", "h1")
    vm = show(s)
    kill(vm["supervisor_pid"])
    await_adopted(s, vm, port="negotiating")
    s.cli("vm", "resume", "h1")
    assert show(s)["state"] == "running"
    s.cli("vm", "stop", "h1", "--within", "20s")
    vm = show(s)
    assert (vm["state"], vm["pid"], s.json("port", "show", "t1")[0]["state"]) == \
        ("stopped", None, "up"), vm
    assert [p["name"] for p in s.json("port", "show")] == ["t1"]
    s.cli("vm", "start", "h1")
    vm = show(s)
    kill(vm["supervisor_pid"])
    await_true("another supervisor", lambda: show(s)["supervisor_pid"] != vm["supervisor_pid"])
    kill(vm["pid"])
    vm = await_true("it is noticed", lambda: (v := show(s))["state"] == "failed" and v)
    assert vm["reason"].startswith("QEMU ended"), vm


def guard_that_is_told_to_end_ends_the_vm(s):
    """Also where it hears of that together with its supervisor's death."""
    s.cli("vm", "start", "h1")
    guard = file_of(s)["guard"]["pid"]
    kill(guard, signal.SIGSTOP)
    kill(show(s)["supervisor_pid"])
    kill(guard, signal.SIGTERM)
    kill(guard, signal.SIGCONT)
    await_true("the VM has ended", lambda: show(s)["state"] == "stopped")
    assert show(s)["reason"] == "its supervisor was told to end"


def hanging_supervisor_is_replaced(s):
    s.cli("vm", "start", "h1")
    vm, guard = show(s), file_of(s)["guard"]
    kill(guard["pid"])
    # Written anew: whoever is the supervisor's parent now is no guard, to be ended with it.
    s.cli("vm", "pause", "h1")
    s.cli("vm", "resume", "h1")
    assert file_of(s)["guard"] == guard, (file_of(s)["guard"], guard)
    kill(vm["supervisor_pid"], signal.SIGSTOP)
    done = s.cli("vm", "kill", "h1")
    assert "did not answer and was replaced" in done.stderr, done
    assert show(s)["state"] == "stopped" and show(s)["reason"] == "killed on request", show(s)
    assert ended(vm["supervisor_pid"]) and ended(vm["pid"])
    s.cli("vm", "rm", "h1")
    assert os.listdir(os.path.join(s.run_dir, "vm")) == []


need("qemu-system-x86_64", "qemu-ga")
private("busybox", "ping")
net = Net("net")
session.run(guest_goes_on_under_another_supervisor)
