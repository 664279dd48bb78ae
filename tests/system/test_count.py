"""tests/count.py, which prints the last line of tools/test."""
import json
import os
import subprocess
import sys

import pytest

COUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                     "count.py")


@pytest.fixture
def count(scratch):
    def run(*tests, steps=0):
        log = os.path.join(scratch, "log")
        with open(log, "w") as f:
            for result, out in tests:
                print(json.dumps({"name": "t", "result": result,
                                  "stdout": out}), file=f)
        p = subprocess.run([sys.executable, COUNT, str(steps), log],
                           stdout=subprocess.PIPE)
        return p.stdout.decode().splitlines()[-1], p.returncode
    return run


CMOCKA = "[==========] 3 test(s) run.\n[  PASSED  ] %d test(s).\n"
BAD = CMOCKA % 2 + "[  FAILED  ] t: 1 test(s), listed below:\n" \
    "[  FAILED  ] 1 test(s), listed below:\n"


def test_sums(count):
    assert count(("OK", "==== 12 passed, 2 skipped in 3.01s ====\n"),
                 ("OK", CMOCKA % 3), ("OK", ""), ("OK", "ok 1 - a\nok 2\n")) \
        == ("18 passed, 0 failed, 2 skipped", 0)


@pytest.mark.parametrize("result,out,passed,failed", [
    ("FAIL", "=== 1 failed, 12 passed, 3 errors in 3.01s ===\n", 12, 4),
    ("FAIL", BAD, 2, 2), ("FAIL", "", 0, 1), ("TIMEOUT", "", 0, 1),
    ("ERROR", "12 passed in 1.0s\n", 12, 1),
    ("FAIL", "ok 1\nnot ok 2\n", 1, 1)])
def test_failures(result, out, passed, failed, count):
    line, status = count((result, out), ("OK", ""))
    assert line.startswith("%d passed, " % (passed + 1)) and status == 1
    assert line.endswith(" failed")
    assert 1 <= int(line.split()[2]) <= failed


def test_a_failed_step_fails(count):
    assert count(("OK", ""), steps=1) == ("1 passed, 1 failed", 1)


def test_nothing_run_fails(count):
    assert count()[1] == 1
