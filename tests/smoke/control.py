#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line and the daemon as an administrator and a hostile client meet them: exit codes,
sentences, JSON, help, saved configuration, locks, leases, limits."""
import fcntl
import itertools
import json
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import threading
import time

import session
from session import Session, await_true, binary

HELP = """Usage: lanyard bridge add BR [--ageing TIME] [--max-macs N]
        [--forward-reserved LIST]

Make a learning bridge.

Arguments:
  BR                      the bridge

Options:
  --ageing TIME           forget a learned address after this time without a
                          frame from it (300s)
  --max-macs N            learn at most so many addresses (65536)
  --forward-reserved LIST
                          forward these reserved groups: stp,lldp,lacp,eapol,
                          all or none (none)

Options of every command:
  --json                  print the result as one JSON document
  --run-dir DIR           folder of sockets
  --state-dir DIR         folder of what is saved
  --help                  explain the command
  --version               print the version
"""


def expect(done, code, *parts):
    text = done.stdout + done.stderr
    assert done.returncode == code, (done.args, done.returncode, code, text)
    for part in parts:
        assert part in text, (part, text)


def has_keys(one, words):
    assert not set(words.split()) - set(one), (set(words.split()) - set(one), one)


def help_is_made_from_the_row(s):
    for words in (["bridge", "add", "--help"], ["help", "bridge", "add"]):
        assert s.cli(*words).stdout == HELP, s.cli(*words).stdout
    expect(s.cli("vm", "--help"), 0, "Usage: lanyard vm COMMAND ...", "vm start ")
    expect(s.cli("help", "brigde", check=False), 2, 'did you mean "bridge"?')


def errors_are_one_sentence_with_a_way_out(s):
    expect(s.cli("brigde", check=False), 2, 'there is no command "brigde"; did you mean "bridge"?')
    expect(s.cli("st", check=False), 2, '"st" may be one of status, stats, stop')
    expect(s.cli("bridge", "add", "b", "--agein=0s", check=False), 2,
           "--ageing: 0 s is outside 1-30000")
    expect(s.cli("port", "add", "p", "--bridge", "nix", "--type", "link", "--peer-bridge", "x",
                 check=False), 1, 'port "p": there is no bridge "nix"')
    done = s.cli("port", "show", "nix", "--json", check=False)
    assert json.loads(done.stdout)["error"]["message"] == 'there is no port "nix"', done.stdout
    assert done.stderr == 'lanyard: there is no port "nix"\n', done.stderr


def configuration_round_trip(s):
    s.cli("bridge", "add", "sw1")
    s.cli("bridge", "add", "sw2", "--ageing", "10m", "--forward-reserved", "stp,lldp")
    s.cli("port", "add", "up", "--bridge", "sw1", "--type", "link", "--peer-bridge", "sw2",
          "--trunk", "10,20-29")
    s.cli("port", "add", "web", "--bridge", "sw1", "--type", "vhost-user", "--listen", "--path",
          "web.sock", "--access", "10", "--mtu", "9000", cwd=s.dir)
    assert s.port("web")["path"] == s.path("web.sock")
    text = s.cli("show", "config").stdout
    s.write("c.yaml", text)
    expect(s.cli("diff", s.path("c.yaml")), 0, "nothing to change")
    s.cli("port", "del", "up")
    expect(s.cli("diff", s.path("c.yaml"), check=False), 1, "+ port up")
    s.cli("apply", s.path("c.yaml"))
    s.cli("apply", "-", stdin=text)
    assert sorted(s.cli("show", "config").stdout.split()) == sorted(text.split())
    expect(s.cli("apply", "-", stdin="bridges:\n  b: {aging: 5}\n", check=False), 2,
           'standard input:2:7: a bridge has no key "aging"; did you mean "ageing"?')


def port_show_has_the_keys_of_the_contract(s):
    port = s.port("web")
    has_keys(port, "name lab type bridge state reason path vlan mtu queues features counters")
    assert port["vlan"] == {"mode": "access", "vid": 10, "vids": None, "native": None}
    assert port["mtu"] == 9000 and port["state"] == "waiting"
    assert set(port["counters"]) == {"rx_frames", "rx_bytes", "rx_forwarded", "tx_frames",
                                     "tx_bytes", "rx_drops", "tx_drops"}
    assert all(isinstance(port["counters"][k], dict) == k.endswith("_drops") for k in port["counters"])
    assert s.port("up")["vlan"] == {"mode": "trunk", "vid": None, "vids": [[10, 10], [20, 29]],
                                    "native": None}
    expect(s.cli("port", "show", "web", "--qemu"), 0, "-netdev vhost-user",
           "ctrl_guest_offloads=off,host_mtu=9000", s.path("web.sock"))
    expect(s.cli("port", "show", "web", "--libvirt"), 0,
           "mode='client'>\n    <reconnect enabled='yes' timeout='1'/>\n  </source>")


def attached_guests_are_as_their_port_wants_them(s):
    s.cli("port", "add", "many", "--bridge", "sw1", "--type", "vhost-user", "--listen", "--path", s.path("many.sock"),
          "--queues", "2", "--guard", "mac", "--mac", "02:00:00:00:00:09")
    expect(s.cli("port", "show", "many", "--qemu"), 0, "chardev=lanyard0,queues=2 \\", ",mq=on,vectors=6",
           ",mac=02:00:00:00:00:09\n")
    expect(s.cli("port", "show", "many", "--libvirt"), 0, "<mac address='02:00:00:00:00:09'/>", "<driver queues='2' rx_queue")
    expect(s.cli("port", "show", "up", "--qemu", check=False), 1, 'port "up" is of type link: no guest attaches to it')
    # A list as a file has it.
    s.cli("port", "set", "many", "guard=mac,ip", "ip=10.1.0.10,fd00::1")
    assert "10.1.0.10,fd" not in s.cli("show", "config").stdout
    s.cli("port", "del", "many")


def empty_switch_says_what_is_next(s):
    expect(s.cli(), 0, "no bridges; `lanyard bridge add NAME`, or `lanyard up FILE`")
    s.cli("bridge", "add", "b")
    expect(s.cli(), 0, "no ports; `lanyard port add --help`")
    s.cli("bridge", "del", "b")


def terminal(s, columns, *words):
    """What a command prints on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([binary("lanyard"), *words], stdout=slave, env=s.env)
    os.close(slave)
    text = b""
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        text += more
    os.close(master)
    child.wait(20)
    return text.decode().replace("\r\n", "\n")


def people_read_what_to_do(s):
    changed = s.cli("show", "config").stdout.replace("access: 10", "access: 11").replace("mtu: 9000", "storm: 5")
    expect(s.cli("diff", "-", stdin=changed, check=False), 1,
           "~ port web: access 10 -> 11, mtu 9000 -> none, storm none -> 5\n")
    assert "saved 20" in s.cli("rollback", "--list").stdout and "1  saved" in s.cli("rollback", "--list").stdout
    assert s.json("rollback", "--list")["generations"][0]["n"] == 1
    s.cli("port", "add", "brief", "--bridge", "sw1", "--type", "link", "--peer-bridge", "sw2")
    expect(s.cli("rollback", "--list"), 0, "changed since: port brief added")
    assert s.cli("rollback").stdout == "- port brief\n"
    row = next(line for line in s.cli("port", "show", "web").stdout.splitlines() if "web" in line)
    assert row.count(s.path("web.sock")) == 1 and "no front end has connected" in row, row
    expect(s.cli("port", "set", "web", "mirror=up", check=False), 2, "`lanyard mirror add`")
    # Long sentences: in one line for grep, within the width of a terminal.
    assert any(len(line) > 79 for line in s.cli("doctor", check=False).stdout.splitlines())
    lines = terminal(s, 79, "doctor").splitlines()
    assert len(lines) > 10 and max(map(len, lines)) <= 79, max(lines, key=len)
    assert any(line.lstrip().startswith("-> ") for line in lines), lines
    # Completion knows what the help names.
    for words, parts in ((("port", "add", "x", "--type", ""), {"tap", "nat", "uplink", "dgram", "vhost-user", "link"}),
                         (("port", "set", "web", ""), {"access=", "mtu=", "guard=", "max-macs="}),
                         (("bridge", "set", "sw1", ""), {"ageing=", "forward-reserved="}),
                         (("capture", "web", "-"), {"-w", "-f", "--count"}),
                         (("events", "--kind", ""), {"port.state", "mac.move"}),
                         (("port", "add", "x", "--guard", ""), {"mac", "ra", "off"})):
        done = subprocess.run([binary("lanyard"), "__complete", *words], capture_output=True, text=True, env=s.env,
                              check=True)
        assert parts <= set(done.stdout.split()), (words, done.stdout)
    man = subprocess.run([binary("lanyard"), "__man"], capture_output=True, text=True, check=True).stdout
    assert ".SH ROLES" in man and "\\-w FILE" in man and "\\-\\-w " not in man


def other_json_has_the_keys_of_the_contract(s):
    status, stats = s.json("status"), s.json("stats")
    assert set(status) == {"daemon", "bridges", "ports", "vms", "labs"}, status.keys()
    has_keys(status["daemon"], "pid keeper_pid version uptime_s mode workers")
    assert status["daemon"]["pid"] in s.pids()[1:] and status["daemon"]["keeper_pid"] == s.daemon.pid
    assert status["daemon"]["restarts"] == {"n": 0}
    s.cli("fdb", "add", "02:00:00:00:00:01", "--bridge", "sw1", "--port", "web", "--vlan", "10")
    assert s.json("fdb", "show") == [{"bridge": "sw1", "vlan": 10, "mac": "02:00:00:00:00:01",
                                      "port": "web", "static": True, "age_s": 0}]
    s.cli("fdb", "del", "02:00:00:00:00:01", "--bridge", "sw1", "--vlan", "10")
    watched = json.loads(s.cli("--json", "stats", "--watch", "--for", "1s").stdout)
    for one in (stats, watched):
        assert one["ports"][0]["counters"].keys() == s.port("web")["counters"].keys()
        has_keys(one["workers"][0], "busy_cycles frames cycles_per_frame sleeps")
    for words in (["port", "show", "nix"], ["stats", "nix"], ["stats", "--watch", "nix"]):
        has_keys(json.loads(s.cli("--json", *words, check=False).stdout)["error"], "code message hint")


def output_that_is_lost_is_said(s):
    for words in (("show", "config"), ("--json", "status"), ("port", "show"), ("--help",)):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([binary("lanyard"), *words], env=s.env, stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=20, check=False)
        assert done.returncode == 1, (words, done)
        assert done.stderr == "lanyard: the output cannot be written: No space left on device\n", (words, done)


def reader_that_goes_hears_nothing(s):
    for words in (["--help"], ["events", "--for", "1s"], ["stats", "--watch"]):
        with subprocess.Popen([binary("lanyard"), *words], env=s.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as done:
            done.stdout.close()
            for i in range(8 if words[0] == "events" else 0):
                s.cli("bridge", "add", f"seen{i}")
                s.cli("bridge", "del", f"seen{i}")
            assert done.stderr.read() == b"", words


def tables_have_no_empty_columns(s):
    for name in ("w1", "w2"):
        s.cli("bridge", "add", name)
    s.cli("port", "add", "t1", "--bridge", "w1", "--type", "link", "--peer-bridge", "w2")
    header = s.cli("port", "show").stdout.splitlines()[0].split()
    assert header[:3] == ["PORT", "BRIDGE", "TYPE"] and "AT" not in header and "REASON" not in header, header
    s.cli("port", "down", "t1")
    assert s.cli("port", "show").stdout.splitlines()[0].endswith("REASON")
    s.cli("port", "del", "t1")
    for name in ("w1", "w2"):
        s.cli("bridge", "del", name)


def second_daemon_is_refused(s):
    done = subprocess.run([binary("lanyard-switch"), "--run-dir", s.run_dir, "--state-dir",
                           s.path("other")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 75 and f"(process {s.daemon.pid}) uses" in done.stderr, done.stderr
    done = subprocess.run([binary("lanyard-switch"), "--run-dir", s.path("other"), "--state-dir",
                           s.state_dir], capture_output=True, text=True, timeout=20)
    assert done.returncode == 75 and "uses" in done.stderr, done.stderr


def lock_of_a_dead_switch_is_waited_for(s):
    """A child of a killed switch that is not done with exec(2) still has its lock."""
    held = s.path("held")
    os.mkdir(held)
    dead = subprocess.Popen(["true"])
    dead.wait()
    with open(os.path.join(held, "switch.lock"), "w", encoding="ascii") as lock:
        lock.write(f"{dead.pid}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen([binary("lanyard-switch"), "--run-dir", held, "--state-dir", s.path("held-state")],
                              stderr=subprocess.PIPE, text=True) as switch:
            line = []
            reader = threading.Thread(target=lambda: line.append(switch.stderr.readline()))
            reader.start()
            reader.join(0.5)
            assert switch.poll() is None and not line, line
            fcntl.flock(lock, fcntl.LOCK_UN)
            reader.join(20)
            assert line and "ready on" in line[0], line
            switch.terminate()
            assert switch.wait(20) == 0


def lock_that_is_a_link_is_not_followed(s):
    for folder, other in (("linked", "linked-state"), ("linked-state", "linked")):
        os.makedirs(s.path(folder), exist_ok=True)
        s.write("precious", "precious")
        link = os.path.join(s.path(folder), "switch.lock")
        os.symlink(s.path("precious"), link)
        done = subprocess.run([binary("lanyard-switch"), "--run-dir", s.path("linked"), "--state-dir",
                               s.path("linked-state")], capture_output=True, text=True, timeout=20)
        assert done.returncode and f'"{link}" is a symbolic link' in done.stderr, done
        with open(s.path("precious"), encoding="ascii") as f:
            assert f.read() == "precious"
        os.unlink(link)


def closed_standard_error_is_no_other_file(s):
    for words in ((), ("--no-keeper",)):
        switch = s.spawn(binary("lanyard-switch"), "--run-dir", s.path("mute"), "--state-dir",
                         s.path("mute-state"), "--log", "debug", *words,
                         preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        env = dict(s.env, LANYARD_RUN_DIR=s.path("mute"), LANYARD_STATE_DIR=s.path("mute-state"))
        lanyard = [binary("lanyard"), "bridge", "add", "b" + str(len(words))]
        await_true("it serves", lambda: subprocess.run(lanyard, env=env, capture_output=True,
                                                       check=False).returncode == 0)
        for pid, fd in itertools.product([switch.pid, *session.children(switch.pid)], (0, 1, 2)):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null", (pid, fd)
        s.end(switch)
        assert switch.returncode == 0
        for folder in ("mute", "mute-state"):
            with open(os.path.join(s.path(folder), "switch.lock"), encoding="ascii") as f:
                assert f.read() in ("", f"{switch.pid}\n"), folder


def killed_daemon_comes_back_with_its_configuration(s):
    before = s.cli("show", "config").stdout
    s.kill()
    expect(s.cli("status", check=False), 5, "the switch is not running", "lanyard-switch")
    s.start()
    assert sorted(s.cli("show", "config").stdout.split()) == sorted(before.split())


def stop_and_sigterm_end_it_at_once(s):
    for how in ("stop", "sigterm"):
        start = time.monotonic()
        s.cli("stop") if how == "stop" else s.daemon.terminate()
        assert how != "stop" or session.is_over(s.daemon.pid), "it runs on, and is in the way of the next one"
        s.daemon.wait(5)
        took = time.monotonic() - start
        assert s.daemon.returncode == 0 and took < 2, (how, took, s.daemon.returncode)
        assert not os.path.exists(os.path.join(s.run_dir, "switch.sock"))
        s.start()


# ---- hostile clients ----

def connect(s):
    c = socket.socket(socket.AF_UNIX)
    c.connect(os.path.join(s.run_dir, "switch.sock"))
    c.settimeout(5)
    return c


def rss_anon_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))


def open_files(pid):
    files = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            files.append(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0])
        except FileNotFoundError:
            pass  # closed meanwhile
    return sorted(files)


def hostile_clients_leave_nothing(s):
    request = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n'
    said = [bytes(range(1, 256)) + b"\n", b"[" * 5000 + b"\n", request % (b"rpc.list", b"{}") * 50,
            b'{"jsonrpc":"2.0","id":1,"method":"port.add","params":{"name":"' + b"a" * 3000,
            request % (b"bridge.list", b"[" + b"1," * 2000 + b"1]")]
    files, rss = open_files(s.pid), None
    for i in range(1000):
        with connect(s) as c:
            try:
                c.sendall(said[i % len(said)])
            except OSError:
                pass  # cut off: as it should be
        if i == 99:
            s.cli("status")
            rss = rss_anon_kib(s.pid)
    await_true("the connections are closed", lambda: open_files(s.pid) == files)
    assert rss_anon_kib(s.pid) - rss < 1024, (rss, rss_anon_kib(s.pid))


def idle_connections_do_not_lock_anybody_out(s):
    idle = []
    for _ in range(600):
        idle.append(connect(s))
    assert b"256 clients are connected already" in idle[-1].recv(300)
    time.sleep(1.1)
    s.cli("status")
    for c in idle:
        c.close()


# ---- leases ----

def switch_for_a_vm_ends_with_it():
    with Session("--until-unused") as s:
        holder = connect(s)
        holder.sendall(b'{"jsonrpc":"2.0","id":1,"method":"lease.hold","params":{"name":"vm x"}}\n')
        assert b'"until_unused":true' in holder.recv(300)
        time.sleep(1.2)
        s.cli("status")
        holder.close()
        await_true("the daemon has ended", lambda: s.daemon.poll() is not None, 4)
        assert s.daemon.returncode == 0
        s.daemon = None


def main():
    with Session() as s:
        for rule in (help_is_made_from_the_row, empty_switch_says_what_is_next, tables_have_no_empty_columns,
                     reader_that_goes_hears_nothing, errors_are_one_sentence_with_a_way_out,
                     configuration_round_trip, port_show_has_the_keys_of_the_contract,
                     attached_guests_are_as_their_port_wants_them, people_read_what_to_do,
                     other_json_has_the_keys_of_the_contract, output_that_is_lost_is_said,
                     second_daemon_is_refused, lock_of_a_dead_switch_is_waited_for,
                     lock_that_is_a_link_is_not_followed, closed_standard_error_is_no_other_file,
                     killed_daemon_comes_back_with_its_configuration,
                     stop_and_sigterm_end_it_at_once, hostile_clients_leave_nothing,
                     idle_connections_do_not_lock_anybody_out):
            rule(s)
            print("ok:", rule.__name__)
    switch_for_a_vm_ends_with_it()
    print("ok: switch_for_a_vm_ends_with_it")


if __name__ == "__main__":
    main()
