#!/usr/bin/env python3
"""What the operators' page costs: the CPU of a server with many quiet clients, while nobody looks
and while a page asks for its list as often as it does. The two take turns, in one run.

    bench/ops.py [--build build/release] [--clients 1000] [--seconds 5] [--rounds 4]

The clients are tring-load's, in the echo test, with one small packet of sound a second: enough for
all that is sampled to be there. Samples are taken in both cases. What they cost by themselves is
seen beside a build whose TR_OPS_SAMPLE_US (src/ops/ops.h) and FIRST_US (ops.c) are an hour: with
several --build all run at the same time, so that what else the machine does meets them alike.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import servers  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECRET = "of the bench"
LIST_EVERY_S = 2  # as web/pages/ops/live-list.ts
LIST = "connections?limit=1000&q="
RAMP = 40


class Page(threading.Thread):
    """Asks while it is told to look; what it is told last is in `rows`."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/api/v1/{LIST}"
        self.looks = threading.Event()
        self.over = False
        self.rows = 0
        self.start()

    def run(self):
        while self.looks.wait() and not self.over:
            request = urllib.request.Request(self.url,
                                             headers={"Authorization": f"Bearer {SECRET}"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.rows = json.load(answer)["matching"]
            time.sleep(LIST_EVERY_S)

    def look(self, wanted):
        if wanted:
            self.looks.set()
        else:
            self.looks.clear()

    def close(self):
        self.over = True
        self.looks.set()
        self.join()


class Case:
    """A server with its clients and its page."""

    def __init__(self, build, args, stack):
        self.build = build
        self.found = {False: [], True: []}
        admin = servers.free_port()
        settings = {"TRING_ADMIN_PORT": str(admin), "TRING_ADMIN_SECRET": SECRET,
                    "TRING_TURN_PORT": str(servers.free_port())}
        self.pid, url = stack.enter_context(servers.running("tring", build, settings=settings))
        program = os.path.join(args.build[0], "tools", "tring-load", "tring-load")
        load = subprocess.Popen(
            [program, "--echo", str(args.clients), "--ramp", str(RAMP), "--video-kbps", "0",
             "--audio", "1:20", "--duration", "3600", "--setup-limit", "120", "--quiet", "--url",
             url], stdout=subprocess.DEVNULL)
        stack.callback(servers.end, load)
        self.page = Page(admin)
        stack.callback(self.page.close)

    def wait_for_clients(self, count):
        self.page.look(True)
        limit = time.monotonic() + count / RAMP + 120
        while self.page.rows < count and time.monotonic() < limit:
            time.sleep(0.5)
        self.page.look(False)
        if self.page.rows < count:
            sys.exit(f"bench: only {self.page.rows} clients are at {self.build}")

    def tell(self):
        for watched, rounds in self.found.items():
            control, others = (statistics.median(column) for column in zip(*rounds))
            print(f"{self.build}: {'watched' if watched else 'nobody looks':12}  control "
                  f"{control:.2f} %  other threads {others:.2f} %  of a core; rounds "
                  f"{', '.join(f'{sum(one):.2f}' for one in rounds)}")


def threads_s(pid):
    """Seconds of CPU by thread: of the first, which is the control thread, and of the others."""
    control = others = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            ran = int(f.read().split()[0]) / 1e9
        if int(task) == pid:
            control += ran
        else:
            others += ran
    return control, others


def measure(cases, watched, seconds):
    """Per cent of a core, of all cases over the same time."""
    for case in cases:
        case.page.look(watched)
    before, start = [threads_s(case.pid) for case in cases], time.monotonic()
    time.sleep(seconds)
    after, took = [threads_s(case.pid) for case in cases], time.monotonic() - start
    for case, old, new in zip(cases, before, after):
        case.found[watched].append([(b - a) / took * 100 for a, b in zip(old, new)])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="append")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--settle", type=float, default=10)
    args = parser.parse_args()
    args.build = [os.path.abspath(b) for b in args.build or [f"{ROOT}/build/release"]]
    with contextlib.ExitStack() as stack:
        cases = [Case(build, args, stack) for build in args.build]
        for case in cases:
            case.wait_for_clients(args.clients)
        time.sleep(args.settle)
        for _ in range(args.rounds):
            for watched in (False, True):
                measure(cases, watched, args.seconds)
        for case in cases:
            case.tell()


if __name__ == "__main__":
    main()
