# SPDX-License-Identifier: BSD-3-Clause
"""What bench/compare prints of its results: a machine line, a Markdown table a kind of figure, the targets
with pass or FAIL, and with gnuplot a plot of the throughput rows."""
import os
import platform
import shutil
import subprocess
import tempfile
from statistics import median

import rows
import switches

LATENCY = [("10", "p50_us"), ("10", "p99_us"), ("10", "p999_us"), ("50", "p50_us"), ("50", "p99_us"),
           ("90", "p50_us"), ("90", "p99_us"), ("90", "p999_us")]


def machine_line(args):
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "?")
    versions = [line for line in (
        subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", package], text=True,
                       capture_output=True).stdout for package in ("dpdk", "openvswitch-switch-dpdk"))
                if line]
    huge = "hugepages for the tuned ones" if switches.hugepages_free() else "no hugepages"
    return (f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}; {', '.join(versions)}; {huge}. "
            f"CPU {args.switch_cpu} for the switch, {args.load_cpu} for the load; mergeable split rings "
            f"of 256 unless said, both ways, {args.seconds:g} s a run, medians of interleaved runs.")


def number(x):
    if x is None:
        return "-"
    return f"{x:.0f}" if abs(x) >= 1000 or x == int(x) else f"{x:.3g}"


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] +
                     ["| " + " | ".join(line) + " |" for line in lines])


def cell(results, row, switch):
    """Median (spread), and what was the limit if that was the load."""
    found = results.all(row.name, switch, *row.show.split("."))
    if not found:
        return "-"
    text = number(median(found))
    if len(found) > 1:
        text += f" ({number(min(found))}-{number(max(found))})"
    return text + (", load-bound" if results.load_bound(row.name, switch) else "")


def ratios(results, row, present):
    mine = (row.name, "lanyard", *row.show.split("."))
    return [number(results.ratio(mine, (row.name, s, *row.show.split("."))))
            for s in present if s != "lanyard"]


def rates_table(results, chosen):
    present = [s for s in switches.ALL if any(s in results.runs.get(r.name, {}) for r in chosen)]
    names = {s: switches.ALL[s].name for s in present}
    head = ["", *names.values(), *[f"to {names[s]}" for s in present if s != "lanyard"],
            "runs", *[f"cycles {names[s]}" for s in present]]
    lines = []
    for row in chosen:
        if row.kind == "latency" or row.name not in results.runs:
            continue
        lines.append([row.title, *[cell(results, row, s) for s in present],
                      *ratios(results, row, present),
                      str(max(len(x) for x in results.runs[row.name].values())),
                      *[number(results.get(row.name, s, "cycles")) for s in present]])
    return table(head, lines) if lines else ""


def latency_table(results):
    lines = []
    for switch, runs in results.runs.get("latency", {}).items():
        lines.append([switches.ALL[switch].name] +
                     [number(results.get("latency", switch, "latency", *path)) for path in LATENCY] +
                     [number(results.get("latency", switch, "mframes_s"))])
    head = ["us, 60 B"] + [f"{share} %: {what[:-3].replace('p999', 'p99.9')}" for share, what in LATENCY]
    return table(head + ["maximum, Mframes/s"], lines) if lines else ""


def targets_table(results, chosen):
    """(Markdown, number of checks that fail)."""
    lines, n_failed = [], 0
    for row in chosen:
        for check in row.checks:
            value = check.figure(results)
            if value is None:
                continue
            verdict = "pass" if check.holds(value) else "FAIL"
            if results.load_bound(row.name, "lanyard") and "times" in check.text:
                verdict = "load-bound"
            n_failed += verdict == "FAIL"
            bound = ("at most " if check.upper else "at least ") + number(check.floor)
            lines.append([row.title, check.text, number(value), bound, number(check.aim), verdict])
    head = ["row", "figure", "value", "floor", "aim", ""]
    return (table(head, lines) if lines else ""), n_failed


def text(results, chosen, args, missing):
    targets, n_failed = targets_table(results, chosen)
    parts = [machine_line(args), rates_table(results, chosen), latency_table(results), targets,
             "\n".join(f"Not measured: {switches.ALL[s].name}: {why}" for s, why in missing.items())]
    return "\n\n".join(p for p in parts if p) + "\n", n_failed


def plot(results, path):
    """Throughput rows as clusters of bars, SVG. Says why it made none."""
    chosen = [r for r in rows.throughput() if r.name in results.runs]
    present = [s for s in switches.ALL if any(s in results.runs[r.name] for r in chosen)]
    if not chosen or not shutil.which("gnuplot"):
        return "no plot: " + ("gnuplot is not installed (Debian package gnuplot-nox)" if chosen else
                              "no throughput row was measured")
    with tempfile.NamedTemporaryFile("w", suffix=".dat") as data:
        print("row", *[f'"{switches.ALL[s].name}"' for s in present], file=data)
        for row in chosen:
            print(f'"{row.name}"', *[results.get(row.name, s, "mframes_s") or 0 for s in present],
                  file=data)
        data.flush()
        columns = ", ".join(f"'{data.name}' using {i + 2}:xtic(1) title columnheader"
                            for i in range(len(present)))
        script = (f"set terminal svg size 900,420 background 'white'\nset output '{path}'\n"
                  "set style data histogram\nset style histogram cluster gap 1\n"
                  "set style fill solid 0.8 border -1\nset ylabel 'Mframes/s'\nset yrange [0:*]\n"
                  f"set grid y\nset key top right\nplot {columns}\n")
        done = subprocess.run(["gnuplot", "-"], input=script, capture_output=True, text=True)
    return f"no plot: {done.stderr}" if done.returncode else None
