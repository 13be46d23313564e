# SPDX-License-Identifier: BSD-3-Clause
"""What every lint needs: the project's files, and a way to say what is wrong where."""

import os
import re
import sys

SKIP = 77
FOLDERS = ["base", "switch", "vhost-user", "tap", "control", "vm-launcher", "tests", "bench",
           "docs", "examples", ".ci"]


class Lint:
    def __init__(self):
        self.root, self.n_wrong, self.n_files = sys.argv[1], 0, 0

    def files(self, *endings, folders=FOLDERS):
        """Paths from the root that end so ("": all), sorted; files beside the folders too."""
        found = [f for f in os.listdir(self.root) if folders is FOLDERS and f != ".git" and
                 os.path.isfile(f"{self.root}/{f}")]
        for folder in folders:
            for at, dirs, names in os.walk(f"{self.root}/{folder}"):
                dirs[:] = [d for d in dirs if d not in ("__pycache__",)]
                found += [os.path.relpath(f"{at}/{name}", self.root) for name in names]
        chosen = sorted(f for f in found if f.endswith(endings or ("",)))
        self.n_files += len(chosen)
        return chosen

    def text(self, path):
        with open(f"{self.root}/{path}", errors="replace") as f:
            return f.read()

    def scripts(self, interpreter):
        """Files whose first line names the interpreter."""
        for path in self.files():
            first = self.text(path).split("\n", 1)[0]
            if first.startswith("#!") and re.search(rf"\b{interpreter}\b", first):
                yield path

    def wrong(self, path, line, text):
        self.n_wrong += 1
        print(f"{path}:{line}: {text}")

    def done(self):
        """Ends the lint."""
        if not self.n_files:
            self.wrong(self.root, 0, "no file to look at; is this the project's root?")
        print(f"{self.n_files} files, {self.n_wrong} wrong")
        sys.exit(1 if self.n_wrong else 0)


def code_only(text):
    """C without comments and without what stands in quotes; lines stay where they are."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group())
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def numbered(text):
    return enumerate(text.split("\n"), 1)
