"""Runs buildah with a storage of the test's own, and looks into images."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXAMPLES = os.path.join(TOP, "tools", "examples")
CHROOT = {"BUILDAH_ISOLATION": "chroot"}
OCI = {"BUILDAH_ISOLATION": "oci", "BUILDAH_RUNTIME": "runc"}
# Base images: a system is downloaded and unpacked, if it is not there.
BASE_SECONDS = 900
BUILD_SECONDS = 180


def pycfs():
    return os.path.abspath(os.environ.get("PYCFS", ""))


def run(*command, timeout=BUILD_SECONDS, env=None, cwd=None, check=True):
    """Runs a command to its end; stdout and stderr are text."""
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
        env=env, cwd=cwd)
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    if check:
        assert done.returncode == 0, "%s: exit status %d\n%s\n%s" % (
            command, done.returncode, done.stdout[-4000:], done.stderr[-4000:])
    return done


class Builder:
    """buildah, with all that it keeps below one directory on a real disk."""

    def __init__(self):
        # Not TMPDIR: overlayfs wants a disk, not a tmpfs or an overlay.
        self.top = tempfile.mkdtemp(prefix="pycfs-build-", dir="/var/tmp")
        os.chmod(self.top, 0o755)
        driver = os.environ.get("PYCFS_TEST_STORAGE", "overlay")
        conf = os.path.join(self.top, "storage.conf")
        with open(conf, "w") as f:
            f.write('[storage]\ndriver = "%s"\ngraphroot = "%s/store"\n'
                    'runroot = "%s/run"\n' % (driver, self.top, self.top))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("PYTHON", "PYCFS", "PYTEST",
                                         "BUILDAH", "SOURCE_DATE"))}
        # buildah keeps cache mounts in TMPDIR.
        self.env.update(
            CHROOT, CONTAINERS_STORAGE_CONF=conf, TMPDIR=self.top + "/tmp",
            PYCFS_CACHE=self.top + "/cache",
            PATH=os.path.dirname(pycfs()) + ":" + os.environ["PATH"])
        os.mkdir(self.env["TMPDIR"])

    def buildah(self, *args, env=None, **how):
        return self.run("buildah", *args, env=env, **how)

    def run(self, *command, env=None, **how):
        return run(*command, env={**self.env, **(env or {})}, **how)

    def make_base(self):
        build = os.path.dirname(pycfs())
        where = os.environ.get("PYCFS_BASE_IMAGE") or \
            os.path.join(build, "containers-base")
        self.run(os.path.join(EXAMPLES, "base-image"), where, build,
                 timeout=BASE_SECONDS)

    def own_caches(self):
        """An environment in which no cache has anything yet."""
        top = tempfile.mkdtemp(prefix="caches-", dir=self.top)
        return {"TMPDIR": top, "PYCFS_CACHE": os.path.join(top, "host")}

    # images

    def image(self, name):
        out = self.buildah("inspect", "--type", "image", name)
        return json.loads(out.stdout)

    def layers(self, name):
        """The diff_ids of an image."""
        return self.image(name)["OCIv1"]["rootfs"]["diff_ids"]

    @contextlib.contextmanager
    def container(self, name):
        out = self.buildah("from", "--pull=false", name)
        container = out.stdout.strip()
        try:
            yield container
        finally:
            self.buildah("rm", container)

    @contextlib.contextmanager
    def root(self, name):
        """The root directory of an image, mounted."""
        with self.container(name) as container:
            yield self.buildah("mount", container).stdout.strip()
            self.buildah("umount", container)

    def inside(self, name, *command, env=None):
        """What a command in an image prints."""
        with self.container(name) as container:
            return self.buildah("run", "--network", "host", container, "--",
                                *command, env=env).stdout

    # the end

    def close(self):
        """Leaves nothing; whatever is still mounted is detached."""
        self.buildah("rm", "--all", check=False)
        for point in sorted(mounts_below(self.top), reverse=True):
            subprocess.run(["umount", "-l", point], timeout=30)
        shutil.rmtree(self.top)


def mounts_below(top):
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f]
    return [point for point in points if point.startswith(top + "/")]


def files(top):
    """Every path below a directory, relative to it."""
    found = []
    for where, dirs, names in os.walk(top):
        found += [os.path.relpath(os.path.join(where, name), top)
                  for name in dirs + names]
    return sorted(found)


def make_site(to):
    run(os.path.join(EXAMPLES, "make-site"), to)
    return str(to)


def copy_examples(to):
    """The examples, for a test to change."""
    shutil.copytree(EXAMPLES, to, ignore=shutil.ignore_patterns("__pycache__"))
    return str(to)
