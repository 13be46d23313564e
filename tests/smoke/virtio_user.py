#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's virtio-user PMD, a front end written by others: two ports in one dpdk-testpmd exchange
frames through a bridge. Every frame that testpmd sent is received or counted."""
import re
import subprocess

import session
from session import Session, await_true, need


def testpmd(s, options, queues, *args):
    """Starts testpmd with two virtio-user ports and its command line on a pipe. args stand in for
    --no-lsc-interrupt, with which a server does not see its back end go."""
    vdevs = []
    for i in range(2):
        vdevs += ["--vdev", f"net_virtio_user{i},path={s.path(f'{i}.sock')},{options},queues={queues}"]
    return s.spawn("dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci",
                   "--no-telemetry", "--file-prefix", f"smoke{s.daemon.pid}", *vdevs, "--", "-i",
                   "--nb-cores=1", f"--rxq={queues}", f"--txq={queues}", "--total-num-mbufs=8192",
                   *(args or ["--no-lsc-interrupt"]), stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def command(pmd, *words):
    pmd.stdin.write(" ".join(words) + "\n")
    pmd.stdin.flush()


def at_rest(s):
    """Waits until no counter moves any more: a ring that is stopped keeps what is in it."""
    seen = []

    def quiet():
        seen.append([s.port(f"p{i}")["counters"] for i in range(2)])
        return len(seen) > 3 and seen[-1] == seen[-2] == seen[-3]

    await_true("testpmd and the switch are at rest", quiet)


def exchange(options, queues, listen):
    with Session() as s:
        s.cli("bridge", "add", "br")
        for i in range(2):
            s.cli("port", "add", f"p{i}", "--bridge", "br", "--type", "vhost-user", "--path",
                  s.path(f"{i}.sock"), "--queues", str(queues), *(["--listen"] if listen else []))
        pmd = testpmd(s, options + ("" if listen else ",server=1"), queues)
        for i in range(2):
            s.await_port(f"p{i}", "up", 30)
        await_true("all queues run", lambda: s.port("p0")["queues"] == queues)
        # Bursts go round and round: testpmd sends back by one port what it gets by the other.
        command(pmd, "set fwd io")
        command(pmd, "start tx_first 4")
        await_true("100,000 frames went round",
                   lambda: s.port("p0")["counters"]["tx_frames"] > 100000, 60)
        command(pmd, "stop")
        at_rest(s)
        command(pmd, "show port stats all")
        command(pmd, "quit")
        out = pmd.communicate(timeout=30)[0]
        stats = re.findall(r"RX-packets: (\d+).*?TX-packets: (\d+)", out, re.S)[-2:]
        ports = [s.port(f"p{i}")["counters"] for i in range(2)]
        for i in range(2):
            received, sent = map(int, stats[i])
            assert ports[i]["rx_frames"] == sent, (ports[i], sent)
            # What the switch delivered after testpmd had stopped reading is in its rings.
            assert 0 <= ports[i]["tx_frames"] - received <= 4 * 32 * queues * 2, (ports[i], received)
            # One port goes away before the other: what still comes from that one has no way out.
            forwarded = sent - ports[i]["rx_drops"]["no_port"]
            assert ports[i]["rx_forwarded"] == forwarded, ports[i]
            other = ports[1 - i]
            assert other["tx_frames"] + sum(other["tx_drops"].values()) == forwarded, ports


def mergeable_buffers_with_the_switch_listening():
    exchange("mrg_rxbuf=1", 1, True)


def plain_buffers_with_the_switch_listening():
    exchange("mrg_rxbuf=0", 1, True)


def mergeable_buffers_with_the_switch_connecting():
    exchange("mrg_rxbuf=1", 1, False)


def plain_buffers_with_the_switch_connecting():
    exchange("mrg_rxbuf=0", 1, False)


def four_queue_pairs():
    exchange("mrg_rxbuf=1", 4, True)


def back_end_that_returns_goes_on_with_the_rings():
    """virtio-user keeps its rings over a reconnect, and tells base 0 for them all the same."""
    with Session() as s:
        def ports_add():
            for i in range(2):
                s.cli("port", "add", f"p{i}", "--bridge", "br", "--type", "vhost-user", "--path",
                      s.path(f"{i}.sock"))
            for i in range(2):
                s.await_port(f"p{i}", "up", 30)

        def frames_go_round():
            command(pmd, "start tx_first 4")
            await_true("100,000 frames went round",
                       lambda: s.port("p0")["counters"]["tx_frames"] > 100000, 60)
            command(pmd, "stop")

        s.cli("bridge", "add", "br")
        pmd = testpmd(s, "mrg_rxbuf=1,server=1", 1, "--forward-mode=io")
        ports_add()
        frames_go_round()
        for i in range(2):
            s.cli("port", "del", f"p{i}")
        ports_add()
        frames_go_round()
        command(pmd, "quit")
        pmd.communicate(timeout=30)


def one_port_pmd(s, i, *args):
    return s.spawn("dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci",
                   "--no-telemetry", "--file-prefix", f"smoke{s.daemon.pid}.{i}", "--vdev",
                   f"net_virtio_user{i},path={s.path(f'{i}.sock')},mrg_rxbuf=1,queues=4", "--", "-i",
                   "--nb-cores=1", "--rxq=4", "--txq=4", "--total-num-mbufs=8192",
                   "--no-lsc-interrupt", *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True)


def many_flows_use_all_queues_of_the_receiver():
    with Session() as s:
        s.cli("bridge", "add", "br")
        for i in range(2):
            s.cli("port", "add", f"p{i}", "--bridge", "br", "--type", "vhost-user", "--path",
                  s.path(f"{i}.sock"), "--queues", "4", "--listen")
        sender = one_port_pmd(s, 0, "--forward-mode=txonly", "--txonly-multi-flow")
        receiver = one_port_pmd(s, 1, "--forward-mode=rxonly")
        for i in range(2):
            s.await_port(f"p{i}", "up", 30)
        await_true("all queues run", lambda: s.port("p1")["queues"] == 4)
        command(receiver, "start")
        command(sender, "start")
        await_true("100,000 frames were delivered",
                   lambda: s.port("p1")["counters"]["tx_frames"] > 100000, 60)
        command(sender, "stop")
        at_rest(s)
        command(receiver, "stop")
        command(receiver, "show port xstats all")
        command(receiver, "quit")
        out = receiver.communicate(timeout=30)[0]
        queues = [int(n) for n in re.findall(r"rx_q\d+_good_packets: (\d+)", out)]
        print(f"   frames by queue: {queues}")
        assert len(queues) == 4 and min(queues) > max(queues) / 4, queues
        command(sender, "quit")
        sender.communicate(timeout=30)


need("dpdk-testpmd")
session.run(many_flows_use_all_queues_of_the_receiver,
            mergeable_buffers_with_the_switch_listening, plain_buffers_with_the_switch_listening,
            mergeable_buffers_with_the_switch_connecting, plain_buffers_with_the_switch_connecting,
            four_queue_pairs, back_end_that_returns_goes_on_with_the_rings)
