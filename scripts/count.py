#!/usr/bin/env python3
"""Counts tests in what a runner left. Usage: count.py meson testlog.json | web output.log
Prints 'passed failed skipped'. A test program that prints 'N passed, N failed' counts as N tests,
any other as one.
"""

import json
import re
import sys

PLAIN = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


def of_program(test):
    passed, failed = 0, 0
    for m in PLAIN.finditer(test.get("stdout") or ""):
        passed, failed = int(m.group(1)), int(m.group(2))
    if test["result"] == "SKIP":
        return passed, failed, 1
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return (passed or 1), 0, 0
    return passed, max(failed, 1), 0


def of_meson(text):
    return [sum(c) for c in zip((0, 0, 0), *(of_program(json.loads(t)) for t in text.splitlines()))]


def of_web(text):
    """Vitest ('Tests  1 failed | 12 passed (13)'), Playwright ('  12 passed (3s)'), node
    ('# pass 3'), or our own plain line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    lines = re.findall(r"^\s*Tests\s+(\d.*)$", text, re.M)
    lines += re.findall(r"^\s{1,4}(\d+ (?:passed|failed|skipped|flaky))(?: \(.*\))?$", text, re.M)
    lines += [m.group() for m in PLAIN.finditer(text)]
    for line in lines:
        for n, word in re.findall(r"(\d+) (passed|failed|skipped)", line):
            counts[word] += int(n)
    for word, n in re.findall(r"^(?:#|\u2139) (pass|fail|skipped) (\d+)$", text, re.M):
        counts[{"pass": "passed", "fail": "failed"}.get(word, word)] += int(n)
    return counts["passed"], counts["failed"], counts["skipped"]


def main(kind, path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
    except FileNotFoundError:
        text = ""
    print(*(of_meson(text) if kind == "meson" else of_web(text)))


if __name__ == "__main__":
    main(*sys.argv[1:])
