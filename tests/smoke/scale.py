#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many ports: they attach at once, all reach each other, and take little memory."""
import session
from crowd import Crowd, memory_kb
from session import Session, await_true


def up(s):
    return all(p["state"] == "up" for p in s.json("port", "show"))


def many_ports_attach_and_reach_each_other():
    with Session() as s:
        crowd = Crowd(s, 256)
        await_true("all ports are up", lambda: up(s))
        print(f"   256 ports attached in {crowd.attach_s:.2f} s")
        assert crowd.attach_s < 5, crowd.attach_s
        frames, seconds = crowd.ask("pairs")
        print(f"   {frames:.0f} frames, from each to each, in {seconds:.1f} s")
        memory = memory_kb(s.pid)
        print(f"   RssAnon {memory['RssAnon'] / 1024:.1f} MB")


def own_memory(s):
    """MB without the guests' and the programs': anonymous, hugepages, and files in memory of its own."""
    memory = memory_kb(s.pid)
    mapped = own = 0
    with open(f"/proc/{s.pid}/smaps", encoding="ascii") as f:
        for line in f:
            word = line.split()
            if "-" in word[0] and not word[0].endswith(":"):
                own = "memfd:" in line and "memfd:front-end" not in line
            elif word[0] == "Rss:" and own:
                mapped += int(word[1])
    return memory["RssAnon"] / 1024, memory["HugetlbPages"] / 1024, mapped / 1024


def ports_and_addresses_take_little_memory():
    with Session() as s:
        crowd = Crowd(s, 64)
        crowd.ask("pairs")
        crowd.ask("macs", 65536)
        crowd.ask("touch")
        macs = s.json("bridge", "show")[0]["macs"]
        anon, huge, files = own_memory(s)
        print(f"   64 ports, {macs} addresses: {anon:.1f} MB anonymous, {huge:.1f} MB in hugepages, "
              f"{files:.1f} MB in files of its own")
        assert macs > 60000, macs
        assert anon + huge + files < 32, (anon, huge, files)


session.run(many_ports_attach_and_reach_each_other, ports_and_addresses_take_little_memory)
