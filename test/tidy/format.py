#!/usr/bin/env python3
"""Every C file as .clang-format says. `make format` puts right what this finds.

Usage: format.py [--fix] [root]. Exit code 77 (skipped) with a clang-format of another version than
the tree was formatted with, for each version breaks lines elsewhere.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import tidy

VERSION = 14


def c_files(root):
    return [p for p in tidy.walk(root)
            if p.endswith((".c", ".h")) and p.startswith(tidy.C_ROOTS)]


def run(arguments, root):
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          cwd=root, check=False)


def main(argv):
    roots = [a for a in argv if not a.startswith("--")]
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.normpath(roots[0] if roots else os.path.join(here, "..", ".."))
    program = shutil.which("clang-format-%d" % VERSION) or shutil.which("clang-format")
    if not program:
        print("no clang-format: run scripts/install-deps test")
        return 1
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if int(re.search(r"version (\d+)", version.stdout).group(1)) != VERSION:
        print("clang-format %d is wanted, this is %s" % (VERSION, version.stdout.strip()))
        return 77
    files = c_files(root)
    mode = ["-i"] if "--fix" in argv else ["--dry-run", "-Werror"]
    parts = [[program] + mode + files[i::16] for i in range(min(16, len(files)))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = list(pool.map(run, parts, [root] * len(parts)))
    found = [line for r in results for line in r.stderr.splitlines() if ": error:" in line]
    for line in sorted(found):
        print(line)
    print("format: %d files, %d complaints" % (len(files), len(found)))
    return int(any(r.returncode for r in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
