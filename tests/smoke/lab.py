#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lab of the demo, and what must survive in it."""
import fcntl
import json
import os
import signal
import subprocess

import session
from session import LabSession, await_true, binary, need

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/two-vlans.yaml")

# A check that nothing can make fail would prove nothing.
LIES = """  - {name: lie, from: h1, no-ping: h2}
  - {name: nobody, from: h1, ping: h3, within: 1s}
"""


def wrong_lab_starts_nothing():
    with LabSession() as s:
        path = s.write("wrong.yaml", "name: wrong\nbridges: {sw1: {}}\nvms:\n  h1: {nics: [{to: sw2}]}\n")
        done = s.cli("up", path, check=False)
        assert done.returncode == 2, done
        assert f'{path}:4:20: this lab has no bridge "sw2"; did you mean "sw1"?' in done.stderr, done
        assert s.json("vm", "list") == [] and s.json("labs") == []
        assert not os.path.exists(os.path.join(s.run_dir, "switch.sock"))


def switch_is_gone(s):
    """Whoever starts one now finds its folder free."""
    try:
        with open(os.path.join(s.run_dir, "switch.lock"), encoding="ascii") as f:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    return True


def switch_ends(s):
    s.cli("stop")
    assert s.daemon.wait(5) == 0
    s.daemon = None


def lab_that_fails_before_its_first_guest_leaves_nothing():
    with LabSession() as s:
        path = s.write("l.yaml", "name: l\nbridges: {s1: {}}\nports: {x: {bridge: s1, type: tap, ifname: a/b}}\n"
                       "vms: {h1: {nics: [{to: s1}]}}\n")
        said = None
        s.start()
        s.cli("bridge", "add", "b")
        s.cli("port", "add", "kept", "--bridge", "b", "--type", "vhost-user", "--path", s.path("kept.sock"))
        switch_ends(s)
        for _ in range(2):
            done = s.cli("up", path, check=False)
            assert "up with the switch, as they are saved: kept" in done.stdout, done
            assert done.returncode and "cannot be taken down" not in done.stderr, done
            assert said in (None, done.stderr), done
            said = done.stderr
            assert s.json("labs") == [] and switch_is_gone(s), done


def damaged_file_is_said(s, path):
    of_lab = os.path.join(s.run_dir, "lab/l.json")
    with open(of_lab, "r+", encoding="ascii") as f:
        whole = f.read()
        f.truncate(30)
        assert s.json("labs")[0]["state"] == "damaged"
        for words in (("up", path), ("down",), ("down", "l")):
            done = s.cli(*words, check=False)
            assert done.returncode == 1 and of_lab in done.stderr and "remove the file" in done.stderr, done
        f.seek(0)
        f.write(whole)


def lab_without_guests_needs_a_switch_that_stays():
    with LabSession() as s:
        path = s.write("l.yaml", "name: l\nbridges: {s1: {}}\n")
        done = s.cli("up", path, check=False)
        assert done.returncode and "has no guests" in done.stderr, done
        assert s.json("labs") == [] and switch_is_gone(s), done
        s.start()
        s.cli("up", path)
        assert [b["name"] for b in s.json("bridge", "show")] == ["l/s1"] and s.json("labs")[0]["state"] == "up"
        damaged_file_is_said(s, path)
        switch_ends(s)
        assert s.json("labs")[0]["state"] == "no switch"
        s.cli("down")
        assert s.json("labs") == []


def closed_terminal_interrupts():
    with LabSession() as s:
        path = s.write("l.yaml", "name: l\nbridges: {s1: {}}\nvms: {h1: {nics: [{to: s1}]}}\n")
        up = s.spawn(binary("lanyard"), "up", path, env=s.env)
        await_true("it is under way", lambda: s.json("labs"))
        up.send_signal(signal.SIGHUP)
        assert up.wait(60) == 1
        assert s.json("labs") == [] and s.json("vm", "list") == []


def lab_comes_up_whatever_happens(s, lab):
    """Two bring it up in the same moment: the other one is refused and takes nothing down. And the
    switch dies meanwhile: there is another one."""
    ups = [s.spawn(session.binary("lanyard"), "up", lab, "--wait", "180s", env=s.env,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    await_true("a guest boots", lambda: any(vm["state"] == "running" for vm in s.json("vm", "list")))
    session.kill_switch(switch_of(s))
    said = [up.communicate(timeout=200)[0] for up in ups]
    assert sorted(up.returncode for up in ups) == [0, 1], said
    refused = said[0 if ups[0].returncode else 1]
    assert "just now" in refused or "is up already" in refused, refused
    assert "was gone, and is there again" in "".join(said), said
    assert len(s.json("vm", "list")) == 3 and s.json("labs")[0]["state"] == "up"


def switch_of(s):
    return s.json("status")["daemon"]["keeper_pid"]


def vlans_hold_and_a_lie_is_found(s):
    done = s.cli("--json", "check", "--junit", s.path("junit.xml"), check=False)
    assert done.returncode == 1, done
    passed = {c["name"]: c["passed"] for c in json.loads(done.stdout)["checks"]}
    assert passed == {"same vlan": True, "other vlan": True, "lie": False, "nobody": False}, done
    assert "10.0.10.12 answered" in done.stdout and "10.0.10.13 did not answer" in done.stdout
    with open(s.path("junit.xml"), encoding="ascii") as f:
        assert 'tests="4" failures="2"' in f.read()


def end_of_one_guest_harms_no_other(s):
    os.kill(s.json("vm", "show", "h3")["pid"], signal.SIGKILL)
    await_true("its port is gone",
               lambda: "two-vlans/h3.eth0" not in [p["name"] for p in s.json("port", "show")])
    s.cli("exec", "h1", "--", "ping", "-c", "3", "-i", "0.2", "10.0.10.12")
    done = s.cli("--json", "check", check=False)
    assert done.returncode == 1 and "h3 is not ready" in done.stdout, done


def counters_add_up(s):
    s.sums_check()


def ports_come_back_with_the_switch(s):
    session.kill_switch(switch_of(s))
    await_true("the VM says so", lambda: s.json("vm", "show", "h1")["switch"] == "gone")
    again = s.spawn(session.binary("lanyard-switch"), "--until-unused", env=s.env,
                    stderr=subprocess.DEVNULL)
    await_true("the VMs are back", lambda: all(
        s.json("vm", "show", vm)["switch"] == "connected" for vm in ("h1", "h2")))
    s.await_port("two-vlans/h1.eth0", "up")
    s.await_port("two-vlans/h2.eth0", "up")
    s.cli("exec", "h1", "--", "ping", "-c", "2", "-w", "10", "10.0.10.12")
    s.cli("down")
    assert switch_is_gone(s), "it ends with its last lab"
    assert again.wait(5) == 0


def lab_from_up_to_down():
    with LabSession() as s:
        with open(LAB, encoding="ascii") as f:
            lab = s.write("lab.yaml", f.read() + LIES)
        lab_comes_up_whatever_happens(s, lab)
        done = s.cli("up", lab, check=False)
        assert done.returncode == 1 and "is up already" in done.stderr, done
        for part in (vlans_hold_and_a_lie_is_found, end_of_one_guest_harms_no_other,
                     counters_add_up, ports_come_back_with_the_switch):
            part(s)
        assert s.json("vm", "list") == [] and s.json("labs") == []


if __name__ == "__main__":
    need("qemu-system-x86_64", "busybox", "qemu-ga")
    session.run(wrong_lab_starts_nothing, lab_that_fails_before_its_first_guest_leaves_nothing,
                lab_without_guests_needs_a_switch_that_stays, closed_terminal_interrupts, lab_from_up_to_down)
