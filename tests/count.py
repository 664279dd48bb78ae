"""Counts single tests over meson's test logs, for the end of tools/test.

usage: count.py FAILED_STEPS LOG...

A meson test that runs pytest, cmocka or TAP counts for as many as it ran;
any other counts for one. Prints "N passed, N failed" and fails unless every
step and every test passed and at least one test ran.
"""
import json
import os
import re
import sys

# (passed, failed, skipped), each a list of patterns
COUNTERS = (
    # pytest: "3 failed, 120 passed, 1 skipped, 2 errors in 80.00s"
    ([r"(\d+) passed(?=[^\n]* in \d)"],
     [r"(\d+) failed(?=[^\n]* in \d)", r"(\d+) errors?(?=[^\n]* in \d)"],
     [r"(\d+) skipped(?=[^\n]* in \d)"]),
    # cmocka: "[  PASSED  ] 7 test(s)."
    ([r"\[  PASSED  \] (\d+) test"],
     [r"\[  FAILED  \] (\d+) test"],
     [r"\[  SKIPPED \] (\d+) test"]),
)


def sums(patterns, text):
    return sum(int(n) for p in patterns for n in re.findall(p, text))


def count(test):
    """(passed, failed, skipped) of one line of testlog.json."""
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    result = test["result"]
    passed = failed = skipped = 0
    for good, bad, skip in COUNTERS:
        passed += sums(good, text)
        failed += sums(bad, text)
        skipped += sums(skip, text)
    if not passed and not failed:
        passed = len(re.findall(r"^ok \d", text, re.M))
        failed = len(re.findall(r"^not ok \d", text, re.M))
    if result in ("OK", "EXPECTEDFAIL"):
        return max(passed, 1), failed, skipped
    if result == "SKIP":
        return passed, failed, max(skipped, 1)
    return passed, max(failed, 1), skipped


def main():
    steps = int(sys.argv[1])
    passed = failed = skipped = 0
    for path in sys.argv[2:]:
        if not os.path.exists(path):
            continue  # the step that should have written it has failed
        with open(path, encoding="utf-8") as log:
            for line in log:
                test = json.loads(line)
                p, f, s = count(test)
                passed, failed, skipped = passed + p, failed + f, skipped + s
                if f:
                    print("FAILED: %s (%s); all it said is in %s" % (
                        test["name"], test["result"],
                        path.replace(".json", ".txt")))
    if steps and not failed:
        failed = steps
    tail = ", %d skipped" % skipped if skipped else ""
    print("%d passed, %d failed%s" % (passed, failed, tail))
    return 1 if failed or steps or not passed else 0


sys.exit(main())
