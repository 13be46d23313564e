# SPDX-License-Identifier: BSD-3-Clause
"""What bench/compare measures: one Row for each line of its tables, and what is demanded of it.

A row is a load (arguments of bench/load), the switches that carry it, and checks: functions of all
results so far that give a figure, which Check holds against a floor (what must be) and an aim.
`upper` checks are the other way round: the figure must not be above. A check whose row or switch
was not measured gives None and is left out.
"""
from dataclasses import dataclass, field
from statistics import median
from typing import Callable, Optional

BOTH, PEERS = ("lanyard", "ovs"), ("lanyard", "testpmd", "native", "ovs", "ovs-tuned", "vpp")


@dataclass
class Check:
    text: str
    figure: Callable  # of Results
    floor: float
    aim: Optional[float] = None
    upper: bool = False

    def holds(self, value):
        return value <= self.floor if self.upper else value >= self.floor


@dataclass
class Row:
    name: str
    title: str
    load: tuple = ()
    switches: tuple = PEERS
    ports: int = 2
    setup: dict = field(default_factory=dict)
    checks: tuple = ()
    needs: tuple = ()  # rows that the checks look at too
    show: str = "mframes_s"  # the figure of its table
    quick_rounds: int = 1
    kind: str = "load"  # how compare measures it
    full_only: tuple = ()  # switches that --quick leaves out


class Results:
    """Of all runs: {row: {switch: [result of bench/load and cycles]}}."""

    def __init__(self):
        self.runs = {}

    def add(self, row, switch, result):
        self.runs.setdefault(row, {}).setdefault(switch, []).append(result)

    def all(self, row, switch, *path):
        found = []
        for value in self.runs.get(row, {}).get(switch, []):
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                found.append(value)
        return found

    def get(self, row, switch, *path):
        values = self.all(row, switch, *path)
        return median(values) if values else None

    def ratio(self, a, b):
        """Of two (row, switch, *path)."""
        x, y = self.get(*a), self.get(*b)
        return x / y if x is not None and y else None

    def load_bound(self, row, switch):
        flags = self.all(row, switch, "load_bound")
        return bool(flags) and sum(flags) * 2 > len(flags)


def versus(row, other, floor, aim=None):
    return Check(f"times {other}", lambda r: r.ratio((row, "lanyard", "mframes_s"),
                                                     (row, other, "mframes_s")), floor, aim)


def cycles(row, ceiling, aim=None):
    return Check("busy cycles a frame", lambda r: r.get(row, "lanyard", "cycles"), ceiling, aim, True)


def cycles_more(row, base, ceiling):
    def figure(r):
        a, b = r.get(row, "lanyard", "cycles"), r.get(base, "lanyard", "cycles")
        return a - b if a and b else None
    return Check(f"busy cycles a frame more than {base}", figure, ceiling, None, True)


def of_row(row, base, floor):
    return Check(f"of the rate of {base}", lambda r: r.ratio((row, "lanyard", "mframes_s"),
                                                            (base, "lanyard", "mframes_s")), floor)


def value(text, row, path, limit, upper=True, switch="lanyard"):
    return Check(text, lambda r: r.get(row, switch, *path), limit, None, upper)


def throughput():
    """Sizes by what the load touches: the first table of the targets."""
    sizes = {"60": ("--size", "60"), "imix": ("--imix",), "1514": ("--size", "1514")}
    floors = {  # testpmd, OVS, cycles: floor and aim
        "60-none": [(2.5, 3.5), (4.0, 6.0), (45, 30)],
        "imix-none": [(2.5, 3.5), (3.8, 5.5), (60, None)],
        "1514-none": [(2.4, 2.7), (3.0, 3.4), (100, None)],
        "60-first": [(1.6, None)], "imix-first": [(2.2, None)], "1514-first": [(2.4, None)],
        "1514-all": [(1.2, None)],
    }
    words = {"none": "payload untouched", "first": "first line written", "all": "every line"}
    for touch in words:
        for size, load in sizes.items():
            name = f"{size}-{touch}"
            limits = floors.get(name, [])
            checks = [versus(name, "testpmd", *limits[0])] if limits else []
            if len(limits) == 3:
                checks += [versus(name, "ovs", *limits[1]), cycles(name, *limits[2])]
            yield Row(name, f"{'IMIX' if size == 'imix' else size + ' B'}, {words[touch]}",
                      (*load, "--touch", touch), checks=tuple(checks),
                      quick_rounds=2 if limits else 0,
                      full_only=("ovs-tuned",) if size == "60" else ("ovs-tuned", "native"))


def shapes():
    """Ring sizes, descriptor layouts, addresses, ports."""
    for layout in ("two", "indirect"):
        yield Row(f"{layout}-60", f"60 B, layout {layout}", ("--layout", layout), needs=("60-first",),
                  checks=(of_row(f"{layout}-60", "60-first", 0.85),), full_only=PEERS[2:])
    for size in ("60", "1514"):
        yield Row(f"ring1024-{size}", f"{size} B, rings of 1024", ("--size", size, "--ring", "1024"),
                  full_only=PEERS[2:])
    yield Row("macs-10k", "60 B, 10,000 MAC pairs", ("--macs", "10000"), setup={"macs": 20000},
              needs=("60-first",), checks=(cycles_more("macs-10k", "60-first", 8),),
              full_only=("native", "ovs-tuned"))
    yield Row("macs-1m", "60 B, 1 million MACs", ("--macs", "500000", "--busy", "2"), ("lanyard",), 3,
              {"macs": 1000000}, needs=("60-first",), checks=(
                  cycles_more("macs-1m", "60-first", 40),
                  value("addresses learned a second", "macs-1m", ("learning", "per_s"), 2e6, False),
                  value("known addresses flooded", "macs-1m", ("learning", "flooded"), 0)))
    yield Row("ports-64", "60 B, 64 ports, two busy", ("--busy", "2"), BOTH, 64, needs=("60-first",),
              checks=(of_row("ports-64", "60-first", 0.97),), full_only=("ovs",))
    yield Row("attach-256", "256 ports attach (s)", (), ("lanyard",), 256, kind="attach", show="attach_s",
              checks=(value("seconds", "attach-256", ("attach_s",), 5),))
    for n in (2, 4, 8, 16, 32):
        yield Row(f"mesh-{n}", f"60 B, fully meshed, {n} ports", ("--pattern", "mesh"), BOTH, n,
                  quick_rounds=1 if n in (8, 32) else 0, full_only=("ovs",) if n > 8 else ())


def copies():
    def copy_share(r):
        a, b = r.get("flood-31", "lanyard", "cycles"), r.get("60-first", "lanyard", "cycles")
        return a / 31 / b if a and b else None
    yield Row("flood-31", "60 B, flood to 31 ports (copies)", ("--pattern", "flood"), BOTH, 32,
              needs=("60-first",), full_only=("ovs",), checks=(
                  Check("cycles a copy, of a unicast frame", copy_share, 0.7, None, True),))
    yield Row("broadcast", "60 B, broadcast to 7 ports (copies)", ("--pattern", "broadcast"), BOTH, 8)


def behaviour():
    """Latency, overload, congestion and capacity; after RFC 2544, 2889 and 8204."""
    def overload(r):
        return r.ratio(("overload", "lanyard", "mframes_s"), ("one-way", "lanyard", "mframes_s"))

    yield Row("tso", "TSO, 60 kB frames (Gb/s)", ("--size", "60000", "--send", "tso", "--ring", "1024"),
              BOTH, setup={"tso": True}, show="gbit_s", checks=(
                  Check("times ovs", lambda r: r.ratio(("tso", "lanyard", "gbit_s"),
                                                       ("tso", "ovs", "gbit_s"))
                        if all(r.all("tso", "lanyard", "tso")) else None, 1.8),))
    yield Row("latency", "60 B, latency at shares of its own maximum", ("--latency",), kind="latency",
              full_only=PEERS[4:], checks=(
                  Check("p50 at 10 %, of testpmd's", lambda r: r.ratio(
                      ("latency", "lanyard", "latency", "10", "p50_us"),
                      ("latency", "testpmd", "latency", "10", "p50_us")), 1, None, True),
                  Check("p99 at 90 %, of ovs's", lambda r: r.ratio(
                      ("latency", "lanyard", "latency", "90", "p99_us"),
                      ("latency", "ovs", "latency", "90", "p99_us")), 0.4, None, True)))
    yield Row("bursts", "60 B, longest burst without loss (frames)", ("--bursts",), show="burst",
              full_only=("native", "ovs-tuned"))
    yield Row("congestion", "mesh of 4, one port takes nothing: frames lost elsewhere",
              ("--pattern", "mesh", "--stall-port", "3", "--rate", "1000000"), BOTH, 4, show="lost",
              checks=(value("frames lost", "congestion", ("lost",), 0),))
    yield Row("one-way", "60 B, one way", ("--one-way",), BOTH, quick_rounds=0)
    yield Row("overload", "60 B, two ports at full rate into one", ("--pattern", "many-to-one"), BOTH, 3,
              needs=("one-way",), checks=(Check("goodput, of one-way", overload, 0.95),))
    yield Row("capacity", "65,536 addresses with default tables: flooded", ("--macs", "32768", "--busy", "2"),
              BOTH, 3, show="learning.flooded", checks=(
                  value("addresses flooded", "capacity", ("learning", "flooded"), 0),
                  value("addresses learned a second", "capacity", ("learning", "per_s"), 2e6, False)))


def rest():
    """When nothing or little happens."""
    def over_bare(r):
        frame, bare = (r.get("idle-gap", "lanyard", k, "p99_us") for k in ("first_frame", "bare_wake"))
        return frame - 1.2 * bare if frame and bare else None
    yield Row("idle-gap", "first frame after 10 ms idle (us, p99)", ("--idle-gap", "10", "--samples", "200"),
              ("lanyard",), setup={"mode": None}, show="first_frame.p99_us", checks=(
                  Check("us more than 1.2 times a bare wake's p99", over_bare, 5, None, True),))
    yield Row("idle-cpu", "64 ports idle (% of a core)", (), ("lanyard",), 64, {"mode": None}, kind="idle",
              show="cpu_percent", checks=(value("% of a core", "idle-cpu", ("cpu_percent",), 0.5),))
    yield Row("steady-1000", "1,000 frames a second (% of a core)", ("--rate", "1000"), ("lanyard",), 2,
              {"mode": None}, kind="cpu", show="cpu_percent", checks=(
                  value("% of a core", "steady-1000", ("cpu_percent",), 3),))
    yield Row("memory", "64 ports, 64k MACs: RssAnon (MB)", ("--macs", "32768", "--pattern", "pair"),
              ("lanyard",), 64, {"macs": 65536}, kind="cpu", show="anon_mb", checks=(
                  value("MB", "memory", ("anon_mb",), 32),))


ALL = {row.name: row for make in (throughput, shapes, copies, behaviour, rest) for row in make()}


def with_needs(names):
    """The rows of these names and those that their checks look at, in the order of ALL."""
    wanted = set(names)
    for name in names:
        wanted.update(ALL[name].needs)
    return [row for row in ALL.values() if row.name in wanted]
