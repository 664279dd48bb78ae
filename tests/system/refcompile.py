"""Compiles files with py_compile. Runs inside a target Python (3.8 to 3.15).

usage: refcompile.py SECONDS SOURCE DEST

Compiles each X.py of SOURCE to DEST/X.pyc at level 2. Each is compiled in a
process of its own, which has SECONDS of CPU time and as much memory as a
worker of pycfs. Prints JSON: {name: "" if it was compiled, else how the
process ended}.
"""
import json
import os
import py_compile
import resource
import signal
import sys
import warnings

ADDRESS_SPACE = 4 << 30


def child(source, to, seconds):
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        py_compile.compile(
            source, cfile=to, dfile=os.path.basename(source), doraise=True,
            optimize=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError as e:
        return e.exc_type_name
    except BaseException as e:
        return type(e).__name__
    return ""


def run(source, to, seconds):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(w, child(source, to, seconds).encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        said = f.read()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        if os.path.exists(to):
            os.unlink(to)
        return signal.Signals(os.WTERMSIG(status)).name
    return said


def main(seconds, source, dest):
    warnings.simplefilter("ignore")
    out = {}
    for name in sorted(os.listdir(source)):
        out[name[:-3]] = run(os.path.join(source, name),
                             os.path.join(dest, name + "c"), int(seconds))
    json.dump(out, sys.stdout)


main(*sys.argv[1:])
