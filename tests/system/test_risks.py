"""What src/compiler/risks.py finds, with every Python, and that it never
fails.

The cases are in risk_cases.py.
"""
import json
import os
import random
import subprocess

import pytest

import harness
import risk_cases

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
COMPILER = os.path.join(TOP, "src", "compiler")

# In the target: analyses what stdin has, a JSON list of [path, source], where
# the source is latin-1 for bytes. Once with what the sandbox leaves: nothing
# can be imported after risks.
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import json, risks
jobs = json.load(sys.stdin)
sys.path[:] = []
sys.meta_path[:] = []
out = [risks.analyse(s.encode("latin-1"), p) for p, s in jobs]
print(json.dumps([out, risks.rules(), [risks.remedy(r, "a/b/c.py", "*.d")
                                       for r in sorted(risks.RULES)]]))
"""


def analyse(target, jobs):
    done = subprocess.run(
        [target.exe, "-I", "-B", "-S", "-c", RUN, COMPILER],
        input=json.dumps(jobs).encode(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return json.loads(done.stdout)


def bounded(found):
    assert len(found) <= 50
    assert found == sorted(found)
    for line, rule, grade, detail in found:
        assert line >= 1 and 1 <= grade <= 3 and rule
        assert len(detail) <= 200 and detail.isprintable(), detail


def test_cases(target):
    jobs = [(path, text) for _, _, _, path, text in risk_cases.CASES]
    found, _, _ = analyse(target, jobs)
    wrong = []
    for (rule, grade, line, _, text), got in zip(risk_cases.CASES, found):
        bounded(got)
        here = [[f[0], f[2]] for f in got if f[1] == rule]
        want = [[line, grade]] if grade else []
        if here[:1] != want:
            wrong.append("%s: want %s, got %s in\n%s" % (
                rule, want, got, text))
    assert not wrong, "\n".join(wrong)


def test_every_rule_has_cases(target):
    _, rules, remedies = analyse(target, [])
    names = {r[0] for r in rules}
    assert names == {c[0] for c in risk_cases.CASES if c[1]}
    assert names == {c[0] for c in risk_cases.CASES if not c[1]} | {"alembic"}
    for name, grade, reason, remedy, evidence in rules:
        assert grade in (1, 2, 3) and reason and evidence, name
        assert remedy.split()[0] in (
            "keep-source", "optimize", "include"), remedy
    for line in remedies:
        assert "{" not in line and (" /a" in line or line.endswith(
            (" *", " *.d"))), line


def test_remedies_are_narrow(target):
    """As narrow as the names in the module allow."""
    cases = risk_cases.REMEDIES
    found = analyse(target, [(path, risk_cases.HERE + text + "\n")
                             for _, path, text, _ in cases])[0]
    asked = [[rule, path, [f[3] for f in got if f[1] == rule][:1]]
             for (rule, path, _, _), got in zip(cases, found)]
    wrong = [(text, want, got) for (_, _, text, want), got in
             zip(cases, remedies(target, asked))
             if got != "keep-source " + want]
    assert not wrong, "\n".join(map(str, wrong))


def remedies(target, asked):
    done = subprocess.run(
        [target.exe, "-I", "-B", "-S", "-c", "import sys, json\n"
         "sys.path.insert(0, sys.argv[1])\nimport risks\n"
         "print(json.dumps([risks.remedy(r, p, d[0]) if d else 'none'"
         " for r, p, d in json.load(sys.stdin)]))", COMPILER],
        input=json.dumps(asked).encode(), stdout=subprocess.PIPE, timeout=300)
    return json.loads(done.stdout)


def test_remedies_are_rules(pycfs, target, small):
    """pycfs takes the lines; one of a name with odd characters too."""
    rules = os.path.join(pycfs.scratch, "all.rules")
    with open(rules, "w") as f:
        f.write("\n".join(analyse(target, [])[2]) + "\n")
    out = os.path.join(pycfs.scratch, "out")
    pycfs.ok("export", "--rules", rules, small, out)


def garbage():
    """Sources that are none, or hard; all have a word that wakes risks up."""
    word = "import inspect\ninspect.getsource(f)\n"
    yield "\0" + word
    yield word + "\0"
    yield "# coding: no-such-codec\n" + word
    yield "# coding: utf-16\n" + word
    yield "\xef\xbb\xbf# coding: latin-1\n" + word
    yield "\xff\xfe" + word
    yield word + "x = '\\ud800' '" + "\xed\xa0\x80'"
    yield word + "(" * 100000
    yield word + "x = " + "[" * 90 + "]" * 90
    yield word + "x = " + "-" * 5000 + "1"
    yield word + "x = " + "a+" * 5000 + "1"
    yield word + "x = " + "a." * 5000 + "a"
    yield word + "x = a" + "()" * 5000
    yield word + "".join("%sif x:\n" % (" " * i) for i in range(99)) + \
        " " * 99 + "pass\n"
    yield word + "x = 1\n" * 40000
    yield word + "x = '" + "a" * (1 << 20) + "'\n"
    yield word + "x = [" + "1," * (1 << 17) + "]\n"
    yield "__doc__" * (1 << 17)
    yield "assert " * (1 << 17)
    yield "assert next(x)\n" * 3000
    yield "'doc'\n" + "__doc__ += '\\n\\x00\\ud800'\n" * 3000
    yield word + "a0 = b0 = __file__\n" + "".join(
        "a%d = b%d + b%d\nb%d = a%d + a%d\n" % (
            i + 1, i, i, i + 1, i, i) for i in range(3000)) + \
        "open(a3000 + b3000)\n"
    yield word + "a = b\nb = a\nopen(a)\nfor a in a: a.endswith('.py')\n"
    yield word + "x = f'{a!r:{b}}' 'x.py'\nopen(x)\n"


def test_garbage(target):
    jobs = [("m.py", s) for s in garbage()]
    for found in analyse(target, jobs)[0]:
        bounded(found)


@pytest.mark.parametrize("seed", range(3))
def test_fuzz(target, seed):
    """Cases with bytes changed, lost and doubled, in one process."""
    rand = random.Random(seed)
    jobs = []
    for _ in range(400):
        text = list(rand.choice(risk_cases.CASES)[4])
        for _ in range(rand.randint(1, 6)):
            at = rand.randrange(len(text) or 1)
            text[at:at + rand.randint(0, 3)] = rand.choice([
                "", chr(rand.randrange(256)), "(", "\n", ":", "=", ".", " ",
                "'", "def f():\n", "x" * rand.randint(1, 99)])
        jobs.append((rand.choice(["m.py", "", "/", "a//b", "\xff.py"]),
                     "".join(text)))
    for found in analyse(target, jobs)[0]:
        bounded(found)


def test_crowded_module_is_cut(target):
    text = "import inspect\n" + "inspect.getsource(f)\n" * 200 + \
        "assert next(x)\n" * 10
    found = analyse(target, [("m.py", text)])[0][0]
    assert len(found) == 50
    assert {f[2] for f in found} == {3}, "the worst are kept"


def test_same_on_every_python():
    """Whatever compiles everywhere gets one answer."""
    jobs = [(path, text) for _, _, _, path, text in risk_cases.CASES]
    answers = [analyse(p, jobs)[0] for p in harness.PYTHONS]
    assert all(a == answers[0] for a in answers)
