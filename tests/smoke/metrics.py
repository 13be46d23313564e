#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Metrics, scraped by a real Prometheus while frames flow: what it answers to queries is what
`lanyard stats` says. And the VMs: their states, CPU time and memory, as their supervisors report."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request

import session
from session import Session, await_true, binary, need, skip

CACHE = os.path.join(session.BUILD, "prometheus")

# Of the contract (`--json vm list`).
VM_KEYS = set("name lab state reason accel pid cpus memory_bytes nics ready".split())
NIC_KEYS = set("name mac port bridge link".split())


def package_unpack():
    """Debian's package, unpacked in the build folder: installing it would start a service."""
    part = CACHE + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    for argv in (["apt-get", "download", "-q", "prometheus"], ["dpkg-deb", "-x", None, "."]):
        argv = [a or glob.glob(part + "/*.deb")[0] for a in argv]
        done = subprocess.run(argv, cwd=part, capture_output=True, text=True, timeout=300)
        if done.returncode:
            skip(f"Debian's package prometheus cannot be had: {done.stderr.strip()[-200:]}")
    os.rename(part, CACHE)


def program(name):
    found = shutil.which(name)
    if found:
        return found
    if not os.path.isdir(CACHE):
        if not shutil.which("apt-get"):
            skip("neither prometheus nor apt-get is here")
        package_unpack()
    return os.path.join(CACHE, "usr/bin", name)


def port_free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    def __init__(self, s, target):
        self.url = f"http://127.0.0.1:{port_free()}"
        config = s.path("prometheus.yml")
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                    f"  - {{job_name: lanyard, static_configs: [{{targets: ['{target}']}}]}}\n")
        self.log = open(s.path("prometheus.log"), "wb")
        s.spawn(program("prometheus"), "--config.file=" + config,
                "--storage.tsdb.path=" + s.path("tsdb"),
                "--web.listen-address=" + self.url[len("http://"):], stderr=self.log)
        await_true("Prometheus has scraped the switch", lambda: self.query("up") == {(): 1}, 30)

    def query(self, what):
        """{labels: value}; labels are pairs, without those that Prometheus adds."""
        url = self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": what})
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:
            return None
        return {tuple(sorted((k, v) for k, v in r["metric"].items()
                             if k not in ("__name__", "job", "instance"))): float(r["value"][1])
                for r in result}


def target(s):
    return s.json("status")["daemon"]["metrics"]


def fetch(where):
    with urllib.request.urlopen(f"http://{where}/metrics", timeout=5) as answer:
        return answer.read().decode()


def page(s):
    return fetch(target(s))


def expected(s):
    """Every counter of every port as `lanyard stats` has it: {(metric, labels): value}."""
    out = {}
    for p in s.json("stats")["ports"]:
        port = ("port", p["name"])
        for key, n in p["counters"].items():
            way = {"r": "receive", "t": "transmit"}[key[0]]
            if key.endswith("_drops"):
                for reason, m in n.items():
                    out[f"lanyard_port_{way}_dropped_frames_total", (port, ("reason", reason))] = m
            else:
                what = "forwarded_frames" if key == "rx_forwarded" else key[3:]
                out[f"lanyard_port_{way}_{what}_total", (port,)] = n
    return out


def differences(s, prometheus):
    want = expected(s)
    have = {(name, labels): value for name in {name for name, _ in want}
            for labels, value in (prometheus.query(name) or {}).items()}
    return {key: (n, have.get(key)) for key, n in want.items() if have.get(key) != n}


def prometheus_agrees_with_stats():
    with Session("--metrics", "0") as s:
        s.cli("bridge", "add", "br")
        for name in "ab":
            s.cli("port", "add", name, "--bridge", "br", "--type", "vhost-user", "--listen",
                  "--path", s.path(name))
        prometheus = Prometheus(s, target(s))
        load = s.spawn(binary("load"), "--path", s.path("a"), "--path", s.path("b"), "--rate",
                       "100000", "--seconds", "4", stdout=subprocess.DEVNULL)
        await_true("Prometheus sees frames by the second",
                   lambda: (prometheus.query('rate(lanyard_port_receive_frames_total{port="a"}[3s])')
                            or {}).get((("port", "a"),), 0) > 1000, 20)
        assert load.wait(60) == 0
        await_true(f"Prometheus has what stats has, not {differences(s, prometheus)}",
                   lambda: not differences(s, prometheus), 10)
        n = sum(v for (name, _), v in expected(s).items() if name.endswith("receive_frames_total"))
        assert n > 100000, n
        workers = s.json("stats")["workers"]
        assert prometheus.query("lanyard_worker_frames_total") == {
            (("worker", str(w["id"])),): w["frames"] for w in workers}
        assert prometheus.query("lanyard_bridge_addresses") == {
            (("bridge", b["name"]),): b["macs"] for b in s.json("bridge", "show")}
        print(f"   {len(expected(s))} counters of ports agree, {n:.0f} frames")
        lint = subprocess.run([program("promtool"), "check", "metrics"], input=page(s), text=True,
                              capture_output=True)
        assert lint.returncode == 0 and not lint.stdout + lint.stderr, lint


def wrong_address_is_a_sentence():
    with Session("--metrics", "0") as s:
        for address, words in ((target(s), "Address already in use"),
                               ("localhost:1", "is no address and port"),
                               ("192.0.2.1:9", "no interface of this host has that address")):
            done = subprocess.run(
                [binary("lanyard-switch"), "--metrics", address, "--run-dir", s.path("other"),
                 "--state-dir", s.path("other-state")], capture_output=True, text=True, timeout=20)
            assert done.returncode != 0 and words in done.stderr, done
            assert not os.path.exists(s.path("other/switch.sock"))


def vm_is_seen():
    with Session("--metrics", "0") as s:
        events = s.spawn(binary("lanyard"), "--json", "events", "--kind", "vm", env=s.env,
                         stdout=open(s.path("events"), "wb"))
        await_true("the stream is there", lambda: events.poll() is None)
        s.cli("bridge", "add", "br")
        s.cli("vm", "start", "h1", "--nic", "br", "--memory", "128M")
        s.cli("vm", "wait", "h1", "--for", "60s", timeout=90)
        text = page(s)
        assert 'lanyard_vm_state{vm="h1",state="running"} 1\n' in text, text
        assert 'lanyard_vm_ready{vm="h1"} 1\n' in text
        assert 'lanyard_vm_memory_bytes{vm="h1"} 134217728\n' in text
        value = {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
                 if line.startswith("lanyard_vm_")}
        assert 0.1 < value['lanyard_vm_cpu_seconds_total{vm="h1"}'] < 100, value
        assert 20e6 < value['lanyard_vm_resident_memory_bytes{vm="h1"}'] < 1e9, value
        vm, where = s.json("vm", "show", "h1"), target(s)
        for listed in (vm, s.json("vm", "list")[0], s.json("status")["vms"][0]):
            assert not VM_KEYS - set(listed) and not NIC_KEYS - set(listed["nics"][0]), listed
        with open(f"/proc/{vm['supervisor_pid']}/status") as f:
            guard = int(next(line.split()[1] for line in f if line.startswith("PPid")))
        os.kill(guard, signal.SIGKILL)
        os.kill(vm["supervisor_pid"], signal.SIGKILL)
        await_true("the VM is gone from the page", lambda: "lanyard_vm_state{" not in fetch(where))
        with open(s.path("events")) as f:
            seen = [json.loads(line) for line in f]
        assert [e["new"] for e in seen if e["kind"] == "vm.state"] == ["starting", "running", "gone"]
        assert any(e["kind"] == "vm.ready" and e["ready"] for e in seen), seen
        # The next command finds it: there is another supervisor then.
        s.cli("vm", "list")
        await_true("it is back", lambda: 'lanyard_vm_state{vm="h1",state="running"} 1\n' in page(s))
        s.cli("vm", "kill", "h1")
        s.cli("vm", "rm", "h1")


def vm_without_ports_is_seen_too():
    with Session("--metrics", "0") as s:
        s.cli("vm", "start", "u1", "--nic", "user", "--memory", "128M")
        # QEMU's process is told once it runs.
        await_true("the VM is on the page", lambda: 'lanyard_vm_cpu_seconds_total{vm="u1"}' in page(s))
        assert 'lanyard_vm_state{vm="u1",state="running"} 1\n' in page(s), page(s)
        assert s.json("status")["daemon"]["leases"] == 0
        assert s.json("vm", "show", "u1")["switch"] == "unused"
        # Nor does it miss the switch, and is there again with the next one.
        s.cli("stop")
        s.daemon.wait(10)
        assert s.json("vm", "show", "u1")["state"] == "running"
        s.start("--metrics", "0")
        await_true("the VM is on the page again",
                   lambda: 'lanyard_vm_state{vm="u1",state="running"}' in page(s))
        s.spawn(binary("lanyard"), "--json", "events", env=s.env, stdout=open(s.path("events"), "wb"))

        def told(text):
            with open(s.path("events")) as f:
                return text in f.read()

        await_true("events are told", lambda: s.cli("bridge", "add", "b") and s.cli("bridge", "del", "b") and
                   told("bridge.add"))
        s.cli("vm", "kill", "u1")
        await_true("the VM's end is told", lambda: told('"object":"u1","old":"running","new":"stopped"'))
        s.cli("vm", "rm", "u1")


need("qemu-system-x86_64", "busybox", "qemu-ga")
session.run(prometheus_agrees_with_stats, wrong_address_is_a_sentence, vm_is_seen,
            vm_without_ports_is_seen_too)
