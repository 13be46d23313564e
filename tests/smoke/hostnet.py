# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces of a test's own, so that it never touches the host's network.

What     private() runs the test again inside a new network and mount namespace, with a /run of its
         own; Net() there names namespaces, runs programs in them and asks about interfaces.
Needs    root. Without it, private() says so and skips.
"""
import json
import os
import subprocess
import sys
import time

from session import need, skip

INSIDE = "LANYARD_TEST_PRIVATE_NET"


def private(*programs):
    need("unshare", "ip", *programs)
    if os.environ.get(INSIDE):
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        os.mkdir("/run/netns")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid():
        skip("only root can make network namespaces")
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])


def cleaned(clean, tests):
    """The same tests, with clean() called after each, also one that fails."""
    def wrap(test):
        def wrapped():
            try:
                test()
            finally:
                clean()
        wrapped.__name__ = test.__name__
        return wrapped
    return map(wrap, tests)


def out(*argv, check=True, timeout=60):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


class Net:
    """A namespace by name, or ("") the test's own. Deleted with the test's own."""

    def __init__(self, name=""):
        self.name = name
        if name:
            out("ip", "netns", "add", name)

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.name, *argv] if self.name else list(argv)

    def run(self, *argv, check=True, timeout=60):
        return out(*self.argv(*argv), check=check, timeout=timeout)

    def ip(self, *words, check=True):
        return self.run("ip", *words, check=check)

    def link(self, name):
        """What `ip -json -details address show` says of the interface, or None."""
        for _ in range(10):
            text = self.run("ip", "-json", "-details", "address", "show", "dev", name, check=False)
            try:
                return json.loads(text)[0] if text.strip() else None
            except json.JSONDecodeError:
                pass  # it went while ip was writing
        raise AssertionError(f"ip says of {name}: {text}")

    def addresses(self, name, family="inet"):
        return [f"{a['local']}/{a['prefixlen']}" for a in self.link(name)["addr_info"]
                if a["family"] == family]

    def ping(self, address, size=56, count=1):
        """Whether all came back."""
        text = self.run("busybox", "ping", "-c", str(count), "-W", "1", "-s", str(size), address,
                        check=False)
        return f"{count} packets received" in text

    def iperf(self, server, address, *words, seconds=1):
        """TCP to a server in another namespace; bits a second received."""
        with subprocess.Popen(server.argv("iperf3", "-s", "-1"), stdout=subprocess.DEVNULL) as s:
            try:
                for _ in range(50):
                    text = self.run("iperf3", "-J", "-c", address, "-t", str(seconds), *words,
                                    check=False)
                    result = json.loads(text)
                    if "sum_received" in result.get("end", {}):
                        return result["end"]["sum_received"]["bits_per_second"]
                    time.sleep(0.1)
                raise AssertionError(f"iperf3: {result}")
            finally:
                s.kill()
