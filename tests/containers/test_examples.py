"""Each example's own script, as it is, and what is in the images it made."""
import hashlib
import json
import os
import re
import zipfile

import pytest

import builder as b

# How often each of the two builds of a script compiled something.
COMPILED = {
    "context": r"^ +(\d+)  modules compiled by a worker",
    "export": r"\((\d+) modules? compiled",
    "image": r"\((\d+) modules? compiled",
    "lambda": r"\((\d+) modules? compiled",
    "mount": r"(\d+) modules? compiled",
}


def compiled(name, done):
    return [int(n) for n in re.findall(COMPILED[name],
                                       done.stdout + done.stderr, re.M)]


def answers(done):
    """What the application said, each time it was run."""
    return [json.loads(line) for line in done.stdout.splitlines()
            if line.startswith('{"newest"')]


def modules(site):
    return {os.path.splitext(path)[0] for path in b.files(site)
            if path.endswith((".py", ".pyc"))}


def check_answer(said, where):
    assert said == {"newest": "1.10", "refused": ["x"],
                    "loaded": where + "/service/releases.pyc"}


def check_site(root, site, scratch):
    """An image's site-packages has every module, and none of the sources;
    nor is any of what made it in the image."""
    source = b.make_site(os.path.join(scratch, "expected"))
    shipped = b.files(root + site)
    assert not [path for path in shipped if path.endswith(".py")]
    assert not [path for path in shipped if "__pycache__" in path]
    assert modules(root + site) == modules(source)
    assert len(modules(source)) > 30
    metadata = [path for path in b.files(source) if path.endswith("METADATA")]
    assert metadata and set(metadata) <= set(shipped)
    assert not [path for path in b.files(root + "/usr")
                if os.path.basename(path).startswith("pycfs")]
    assert not os.path.exists(root + "/src")
    assert not os.path.exists(root + "/var/cache/pycfs")
    assert os.listdir(root + "/mnt") == []


def check_level(builder, image, env):
    """Python runs at level 2, and has bytecode of its own library for that."""
    said = builder.inside(
        image, "python3", "-c", "import os, sys, json\n"
        "print(sys.flags.optimize, json.__cached__,\n"
        "      os.path.exists(json.__cached__))", env=env)
    level, cached, is_there = said.split()
    assert (level, is_there) == ("2", "True") and ".opt-2." in cached, said


def check_example(builder, name, env, scratch, *args):
    """Runs the script of an example; both of its images are right, equal in
    every layer, and the second was made without compiling anything."""
    done = builder.run(os.path.join(b.EXAMPLES, name, "build"), *args,
                       env=env)
    n = len(modules(b.make_site(os.path.join(scratch, "site"))))
    assert compiled(name, done) == [n, 0], done.stdout + done.stderr
    images = ["localhost/%s-example:%s" % (name, tag)
              for tag in ("first", "second")]
    first, second = [builder.layers(image) for image in images]
    assert first == second
    base = builder.layers("localhost/python")
    assert first[:len(base)] == base and len(first) == len(base) + 1
    assert "layer of %s: %s\n" % (images[1], first[-1]) in done.stdout
    said, = answers(done)
    check_answer(said, "/opt/site")
    with builder.root(images[1]) as root:
        check_site(root, "/opt/site", scratch)
    again = builder.inside(images[1], "python3", "-m", "service", "--check",
                           env=env)
    check_answer(json.loads(again), "/opt/site")
    check_level(builder, images[1], env)
    return first


@pytest.fixture(scope="module")
def seen():
    """The layers of each image so far, by example."""
    return {}


@pytest.mark.parametrize("name, isolation", [
    ("context", b.CHROOT), ("export", b.CHROOT),
    ("mount", b.CHROOT), ("mount", b.OCI),
], ids=["context", "export", "mount-chroot", "mount-oci"])
def test_image(builder, caches, scratch, seen, name, isolation):
    """The same one, layer by layer, whichever way it is made."""
    layers = check_example(builder, name, {**caches, **isolation}, scratch)
    assert seen.setdefault("layers", layers) == layers


def test_one_change_compiles_one_module(builder, caches, scratch):
    """In another checkout, at another time, with one module changed."""
    script = os.path.join("export", "build")
    builder.run(os.path.join(b.EXAMPLES, script), env=caches)
    before = builder.layers("localhost/export-example:second")
    examples = b.copy_examples(os.path.join(scratch, "examples"))
    module = os.path.join(examples, "app", "service", "releases.py")
    with open(module, "a") as f:
        f.write("\nMORE = 1\n")
    for path in b.files(examples):
        os.utime(os.path.join(examples, path), (1.5e9, 1.5e9))
    done = builder.run(os.path.join(examples, script), env=caches)
    assert compiled("export", done) == [1, 0]
    after = builder.layers("localhost/export-example:second")
    assert after[:-1] == before[:-1] and after[-1] != before[-1]


def test_lambda(builder, caches, scratch):
    layer = os.path.join(scratch, "layer.zip")
    done = builder.run(os.path.join(b.EXAMPLES, "lambda", "build"), layer,
                       env=caches)
    assert compiled("lambda", done)[1] == 0
    assert compiled("lambda", done)[0] > 30

    with open(layer, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    assert done.stdout.count("digest   sha256:" + digest) == 2
    version = b.run("/usr/bin/python3", "-c", "import sys; "
                    "print('%d.%d' % sys.version_info[:2])").stdout.strip()
    site = "python/lib/python%s/site-packages" % version
    with zipfile.ZipFile(layer) as z:
        assert z.testzip() is None
        assert not [n for n in z.namelist() if n.endswith(".py")]
        assert site + "/service/releases.pyc" in z.namelist()
        assert {n.startswith(site) for n in z.namelist()
                if not n.endswith("/")} == {True}

    assert "small.zip was not written: too large" in done.stderr
    unpacked, zipped = answers(done)
    check_answer(unpacked, "/opt/" + site)
    check_answer(zipped, "/layer.zip/" + site)
    with builder.root("localhost/lambda-example") as root:
        check_site(root, "/opt/" + site, scratch)


def test_a_layer_in_one_run(builder, caches, scratch):
    """Of two architectures, from one cache."""
    done = builder.run(os.path.join(b.EXAMPLES, "lambda", "build-section"),
                       env=caches)
    n = len(modules(b.make_site(os.path.join(scratch, "site"))))
    assert compiled("lambda", done) == [n, 0], done.stdout + done.stderr
    found = []
    for arch in ("x86_64", "aarch64"):
        with builder.root("localhost/section-example:" + arch) as root:
            site = root + "/python/lib/python3.11/site-packages"
            files = b.files(site)
            assert "fast.cpython-311-%s-linux-gnu.so" % arch in files
            assert not [f for f in files if f.endswith(".py")]
            assert not [f for f in files if f.endswith("RECORD")]
            found.append({f for f in files if not f.endswith(".so")})
    assert found[0] == found[1] and len(found[0]) > 30


def test_seed(builder, caches, scratch):
    done = builder.run(os.path.join(b.EXAMPLES, "seed", "build"), env=caches)
    n = len(modules(b.make_site(os.path.join(scratch, "site"))))
    assert compiled("export", done) == [n, 0], done.stdout + done.stderr
    said, = answers(done)
    check_answer(said, "/opt/site")
    with builder.root("localhost/seed-example") as root:
        check_site(root, "/opt/site", scratch)
        assert not os.path.exists(root + "/var/lib/pycfs")


@pytest.mark.parametrize("isolation, flags, message", [
    (b.OCI, ("--cap-add", "SYS_ADMIN"), "no usable /dev/fuse"),
    (b.OCI, ("--device", "/dev/fuse"), "mounting needs CAP_SYS_ADMIN"),
    (b.CHROOT, (), "mounting needs CAP_SYS_ADMIN"),
], ids=["no-device", "oci-no-right", "chroot-no-right"])
def test_a_build_that_may_not_mount(builder, caches, scratch, isolation,
                                    flags, message):
    """fails, and says what to give it."""
    b.make_site(os.path.join(scratch, "site-packages"))
    done = builder.buildah(
        "bud", "--pull=never", "--network", "host", *flags, "-f",
        os.path.join(b.EXAMPLES, "mount", "Containerfile"), scratch,
        env={**caches, **isolation}, check=False)
    assert done.returncode != 0
    line, = [line for line in done.stderr.splitlines()
             if line.startswith("pycfs: ") and
             not line.startswith(("pycfs: info: ",
                                  "pycfs: notice: compiling with Python"))]
    assert message in line
    assert "--cap-add SYS_ADMIN" in line
    assert line.endswith("; or use 'pycfs export', which mounts nothing")
