#!/usr/bin/env python3
"""Goal: tring-load and tring understand each other, in each scenario, over both transports of the
API, over ICE-TCP, and through tring's own relay with the credentials that it hands out.
Method: a server of our own on free ports; short runs; what the printed object says.

    test_run.py FOLDER_OF_THE_BUILD
"""
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench"))

import servers  # noqa: E402

SHORT = ["--duration", "0.5", "--warmup", "0.1", "--ramp", "100", "--quiet"]
RUNS = [
    ("ws", ["--room", "2:3", "--video", "100:600:5", "--profile", "sha1"]),
    ("http", ["--room", "1:1", "--video-kbps", "0", "--audio", "50:80"]),
    ("ws", ["--meeting", "3", "--simulcast", "--rid", "--twcc", "--video-kbps", "300"]),
    ("ws", ["--calls", "2", "--video-kbps", "200", "--loss", "5"]),
    ("ws", ["--echo", "2", "--video-kbps", "200"]),
    ("http", ["--echo", "2", "--video-kbps", "200", "--relay-only", "--turn", "udp"]),
    ("http", ["--calls", "1", "--video-kbps", "200", "--relay-only", "--turn", "tcp"]),
    ("ws", ["--calls", "3", "--video-kbps", "200", "--tcp"]),
    ("http", ["--room", "1:3", "--video", "100:600:5", "--tcp", "--turn", "tcp"]),
]


def with_relay(args, url):
    """The transport behind --turn as the server's own URI and credential."""
    if "--turn" not in args:
        return args
    at = args.index("--turn") + 1
    with urllib.request.urlopen(urllib.parse.urljoin(url, "/api/v1/ice-servers"), timeout=10) as r:
        entries = json.load(r)["iceServers"]
    for entry in entries:
        for uri in entry["urls"]:
            if uri.startswith("turn:") and uri.endswith("=" + args[at]):
                return [*args[:at], uri, "--turn-user", entry["username"], "--turn-password",
                        entry["credential"], *args[at + 1:]]
    sys.exit(f"no {args[at]} in {entries}")


def complaints(args, result):
    """What is wrong with a run on however slow a machine."""
    carrier = "turn" if "--relay-only" in args else "tcp" if "--tcp" in args else "udp"
    media = result["media"]
    if result["with_media"] != result["clients"]:
        yield f"{result['with_media']} of {result['clients']} with media: {result['failures']}"
    for name in ("undecryptable", "damaged", "misrouted", "refused"):
        if media[name]:
            yield f"{media[name]} {name}"
    if result["carried_by"][carrier] != result["clients"]:
        yield f"carried by {result['carried_by']}"
    if media["delivered"] == 0:
        yield "nothing was delivered"
    if not result["setup_ms"]["request_to_first_media"]:
        yield "no set-up times"
    if result["server"]["name"] != "tring" or result["server"]["cpu_us_per_packet"] <= 0:
        yield f"the server as {result['server']}"


def main():
    build = os.path.abspath(sys.argv[1])
    program = os.path.join(build, "tools", "tring-load", "tring-load")
    failed = 0
    settings = {"TRING_TURN_PORT": str(servers.free_port())}
    for transport, args in RUNS:
        with servers.running("tring", build, transport, settings) as (pid, url):
            command = [program, *with_relay(args, url), *SHORT, "--pid", str(pid), "--url", url]
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        wrong = list(complaints(args, json.loads(ran.stdout))) if ran.stdout else ["no output"]
        print("FAIL" if wrong else "ok  ", transport, *args, *wrong, flush=True)
        failed += bool(wrong)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
