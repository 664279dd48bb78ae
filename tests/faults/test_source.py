"""A source that changes, or is removed, while it is copied."""
import os
import shutil
import subprocess
import time

import pytest

import rig as faults
from rig import Reader, look, trees


def modules(rig):
    return sorted(s for s in rig.reference.values
                  if s.endswith(".pyc") and s.startswith(("many", "large")))


def put(a, path, data):
    """As an installer does it: elsewhere, then in one step."""
    new = a.new("new")
    trees.write(new, data)
    os.rename(new, path)


def replace(a, path):
    put(a, path, "NEW = %d\n" % a.random.randrange(10**9))


def truncate(a, path):
    os.truncate(path, 0)


def cut(a, path):
    os.truncate(path, a.random.randrange(os.path.getsize(path)))


def delete(a, path):
    os.unlink(path)


def directory(a, path):
    os.unlink(path)
    trees.write(os.path.join(path, "inside.py"), "INSIDE = 1\n")
    trees.write(os.path.join(path, "inside.txt"), "inside\n")


def link_to_module(a, path):
    os.unlink(path)
    os.symlink("../../single.py" if "many" in path else "../single.py", path)


def link_outside(a, path):
    os.unlink(path)
    os.symlink("/etc/hostname", path)


def touch(a, path):
    os.utime(path)


CHANGES = (replace, truncate, delete, directory, link_to_module, link_outside,
           touch, replace, cut)


def change(rig, a, site, n):
    """Does n changes of n modules at random moments; their shipped paths."""
    changed = a.random.sample(modules(rig), n)
    for i, shipped in enumerate(changed):
        a.doze(rig.cold / n)
        CHANGES[(a.n + i) % len(CHANGES)](a, os.path.join(site, shipped[:-1]))
    return changed


def versions(before, after, changed):
    """{path: what may be seen of it}; None: anything that is no module."""
    may = {}
    for path in changed:
        for p in {path, path[:-1]} | {
                q for q in after.values
                if q.startswith((path + "/", path[:-1] + "/"))}:
            may[p] = {v[0] for seen in (before, after)
                      for v in seen.values.get(p, ()) if isinstance(v, tuple)}
    return may


def test_changes_during_a_copy(rig):
    for a in rig.tries("source changes", ci=4, full=40):
        with a:
            site = rig.copy_source(a)
            if a.n % 2:
                rig.warm(a)
            run = a.mount(source=site)
            reader = Reader(run.path, seed=a.n, rounds=4, pause=0.2)
            changed = change(rig, a, site, 24)
            during = reader.result()
            wanted = rig.undisturbed(a, site)
            a.saw(during, allowed=versions(rig.reference, wanted, changed))
            # Noticed within a second or two.
            faults.wait_until(lambda: look(run.path).values == wanted.values,
                              6, 0.2)
            last = look(run.path)
            a.saw(last, reference=wanted)
            a.expect(last.values == wanted.values, "not as a new mount: %s" % [
                (p, last.values.get(p), wanted.values.get(p))
                for p in sorted(set(last.values) | set(wanted.values))
                if last.values.get(p) != wanted.values.get(p)][:4])
            run.finish()
            run = a.mount(source=site)
            a.expect(look(run.path).values == wanted.values, "a new mount")
            run.finish()


def test_large_files_change_under_a_reader(rig):
    """Never half of one and half of the other."""
    for a in rig.tries("data replaced under its reader", ci=2, full=30):
        with a:
            site = a.new("site")
            path = os.path.join(site, "big.bin")
            sizes = [3 << 20, a.random.randrange(1 << 20, 4 << 20)]
            both = [bytes([65 + i]) * n for i, n in enumerate(sizes)]
            trees.write(path, both[0])
            first = rig.undisturbed(a, site)
            run = a.mount(source=site)
            reader = Reader(run.path, rounds=60, pause=0.002)
            n = 0
            while reader.running():
                n += 1
                put(a, path, both[n % 2])
                a.doze(0.02)
            may = {faults.hashlib.blake2b(b, digest_size=16).digest()
                   for b in both}
            a.saw(reader.result(), reference=first,
                  allowed={"big.bin": may})
            a.expect(n > 3, "too slow to see anything")
            put(a, path, both[0])
            time.sleep(1.2)
            a.saw(look(run.path), complete=True,
                  reference=rig.undisturbed(a, site))
            run.finish()


def test_the_source_is_renamed_away(rig):
    for a in rig.tries("source renamed away", ci=2, full=20):
        with a:
            site = rig.copy_source(a)
            run = a.mount(source=site)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            os.rename(site, site + ".away")
            a.saw(reader.result())
            a.saw(look(run.path))
            run.finish()
            r = a.call("mount", "--python", faults.PYTHON, site, run.path)
            a.expect(r and r.returncode == 1, "mounts what is not there")
            a.after(source=site + ".away")


def test_the_source_is_deleted(rig):
    for a in rig.tries("source deleted", ci=2, full=20):
        with a:
            site = rig.copy_source(a)
            run = a.mount(source=site)
            reader = Reader(run.path, seed=a.n, rounds=3)
            a.doze(rig.cold)
            shutil.rmtree(site)
            seen = reader.result()
            a.saw(seen, allowed=dict.fromkeys(rig.reference.values, ()))
            run.finish()
            a.after()


@pytest.mark.root
def test_the_sources_file_system_goes(rig, disk):
    for a in rig.tries("source unmounted lazily", ci=2, full=20):
        with a:
            at = disk(a, "size=64m")
            site = os.path.join(at, "site")
            subprocess.run(["cp", "-a", rig.source, site], check=True,
                           timeout=60)
            run = a.mount(source=site)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            subprocess.run(["umount", "-l", at], check=True, timeout=30)
            a.saw(reader.result())
            run.finish()
            a.after()


def test_the_source_is_a_mount_that_dies(rig):
    """Its server is killed, or stopped for a while: reads wait, or fail."""
    for a in rig.tries("source's own server dies", ci=3, full=30):
        with a:
            below = a.mount("--no-cache", "--keep-source", "*.py")
            wanted = rig.undisturbed(a, below.path)
            run = a.mount(source=below.path)
            reader = Reader(run.path, seed=a.n, rounds=2)
            a.doze(rig.cold)
            server = below.daemon
            if a.n % 3 == 2:
                faults.kill(server, faults.signal.SIGSTOP)
                time.sleep(1)
                faults.kill(server, faults.signal.SIGCONT)
            else:
                faults.kill(server)
            a.saw(reader.result(), reference=wanted)
            run.finish()
            if below.mounted():
                below.umount()
            below.status()
            a.after()


def test_export_of_what_changes(rig):
    """It fails and leaves nothing, or each file is of one version."""
    kinds = ("out", "out.tar", "out.zip")
    for a in rig.tries("source changes, export", ci=3, full=40):
        with a:
            site = rig.copy_source(a)
            place = a.new("place")
            os.mkdir(place)
            dest = os.path.join(place, kinds[a.n % 3])
            args = ["--python", faults.PYTHON, "--on-error", "omit",
                    "--on-lost", "warn", "--cache", a.cache, site, dest]
            run = faults.Run(a, "export", *args)
            changed = change(rig, a, site, 16)
            status = run.status()
            if status == 0:
                wanted = rig.undisturbed(a, site, "--on-error", "omit")
                may = versions(rig.reference, wanted, changed)
                a.saw_export(dest, complete=False, allowed=may)
            elif status is not None:
                a.expect(status == 1, "ended with %d" % status)
                a.expect(not os.listdir(place), "left: %s" % os.listdir(place))
            again = a.call("export", "--force", *args)
            a.expect(again and again.returncode == 0, "not again: %s" % again)
            a.saw_export(dest, reference=rig.undisturbed(
                a, site, "--on-error", "omit"))
            a.expect(os.listdir(place) == [os.path.basename(dest)],
                     "left: %s" % os.listdir(place))
