# SPDX-License-Identifier: BSD-3-Clause
"""lanyard-switch.service, as it is installed, under a real systemd of its own (own_systemd.py)."""
import json
import os
import re

import own_systemd
import session
from session import Session, await_true, binary

UNIT = "lanyard-switch.service"
DROP_IN = """
[Unit]
DefaultDependencies=no
[Service]
StandardError=append:{}
"""


def unit_text(*options):
    """As it is installed, but for where the program is."""
    with open(os.path.join(session.BUILD, "control/daemon", UNIT), encoding="utf-8") as f:
        return re.sub("^ExecStart=[^ ]*(.*)", rf"ExecStart={binary('lanyard-switch')}\1 {' '.join(options)}", f.read(),
                      flags=re.M)


class Service(Session):
    """A session whose switch is that unit. Its /run and its folder are seen from here, its process numbers are not."""

    def __init__(self, *options, readable=()):
        super().__init__(daemon=False)
        self.run_dir = self.path("run/lanyard")
        self.env["LANYARD_RUN_DIR"] = self.run_dir
        self.systemd = None
        drop_ins = self.path(f"run/systemd/system/{UNIT}.d")
        os.makedirs(drop_ins)
        self.write(f"run/systemd/system/{UNIT}", unit_text("--socket-dir", self.dir, *options))
        with open(os.path.join(drop_ins, "test.conf"), "w", encoding="utf-8") as f:
            f.write(DROP_IN.format(self.path("switch.log")))
        self.systemd = own_systemd.OwnSystemd(self.dir, UNIT, os.path.abspath(session.BUILD), *readable)
        try:
            self.await_active()
        except BaseException:
            self.close(failed=True)
            raise

    def await_active(self):
        def is_over():
            now = self.show("ActiveState", "NRestarts")
            assert now["ActiveState"] != "failed" and int(now["NRestarts"]) < 3, self.log_text()[-2000:]
            return now["ActiveState"] == "active"

        await_true("the unit is active", is_over)

    def await_switch(self, pid):
        """Another process than pid forwards: its status."""
        def another():
            done = self.cli("--json", "status", check=False)
            now = json.loads(done.stdout)["daemon"] if done.returncode == 0 else {"pid": pid}
            return now["pid"] != pid and now

        return await_true("another process forwards", another)

    def show(self, *names):
        return self.systemd.show(*names)

    def is_served(self):
        return self.cli("status", check=False).returncode == 0

    def kill(self, pid=None, sig="KILL"):
        self.systemd.kill(pid, sig)

    def close(self, failed=False):
        if failed and self.systemd:
            print(self.systemd.log_text()[-3000:])
        if self.systemd:
            for child in list(self.children):
                self.end(child)
            self.systemd.close()
        super().close(failed)
