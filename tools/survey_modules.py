# SPDX-License-Identifier: MIT
"""Imports every module below the top-level names of a directory, and says of
each how that ended.

usage: python3 -S tools/survey_modules.py DIR JOBS < NAMES

NAMES are top-level names, one a line. Each gets a process of its own, in which
its modules are imported one after the other, and which ends after two minutes;
a module that ends the process is skipped by the next one. Prints lines of
JSON: a module, and null or [line, type, text, files] of what it raised, with
the files of DIR that were being run, the last one first. What is imported runs.
"""
import json
import os
import select
import signal
import sys
import tempfile
import traceback

SECONDS = 120
ENDINGS = (".py", ".pyc", ".so")


def modules(top, name):
    """The names of the modules that `name` has in `top`, parents first."""
    path = os.path.join(top, name)
    out = {name}
    for where, dirs, files in os.walk(path):
        dirs[:] = sorted(d for d in dirs
                         if d.isidentifier() and d != "__pycache__")
        if not any(f.startswith("__init__.") for f in files):
            dirs[:] = []
            continue
        at = os.path.relpath(where, top).replace("/", ".")
        out.add(at)
        for f in files:
            stem = f.split(".")[0]
            if f.endswith(ENDINGS) and stem.isidentifier() and \
                    stem not in ("__init__", "__main__"):
                out.add(at + "." + stem)
    return sorted(out)


def outcome(name, top):
    try:
        __import__(name)
    except BaseException as e:  # SystemExit is one, too
        files, line = [], None
        for f in traceback.extract_tb(e.__traceback__):
            # The second one is what the code of a layer says.
            for prefix in top + "/", "/site-packages/":
                if f.filename.startswith(prefix):
                    files.insert(0, f.filename[len(prefix):])
                    line = f.lineno
        return [line, type(e).__name__, str(e)[:300], files]
    return None


def work(top, names, pipe):
    os.chdir(tempfile.mkdtemp())
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.alarm(SECONDS)
    sys.path.insert(0, top)
    sys.argv = ["survey"]
    for name in names:
        os.write(pipe, (json.dumps([name]) + "\n").encode())
        os.write(pipe, (json.dumps([name, outcome(name, top)]) + "\n").encode())
    os._exit(0)


class Job:
    def __init__(self, top, name):
        self.top, self.left = top, modules(top, name)
        self.fd = -1
        self.start()

    def start(self):
        self.fd, pipe = os.pipe()
        self.text = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            work(self.top, self.left, pipe)
        os.close(pipe)

    def read(self):
        """Takes what has come. True: it goes on."""
        more = os.read(self.fd, 1 << 16)
        self.text += more
        if more:
            return True
        os.close(self.fd)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, status = os.waitpid(self.pid, 0)
        begun, done = None, []
        for line in self.text.decode("utf-8", "replace").splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if len(found) == 1:
                begun = found[0]
            else:
                done.append(found)
        said = {name for name, _ in done}
        if begun and begun not in said:
            done.append([begun, [None, "ended", "status %d" % status, []]])
            said.add(begun)
        for found in done:
            print(json.dumps(found), flush=True)
        self.left = [name for name in self.left if name not in said]
        if not begun or not self.left:
            return False
        self.start()
        return True


def main():
    top, jobs = os.path.realpath(sys.argv[1]), int(sys.argv[2])
    names = sys.stdin.read().split()[::-1]
    running = []
    while names or running:
        while names and len(running) < jobs:
            running.append(Job(top, names.pop()))
        ready, _, _ = select.select([j.fd for j in running], [], [])
        running = [j for j in running if j.fd not in ready or j.read()]


main()
