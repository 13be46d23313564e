# SPDX-License-Identifier: BSD-3-Clause
"""Reads cases.txt; its head describes the format."""

from dataclasses import dataclass, field


@dataclass
class Port:
    name: str
    mode: str
    vids: str
    native: int = 0


@dataclass
class Setup:
    name: str
    ageing_s: int = 300
    forward_reserved: int = 0
    ports: list = field(default_factory=list)


@dataclass
class Step:
    port: str      # empty: wait
    frame: bytes
    wait_s: float


@dataclass
class Case:
    name: str
    setups: list
    steps: list = field(default_factory=list)


def parse_frame(words, addrs):
    out = b""
    for word in words:
        if word[0] == "@":
            out += addrs[word[1:]]
        elif word[0] == "/":
            out += bytes(i & 0xff for i in range(len(out), int(word[1:])))
        else:
            out += bytes.fromhex(word.replace(".", "").replace(":", ""))
    return out


def parse_port(words):
    native = int(words[4]) if len(words) == 5 and words[3] == "native" else 0
    return Port(words[0], words[1], words[2], native)


class Table:
    def __init__(self, path):
        self.addrs, self.setups, self.cases, self.on = {}, {}, [], []
        with open(path) as f:
            for number, line in enumerate(f, 1):
                words = line.split("#")[0].split()
                if not words:
                    continue
                try:
                    self.do(words[0], words[1:])
                except (KeyError, IndexError, ValueError) as e:
                    raise SystemExit(f"{path}:{number}: cannot read this line: {e}")

    def do(self, verb, words):
        method = getattr(self, "do_" + verb.replace("-", "_"), None)
        if not method:
            raise ValueError(f"unknown word {verb}")
        method(words)

    def last_setup(self):
        return list(self.setups.values())[-1]

    def do_addr(self, w):
        self.addrs[w[0]] = bytes.fromhex(w[1].replace(":", ""))

    def do_setup(self, w):
        self.setups[w[0]] = Setup(w[0])

    def do_ageing(self, w):
        self.last_setup().ageing_s = int(w[0])

    def do_forward_reserved(self, w):
        self.last_setup().forward_reserved = sum(1 << int(x, 16) for x in w[0].split(","))

    def do_port(self, w):
        self.last_setup().ports.append(parse_port(w))

    def do_on(self, w):
        self.on = [self.setups[name] for name in w]

    def do_case(self, w):
        self.cases.append(Case(w[0], self.on))

    def do_send(self, w):
        self.cases[-1].steps.append(Step(w[0], parse_frame(w[1:], self.addrs), 0))

    def do_wait(self, w):
        self.cases[-1].steps.append(Step("", b"", float(w[0])))

    def run(self):
        """Yields (setup, [(case, [(step id, port index, Step)])]); a wait has no id."""
        for setup in self.setups.values():
            cases = [(c, expand(setup, c)) for c in self.cases if setup in c.setups]
            yield setup, cases


def expand(setup, case):
    steps, n = [], 0
    for step in case.steps:
        if not step.port:
            steps.append(("", 0, step))
            continue
        for i, port in enumerate(setup.ports):
            if step.port in ("*", port.name):
                n += 1
                steps.append((f"{setup.name}/{case.name}#{n}@{port.name}", i, step))
    return steps
