"""The list of risks in the manual is the same as in the analysis."""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(__file__), "..", "..")
GRADES = {3: "breaks", 2: "may break", 1: "to know"}


def test_every_rule_is_documented():
    sys.path.insert(0, os.path.join(TOP, "src", "compiler"))
    try:
        import risks
    finally:
        sys.path.pop(0)
    with open(os.path.join(TOP, "src", "cli", "man", "pycfs-report.1"),
              encoding="utf-8") as f:
        page = f.read().replace("\\-", "-").replace("\\e", "\\")
    rows = re.findall(r"^\.TP\n\.B ([a-z-]+)\n(breaks|may break|to know): "
                      r"(.*) \([^()]*(?:\([^()]*\))?[^()]*\)\.$", page, re.M)
    assert sorted(rows) == sorted((name, GRADES[grade], reason)
                                  for name, grade, reason, *_ in risks.rules())
