"""Two builds at once on one cache mount, each in a PID namespace of its own,
where their processes have the same numbers. LMDB knows a process by its
number, so this is where a cache would take one of them for the other."""
import concurrent.futures
import os
import re

import pytest

import builder as b

MODULES = 60

# Both builds wait for each other, twice: with both mounted and nothing read,
# and before either unmounts.
MEET = """\
import os, sys, time
me, other, what = sys.argv[1], {"a": "b", "b": "a"}[sys.argv[1]], sys.argv[2]
open("/meet/%s-%s" % (me, what), "w").close()
end = time.monotonic() + 60
while not os.path.exists("/meet/%s-%s" % (other, what)):
    if time.monotonic() > end:
        sys.exit("nobody came to meet " + me)
    time.sleep(0.01)
for name in os.listdir("/proc"):
    if name.isdigit() and open("/proc/%s/comm" % name).read() == "pycfs\\n":
        print("process of", me, name)
"""

# Runs a command as process 100, whatever started before it.
AT_100 = """\
import os, sys
while True:
    child = os.fork()
    if child == 0:
        if os.getpid() == 100:
            os.execvp(sys.argv[1], sys.argv[1:])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if child >= 100:
        sys.exit(os.waitstatus_to_exitcode(status))
"""

CONTAINERFILE = """\
FROM localhost/pycfs AS site
ARG ME
RUN --mount=type=cache,target=/var/cache/pycfs \\
    --mount=type=cache,target=/meet,id=meet \\
    --mount=type=bind,source=.,target=/src \\
    python3 /src/at100.py \\
    pycfs run --verbose --immutable --no-ahead /src/site /mnt -- \\
        sh -ec 'python3 /src/meet.py $ME mounted; cp -a /mnt/. /opt/site; \\
                python3 /src/meet.py $ME copied'
FROM localhost/python
COPY --from=site /opt/site /opt/site
"""

ALONE = CONTAINERFILE.replace("python3 /src/meet.py", "true")


@pytest.fixture
def context(scratch):
    site = os.path.join(scratch, "site")
    os.mkdir(site)
    for i in range(MODULES):
        with open(os.path.join(site, "m%d.py" % i), "w") as f:
            f.write("def f(x):\n    return [x + %d, 'm%d']\n" % (i, i) * 50)
    for name, text in (("meet.py", MEET), ("at100.py", AT_100),
                       ("Containerfile", CONTAINERFILE), ("Alone", ALONE)):
        with open(os.path.join(scratch, name), "w") as f:
            f.write(text)
    return scratch


def build(builder, context, env, me, file="Containerfile"):
    image = "localhost/together-" + me
    done = builder.buildah(
        "bud", "--pull=never", "--no-cache", "--timestamp", "0", "--network",
        "host", "--device", "/dev/fuse", "--cap-add", "SYS_ADMIN",
        "--build-arg", "ME=" + me, "-f", os.path.join(context, file),
        "-t", image, context, env={**env, **b.OCI})
    text = done.stdout + done.stderr
    compiled, = re.findall(r"(\d+) modules? compiled", text)
    return int(compiled), image, text


def test_two_builds_at_once(builder, caches, context):
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        a, c = both.map(lambda me: build(builder, context, caches, me), "ab")
    numbers = [set(re.findall(r"process of %s (\d+)" % me, text))
               for me, text in (("a", a[2]), ("b", c[2]))]
    # Each process has one that mounts and one that serves; the second to come
    # found the number of its server taken, and its threads had numbers, too.
    assert numbers[0] & numbers[1] == {"100"} and numbers[0] != numbers[1]
    assert min(map(len, numbers)) == 2 and {"100", "101"} in numbers
    assert a[0] + c[0] >= MODULES
    for text in (a[2], c[2]):
        assert not re.findall(r"pycfs: (?:warning|error).*", text), text

    third = build(builder, context, caches, "third", "Alone")
    assert third[0] == 0, third[2]
    layers = [builder.layers(image) for _, image, _ in (a, c, third)]
    assert layers[0] == layers[1] == layers[2]
    alone = build(builder, context, builder.own_caches(), "alone", "Alone")
    assert alone[0] == MODULES
    assert builder.layers(alone[1]) == layers[0]
    with builder.root(third[1]) as root:
        names = b.files(root + "/opt/site")
        assert names == sorted("m%d.pyc" % i for i in range(MODULES))
