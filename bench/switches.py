# SPDX-License-Identifier: BSD-3-Clause
"""The switches that bench/compare measures, each started for one run and ended by its own pid.

What     Lanyard, Testpmd (Debian's, or one that bench/testpmd-native made), Ovs and Vpp serve n ports
         on sockets STEM0, STEM1 …, or connect to the load's where is_client. counters() is None, or what makes
         busy cycles a frame.
How      Everything lies in a private folder: OVS gets a database, run and log folder of its own and
         never meets the system's service, and a network namespace for its bridge's internal port;
         nothing here touches an interface of the host.
Tuned    OVS: EMC always inserts up to 4,096 flows; beyond, EMC off and SMC on; no flow expires while
         it runs. OVS tuned and the native testpmd take hugepages when 512 of 2 MB are free.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/smoke"))
from session import Session, await_true  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
OVS_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
EMC_FLOWS = 4096


def hugepages_free():
    with open("/proc/meminfo", encoding="ascii") as f:
        facts = dict(line.split(":") for line in f)
    return (int(facts["HugePages_Free"]) >= 512 and facts["Hugepagesize"].split()[0] == "2048")


def memory(huge, megabytes=1024):
    """EAL's memory, without leaving anything behind."""
    return ["--in-memory"] if huge and hugepages_free() else \
        ["--no-huge", "-m", str(megabytes), "--no-shconf"]


def end(child):
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Lanyard:
    """mode: poll, or what it does by default (adaptive: it sleeps when idle)."""
    name = "Lanyard"
    is_client = False

    def __init__(self, args, n_ports, macs=1, mode="poll", **_):
        # Alone: a spare that starts would take the load's CPU.
        self.session = Session("--no-keeper", "--workers", str(args.switch_cpu), *(["--mode", mode] if mode else []))
        self.pid = self.session.daemon.pid
        self.stem = self.session.path("p")
        try:
            start = time.monotonic()
            ports = "".join(f"  p{i}: {{bridge: br, type: vhost-user, listen: true, "
                            f"path: {self.stem}{i}}}\n" for i in range(n_ports))
            config = f"bridges:\n  br: {{max-macs: {max(65536, 4 * macs)}}}\nports:\n{ports}"
            self.session.cli("apply", "-", stdin=config)
            self.add_s = time.monotonic() - start
        except BaseException:
            self.session.close(failed=True)
            raise

    def counters(self):
        worker = self.session.json("stats")["workers"][0]
        return worker["busy_cycles"], worker["frames"]

    def close(self):
        # Not by the session: it checks sums of counters, which a load that was stopped upsets.
        end(self.session.daemon)
        shutil.rmtree(self.session.dir, ignore_errors=True)

    @classmethod
    def missing(cls):
        return None


class Private:
    """A folder and programs in it; what both end with."""
    counters = None
    is_client = False

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="lanyard-compare-")
        self.stem = os.path.join(self.dir, "p")
        self.children = []

    def spawn(self, *argv, env=None):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.dir,
                                     env=env)
        self.children.append(child)
        return child

    def await_sockets(self, n_ports):
        def ready():
            ended = [c.args[0] for c in self.children if c.poll() is not None]
            if ended:
                with open(os.path.join(self.dir, "log"), errors="replace") as f:
                    raise AssertionError(f"{ended[0]} ended: " + f.read()[-2000:])
            return all(os.path.exists(f"{self.stem}{i}") for i in range(n_ports))
        await_true(f"{self.name} serves its sockets", ready, 60)

    def close(self):
        for child in reversed(self.children):
            end(child)
        shutil.rmtree(self.dir, ignore_errors=True)


class Testpmd(Private):
    """io between two ports: no frame is looked at."""
    name = "testpmd io"
    program = "dpdk-testpmd"
    huge = False

    def __init__(self, args, n_ports, **_):
        super().__init__()
        try:
            vdevs = [w for i in range(n_ports)
                     for w in ("--vdev", f"net_vhost{i},iface={self.stem}{i},queues=1")]
            self.spawn(self.program, "--lcores", f"0@{args.load_cpu},1@{args.switch_cpu}",
                       *memory(self.huge), "--no-pci", "--no-telemetry", "--file-prefix",
                       f"compare{os.getpid()}", *vdevs, "--", "--forward-mode=io", "--auto-start",
                       "--nb-cores=1", "--no-lsc-interrupt", "--total-num-mbufs=16384")
            self.await_sockets(n_ports)
        except BaseException:
            self.close()
            raise

    @classmethod
    def missing(cls):
        return None if shutil.which(cls.program) else \
            "dpdk-testpmd is not installed (Debian package dpdk)"


class TestpmdNative(Testpmd):
    """Rebuilt for this CPU, with hugepages if there are any."""
    name = "testpmd native"
    program = None
    huge = True

    @classmethod
    def missing(cls):
        done = subprocess.run([os.path.join(HERE, "testpmd-native")], capture_output=True, text=True)
        cls.program = done.stdout.strip()
        return done.stderr.strip() if done.returncode else None


class Ovs(Private):
    """The userspace datapath, one bridge with its one default rule, NORMAL."""
    name = "OVS-DPDK"
    tuned = False
    is_client = True  # of the load's sockets: its own serve no TSO, and are deprecated

    def __init__(self, args, n_ports, macs=1, tso=False, **_):
        super().__init__()
        try:
            self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir,
                            OVS_SYSCONFDIR=self.dir)
            self.start(args, macs, tso)
            for i in range(0, n_ports, 16):
                words = [w for k in range(i, min(i + 16, n_ports))
                         for w in ("--", "add-port", "br", f"p{k}", "--", "set", "Interface", f"p{k}",
                                   "type=dpdkvhostuserclient",
                                   f"options:vhost-server-path={self.stem}{k}")]
                self.vsctl(*words[1:])
        except BaseException:
            self.close()
            raise

    def start(self, args, macs, tso):
        db, remote = os.path.join(self.dir, "conf.db"), f"unix:{self.dir}/db.sock"
        subprocess.run(["ovsdb-tool", "create", db, OVS_SCHEMA], check=True, env=self.env,
                       capture_output=True)
        self.spawn("ovsdb-server", db, f"--remote=p{remote}", f"--unixctl={self.dir}/db.ctl",
                   env=self.env)
        await_true("ovsdb-server listens", lambda: os.path.exists(f"{self.dir}/db.sock"))
        # OVS adds --in-memory, which --no-huge excludes, unless it is told of --legacy-mem.
        eal = " ".join([*memory(self.tuned, 2048), "--no-pci", "--no-telemetry"])
        eal = eal.replace("--no-huge", "--no-huge --legacy-mem")
        config = {"dpdk-init": "true", "pmd-cpu-mask": hex(1 << args.switch_cpu),
                  "dpdk-lcore-mask": hex(1 << args.load_cpu), "dpdk-extra": eal,
                  "userspace-tso-enable": "true" if tso else "false"}
        if self.tuned:
            many = macs > EMC_FLOWS
            config.update({"emc-insert-inv-prob": "0" if many else "1",
                           "smc-enable": "true" if many else "false",
                           "max-idle": "600000", "flow-limit": "2000000"})
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   *[f'other_config:{k}="{v}"' for k, v in config.items()])
        # In a network of its own: a bridge has an internal port, which is a tap.
        program = OVS_DPDK if os.path.exists(OVS_DPDK) else "ovs-vswitchd"
        self.spawn("unshare", "--net", program, remote, f"--unixctl={self.dir}/vs.ctl", env=self.env)
        self.vsctl("add-br", "br", "--", "set", "bridge", "br", "datapath_type=netdev",
                   f"other_config:mac-table-size={min(1000000, max(8192, 4 * macs))}")

    def vsctl(self, *words):
        done = subprocess.run(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=60", *words],
                              env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"ovs-vsctl {' '.join(words[:4])}: {done.stderr}")

    @classmethod
    def missing(cls):
        if shutil.which("ovsdb-server") and (os.path.exists(OVS_DPDK) or shutil.which("ovs-vswitchd")):
            return None
        return "Open vSwitch is not installed (Debian package openvswitch-switch-dpdk)"


class OvsTuned(Ovs):
    name = "OVS-DPDK tuned"
    tuned = True


class Vpp(Private):
    """A bridge domain. Only when a vpp binary is given with --vpp; not tried by its authors here."""
    name = "VPP"
    program = None

    def __init__(self, args, n_ports, macs=1, **_):
        super().__init__()
        try:
            lines = ["bridge-domain add-del bridge-domain 1"]
            for i in range(n_ports):
                port = f"VirtualEthernet0/0/{i}"
                lines += [f"create vhost-user socket {self.stem}{i} server", f"set interface state {port} up",
                          f"set interface l2 bridge {port} 1"]
            with open(os.path.join(self.dir, "exec"), "w", encoding="ascii") as f:
                f.write("\n".join(lines) + "\n")
            config = f"""unix {{ nodaemon exec {self.dir}/exec cli-listen {self.dir}/cli.sock
              runtime-dir {self.dir} }}
            cpu {{ main-core {args.load_cpu} corelist-workers {args.switch_cpu} }}
            memory {{ main-heap-size 1G main-heap-page-size default }}
            buffers {{ buffers-per-numa 32768 page-size default }}
            l2learn {{ limit {max(4194304, 4 * macs)} }}
            plugins {{ plugin dpdk_plugin.so {{ disable }} }}
            statseg {{ socket-name {self.dir}/stats.sock }}"""
            self.spawn(self.program, " ".join(config.split()))
            self.await_sockets(n_ports)
        except BaseException:
            self.close()
            raise

    @classmethod
    def missing(cls):
        return None if cls.program else "no --vpp PATH is given"


ALL = {"lanyard": Lanyard, "testpmd": Testpmd, "native": TestpmdNative, "ovs": Ovs,
       "ovs-tuned": OvsTuned, "vpp": Vpp}
