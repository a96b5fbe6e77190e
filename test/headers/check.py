#!/usr/bin/env python3
"""Every header compiles alone, twice over, with gcc and with clang, all warnings as errors.

A header that needs another one before it is found here and not by the first user who includes it.
Prints 'N passed, N failed', one a header and compiler.
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys

COMPILERS = ["gcc", "clang"]
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Werror", "-Wall", "-Wextra", "-Wshadow", "-Wvla",
         "-Wundef",
         "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wpointer-arith", "-Wwrite-strings",
         "-Wcast-align", "-Wno-missing-field-initializers", "-Wno-unused-parameter"]
LIB_FLAGS = ["-Wconversion", "-Wno-sign-conversion"]
ROOTS = ["src", "src/lib", ".", "tools", "test/unit"]
FOLDERS = ["src", "sim", "tools", "test/unit"]
PACKAGES = ["sofia-sip-ua", "libwebsockets", "jansson", "libpq"]  # whose headers may need a path


def headers(root):
    for folder in FOLDERS:
        for at, _, files in os.walk(os.path.join(root, folder)):
            for name in sorted(files):
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(at, name), root)


def package_flags():
    flags = []
    for package in PACKAGES:
        r = subprocess.run(["pkg-config", "--cflags", package], capture_output=True, text=True,
                           check=False)
        flags += [f.replace("-I", "-isystem", 1) for f in r.stdout.split() if f.startswith("-I")]
    return flags


def check(job):
    root, compiler, header, flags = job
    stub = '#include "%s"\n#include "%s"\n' % (header, header)
    flags = FLAGS + flags + (LIB_FLAGS if header.startswith("src/lib/") else [])
    paths = ["-I" + os.path.join(root, r) for r in ROOTS]
    r = subprocess.run([compiler, "-fsyntax-only", "-x", "c", "-"] + flags + paths, input=stub,
                       capture_output=True, text=True, cwd=root, check=False)
    return None if r.returncode == 0 else "%s (%s):\n%s" % (header, compiler, r.stderr)


def main():
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    missing = [c for c in COMPILERS if not shutil.which(c)]
    if missing:
        print("no %s: run scripts/install-deps test" % " and no ".join(missing))
        return 1
    flags = package_flags()
    jobs = [(root, c, h, flags) for h in headers(root) for c in COMPILERS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        errors = [e for e in pool.map(check, jobs) if e]
    for error in errors:
        print(error)
    print("%d passed, %d failed" % (len(jobs) - len(errors), len(errors)))
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
