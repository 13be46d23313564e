#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One guest on QEMU's user network, from start to removal, as a person would use it."""
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess

import session
from session import Session, await_true, binary, need


def agent_runs_commands(s):
    done = s.cli("exec", "u1", "--", "sh", "-c", "hostname; echo oops >&2; exit 7", check=False)
    assert done.returncode == 7, done
    assert done.stdout == "u1\n", done
    assert done.stderr == "oops\n", done
    done = s.cli("exec", "u1", "--", "no-such-program", check=False)
    assert done.returncode == 127, done
    done = s.cli("exec", "nobody", "--", "true", check=False)
    assert done.returncode == 125 and 'there is no vm "nobody"' in done.stderr, done


def input_goes_to_the_command_when_asked(s):
    assert s.cli("exec", "u1", "--stdin", "--", "cat", stdin="hi\n").stdout == "hi\n"
    assert s.cli("exec", "u1", "--", "cat", stdin="hi\n").stdout == ""
    long = "0123456789abcde\n" * (512 * 1024 // 16)
    assert s.cli("exec", "u1", "--stdin", "--", "md5sum", stdin=long).stdout.split()[0] == \
        hashlib.md5(long.encode()).hexdigest()
    done = s.cli("exec", "u1", "--stdin", "--", "cat", stdin=long + "x", check=False)
    assert done.returncode == 125 and "standard input is longer than 512 KiB" in done.stderr, done


def output_is_never_cut_in_silence(s):
    done = s.cli("exec", "u1", "--", "sh", "-c", "dd if=/dev/zero bs=1k count=100 | tr '\\0' x",
                 check=False)
    assert len(done.stdout) == 90 * 1024 and "longer than the 90 KiB" in done.stderr, done.stderr
    assert done.returncode == 125, done.returncode


def output_that_is_lost_is_a_failure(s):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([binary("lanyard"), "exec", "u1", "--", "echo", "hi"], env=s.env, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 125 and "cannot be written: No space left on device" in done.stderr, done


def definition_outlives_the_run_dir(s):
    await_true("its supervisor has ended", lambda: not any(
        f.endswith(".sock") for f in os.listdir(os.path.join(s.run_dir, "vm"))))
    shutil.rmtree(s.run_dir)  # as a tmpfs is after the host's start
    vm = s.json("vm", "list")[0]
    assert vm["name"] == "u1" and vm["state"] == "stopped" and vm["pid"] is None, vm
    assert s.json("status", check=False)["vms"][0]["name"] == "u1"
    s.cli("vm", "start", "u1")
    assert s.json("vm", "show", "u1")["state"] == "running"


def too_much_memory_is_refused(s):
    done = s.cli("vm", "start", "big", "--memory", "1T", check=False)
    assert done.returncode == 4 and "that this host has left" in done.stderr, done
    # The kernel says no only when QEMU asks: an address space that is too small for it.
    limit = 1536 << 20
    done = subprocess.run([session.binary("lanyard"), "vm", "start", "big", "--memory", "1400M"],
                          env=s.env, capture_output=True, text=True, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert done.returncode == 4 and "Cannot allocate memory" in done.stderr, done
    s.cli("vm", "rm", "big")


def list_has_the_agreed_keys(s):
    vm = s.json("vm", "list")[0]
    for key in ("name", "lab", "state", "reason", "accel", "pid", "cpus", "memory_bytes", "nics",
                "ready"):
        assert key in vm, (key, vm)
    for key in ("name", "mac", "port", "bridge", "link"):
        assert key in vm["nics"][0], (key, vm)
    assert vm["name"] == "u1" and vm["state"] == "running" and vm["ready"] is True, vm


def accelerator_is_said_with_its_reason(s):
    vm = s.json("status", check=False)["vms"][0]
    assert vm["accel"] in ("kvm", "tcg") and vm["accel_reason"], vm
    assert f"{vm['accel']}: {vm['accel_reason']}\n" in s.cli("vm", "show", "u1").stdout
    short = re.split("[:;]", vm["accel_reason"])[0]
    assert f"accelerator {vm['accel']}: {short}\n" in s.cli("vm", "list").stdout
    facts = {f["name"]: f for f in s.json("doctor", check=False)}
    assert facts["kvm"]["text"].startswith(f"VMs run with {vm['accel']}"), facts["kvm"]
    for name in ("qemu-system-x86_64", "busybox", "qemu-ga", "kernel"):
        assert facts[name]["state"] == "ok" and "advice" in facts[name], facts


def console_remembers_and_talks(s):
    assert "BusyBox" in s.cli("vm", "log", "u1").stdout
    out = s.spawn(session.binary("lanyard"), "console", "u1", env=s.env, stdin=-1, stdout=-1)
    out.stdin.write(b"echo con$((40 + 2))sole\n")
    out.stdin.flush()
    seen = b""
    while b"con42sole" not in seen:
        piece = os.read(out.stdout.fileno(), 4096)
        assert piece, seen
        seen += piece
    s.end(out)


def pause_stops_the_clock(s):
    s.cli("vm", "pause", "u1")
    assert s.json("vm", "show", "u1")["state"] == "paused"
    s.cli("vm", "resume", "u1")
    assert s.json("vm", "show", "u1")["state"] == "running"


def reset_boots_again(s):
    s.cli("vm", "reset", "u1")
    await_true("the guest is gone", lambda: not s.json("vm", "show", "u1")["ready"])
    s.cli("vm", "wait", "u1", "--for", "60s")


def killed_qemu_is_a_failed_vm(s):
    os.kill(s.json("vm", "show", "u1")["pid"], signal.SIGKILL)
    vm = await_true("it is noticed", lambda: (v := s.json("vm", "show", "u1"))["state"] == "failed" and v)
    assert vm["reason"] == "QEMU was ended by signal 9 (Killed)", vm
    done = s.cli("exec", "u1", "--", "true", check=False)
    assert done.returncode == 125 and "not running" in done.stderr, done


def stopped_vm_is_found_and_deleted(s):
    s.cli("vm", "wait", "u1")
    s.cli("vm", "stop", "u1", "--within", "10s")
    vm = s.json("vm", "list")[0]
    assert vm["state"] == "stopped" and vm["pid"] is None, vm
    done = s.cli("--json", "vm", "wait", "u1", check=False)
    assert done.returncode == 5 and "error" in json.loads(done.stdout), done
    s.cli("vm", "rm", "u1")
    assert s.json("vm", "list") == []
    assert os.listdir(os.path.join(s.run_dir, "vm")) == []


def two_vms_share_the_switch_they_started(s):
    """Neither finds a switch, both start one; and the next start meets one that is about to end."""
    starts = [s.spawn(session.binary("lanyard"), "vm", "start", name, "--nic", "none-such", env=s.env,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
              for name in ("a", "b", "c")]
    for start in starts:
        said = start.communicate(timeout=60)[0]
        assert 'there is no bridge "none-such"' in said, said


def switch_that_is_about_to_end_is_waited_for(s):
    await_true("the switch has ended with its last VM", lambda: not os.path.exists(
        os.path.join(s.run_dir, "switch.sock")))
    done = s.cli("vm", "start", "a", check=False)
    assert 'there is no bridge "none-such"' in done.stderr, done
    for name in ("a", "b", "c"):
        s.cli("vm", "rm", name)


def guest_from_start_to_removal():
    with Session(daemon=False) as s:
        try:
            s.cli("vm", "start", "u1", "--nic", "user")
            s.cli("vm", "wait", "u1", "--for", "90s")
            for part in (agent_runs_commands, input_goes_to_the_command_when_asked,
                         output_is_never_cut_in_silence, output_that_is_lost_is_a_failure, list_has_the_agreed_keys,
                         accelerator_is_said_with_its_reason, console_remembers_and_talks,
                         pause_stops_the_clock, reset_boots_again, killed_qemu_is_a_failed_vm,
                         definition_outlives_the_run_dir,
                         too_much_memory_is_refused, stopped_vm_is_found_and_deleted):
                part(s)
        finally:
            s.cli("vm", "kill", "u1", check=False)


def switch_is_started_once():
    with Session(daemon=False) as s:
        try:
            two_vms_share_the_switch_they_started(s)
            switch_that_is_about_to_end_is_waited_for(s)
        finally:
            s.cli("stop", check=False)


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    session.run(guest_from_start_to_removal, switch_is_started_once)
