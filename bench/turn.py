"""The suite `turn`: Tring's relay beside Debian's coturn, with coturn's own load generator and with
ours, on loopback. bench/run hands over to main()."""
import json
import os
import re
import statistics
import subprocess
import sys
import time

import report

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test", "turn"))

import turnserver  # noqa: E402

ADDRESS = "127.0.0.1"
CLIENTS, BYTES = 20, 1100
TICKS = os.sysconf("SC_CLK_TCK")
LIMIT_S = 180

TITLES = {"coturn": "coturn", "tring": "tring", "tring-plain": "tring without GSO and GRO"}
COLOURS = {"coturn": "#b0b7bd", "tring": "#1f6f8b", "tring-plain": "#6fa8bb"}
BASE = "coturn"


def load(title, kind, **more):
    return {"title": title, "kind": kind, "servers": ["coturn", "tring"], **more}


LOADS = {
    "udp": load("UDP, 20 clients of coturn's", "uclient", flags=[], servers=list(TITLES)),
    # Slower: the tool reads one message of a stream at a time, and loses the others.
    "tcp": load("TCP, the same", "uclient", flags=["-t"], gap_ms=10),
    "tls": load("TLS, the same", "uclient", flags=["-t", "-S"], gap_ms=10),
    "dtls": load("DTLS, the same", "uclient", flags=["-S"], gap_ms=10),
    "bursts": load("UDP, 20 clients, bursts of 10", "flat", servers=list(TITLES),
                   flags=["--window", "10", "--rate", "1000", "--gro"]),
    "flat": load("UDP, 20 clients, as fast as it goes", "flat", servers=list(TITLES),
                 flags=["--window", "16", "--gro"]),
    "bursts-cut": load("UDP, bursts of 10, cut at home", "flat", servers=list(TITLES),
                       flags=["--window", "10", "--rate", "1000"]),
    "flat-cut": load("UDP, as fast as it goes, cut at home", "flat", servers=list(TITLES),
                     flags=["--window", "16"]),
    "joined": load("UDP, bursts of 10, joined", "flat", servers=list(TITLES),
                   flags=["--window", "10", "--rate", "1000", "--joined"]),
    "flat-joined": load("UDP, as fast as it goes, joined", "flat", servers=list(TITLES),
                        flags=["--window", "16", "--joined"]),
    "allocate": load("allocations", "allocate", count=8000, window=64),
    "idle": load("1000 idle allocations", "allocate", count=1000, window=16),
    "direct": load("room of 1:20, direct", "room", flags=[], servers=["tring"]),
    "relayed": load("room of 1:20, by the relay", "room", flags=["--relay-only"]),
}

# what, load, figure, at least so many times better than coturn, aim
BARS = [
    ("CPU a relayed packet, as fast as it goes", "flat", "cpu", 3, 5),
    ("the same, cut at home", "flat-cut", "cpu", 3, 5),
    ("the same, joined", "flat-joined", "cpu", 3, 5),
    ("CPU a relayed packet, bursts of 10", "bursts", "cpu", 3, 5),
    ("the same, cut at home", "bursts-cut", "cpu", 3, 5),
    ("the same, joined", "joined", "cpu", 3, 5),
    ("CPU a relayed packet, 20 clients of coturn's", "udp", "cpu", 3, 5),
    ("allocations a second", "allocate", "allocations", 2, 4),
]
KIB_MAX = 18

WHAT = f"""\
{CLIENTS} clients of `turnutils_uclient` send {BYTES} bytes each by a channel to `turnutils_peer`,
which sends them back; each message is relayed twice. *Bursts*: `bench/turn_load`, 20 clients that
send 1000 messages a second each, 10 at a time, as the packets of a video's frame are; its echo
sends them back. *As fast as it goes*: each keeps 16 messages on their way and sends the next when
one is back. Both send each packet as a message of its own to the kernel, and take what the server
sends as one message (UDP_SEGMENT) as one (UDP_GRO). *Cut at home*: they do not, and the kernel cuts
it for them on the server's account, as on loopback what receiving costs is its sender's; packets of
a network are cut by its card or driver, and received elsewhere. *Joined*: the load's bursts are one
message to the kernel too, as packets are that a card has joined; loopback itself does not join.
*Allocations*: the same program, 64 of which wait for their answer at a time, each on
a socket of its own, with 401 and all. *Room*: `tring-load --room 1:20`, whose clients' media goes
to Tring's room directly, by Tring's own relay (which hands it over in the process), or by coturn
in front of Tring (CPU of both)."""

HOW = """\
- Machine: {machine}. Everything shares it, over loopback: compare, do not take figures for those of
  a network.
- coturn is Debian's {version} with `-m 1` (one relay thread); Tring has one worker. Neither has a
  bound of bits, packets or allocations.
- CPU a packet: user and system time of the server's process while the load runs, by the packets
  that it relayed. *Packets/s and core* is what that makes of one core; *cores* says how much of one
  it had.
- Of the CPU time of Tring's relay *as fast as it goes, cut at home* the kernel has 91 %
  (`perf record -g`): sendmmsg 55 %, of it two thirds the receivers' side, with 25 % for cutting and
  queueing each packet; recvmmsg 29 %; sleeping and waking 7 %. A relay that takes a third of
  coturn's there would have to do with less than the kernel's part alone.
- Memory: growth of the resident set, by allocations.
- The servers in turn, each started anew, {rounds} round(s); of several, the first is dropped and
  the others give medians.
"""


# -- Measuring -------------------------------------------------------------------------------------


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def start_server(server, args):
    """The server and its ports: plain, TLS, and of the web."""
    port, tls_port, http = turnserver.free_ports(3)
    if server == "coturn":
        made = turnserver.coturn([ADDRESS], port=port, tls_port=tls_port, more=["-m", "1"])
    else:
        made = turnserver.tring(args.build, [ADDRESS], port=port, tls_port=tls_port, http=http,
                                workers=1, gso=server != "tring-plain")
    return made, port, tls_port, http


def tool(args, *path):
    return os.path.join(args.build, *path)


def by_uclient(load, args, server, port, tls_port):
    gap = load.get("gap_ms", 1)
    messages = (300 if args.quick else 3000) // (3 if gap > 1 else 1)
    peer_port, = turnserver.free_ports(1)
    peer = subprocess.Popen(["turnutils_peer", "-L", ADDRESS, "-p", str(peer_port)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    secure = "-S" in load["flags"]
    try:
        before, start = cpu_s(server.pid), time.monotonic()
        text = subprocess.run(
            ["turnutils_uclient", *load["flags"], "-m", str(CLIENTS), "-n", str(messages), "-l",
             str(BYTES), "-z", str(gap), "-c", "-e", ADDRESS, "-r", str(peer_port), "-p",
             str(tls_port if secure else port), "-u", turnserver.USER, "-w", turnserver.PASSWORD,
             ADDRESS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S,
            check=False).stdout.decode(errors="replace")
        cpu, seconds = cpu_s(server.pid) - before, time.monotonic() - start
    finally:
        peer.kill()
        peer.wait()
    found = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", text)
    sent, back = (int(n) for n in found[-1]) if found else (0, 0)
    if not back:
        raise turnserver.Failed(text[-500:])
    return {"cpu": cpu / (sent + back) * 1e6, "rate": (sent + back) / cpu,
            "cores": cpu / seconds, "lost": 1 - back / sent}


def turn_load(args, port, *flags):
    return subprocess.Popen([tool(args, "bench", "turn_load"), "--server", f"{ADDRESS}:{port}",
                             "--user", turnserver.USER, "--password", turnserver.PASSWORD, *flags],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def flat_out(load, args, server, port):
    process = turn_load(args, port, "--relay", str(CLIENTS), "--bytes", str(BYTES),
                        *load["flags"], "--seconds", "2" if args.quick else "6")
    with process:
        process.stdout.readline()
        before = cpu_s(server.pid)
        told = json.loads(process.stdout.readline())
        cpu = cpu_s(server.pid) - before
    relayed = told["sent"] + told["back"]
    return {"cpu": cpu / relayed * 1e6, "rate": relayed / cpu, "cores": cpu / told["seconds"],
            "packets": relayed / told["seconds"], "lost": max(0, 1 - told["back"] / told["sent"])}


def allocations(load, args, server, port):
    before, memory = cpu_s(server.pid), rss_kib(server.pid)
    with turn_load(args, port, "--allocate", str(load["count"]), "--window",
                   str(load["window"])) as process:
        told = json.loads(process.stdout.readline())
        cpu, grown = cpu_s(server.pid) - before, rss_kib(server.pid) - memory
        process.stdin.close()
    if told["allocated"] < load["count"] * 0.9:
        raise turnserver.Failed(f"{told}")
    return {"allocations": told["allocated"] / told["seconds"], "cores": cpu / told["seconds"],
            "kib": grown / told["allocated"]}


def by_room(load, args, server, port, http):
    """With coturn Tring is behind it: the CPU of both counts."""
    behind = None
    if server.kind == "coturn":
        http, = turnserver.free_ports(1)
        behind = turnserver.tring(args.build, [ADDRESS], port=turnserver.free_ports(1)[0],
                                  http=http, workers=1)
    pids = [server.pid] + ([behind.pid] if behind else [])
    relay = [*load["flags"], "--turn", f"turn:{ADDRESS}:{port}?transport=udp", "--turn-user",
             turnserver.USER, "--turn-password", turnserver.PASSWORD] if load["flags"] else []
    command = [tool(args, "tools", "tring-load", "tring-load"), "--room", "1:20", "--video",
               "300:1100:10", "--audio-bytes", "0", "--ramp", "40", "--profile", "gcm128", *relay,
               "--url", f"http://{ADDRESS}:{http}/janus", "--bind", ADDRESS, "--quiet",
               "--warmup", "1", "--duration", "2" if args.quick else "6", "--pid", str(pids[-1])]
    try:
        before = cpu_s(pids[0])
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True,
                                         timeout=LIMIT_S, check=False).stdout)
        front = cpu_s(pids[0]) - before if behind else 0
    finally:
        if behind:
            behind.close()
    if told["failed"] or not told["server"]:
        raise turnserver.Failed(f"{told['failures']}")
    # What is in front counts for the whole run: with and without the time around the measurement.
    packets = told["media"]["packets_per_s_received"] * told["seconds"]
    cpu = told["server"]["cpu_us_per_packet"] + front / packets * 1e6
    return {"cpu": cpu, "cores": told["server"]["cores"], "lost": 1 - told["delivered_share"]}


def measure(name, load, server, args):
    made, port, tls_port, http = start_server(server, args)
    made.kind = server
    with made:
        if load["kind"] == "uclient":
            return by_uclient(load, args, made, port, tls_port)
        if load["kind"] == "flat":
            return flat_out(load, args, made, port)
        if load["kind"] == "allocate":
            return allocations(load, args, made, port)
        return by_room(load, args, made, port, http)


def run_all(loads, args):
    runs, started = {}, time.monotonic()
    pairs = [(name, server) for name, one in loads.items() for server in one["servers"]
             if server in args.servers]
    for round_no in range(args.rounds):
        for i, (name, server) in enumerate(pairs if round_no % 2 == 0 else pairs[::-1]):
            try:
                figures = measure(name, loads[name], server, args)
                runs.setdefault((name, server), []).append(figures)
                told = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
            except (turnserver.Failed, subprocess.TimeoutExpired, ValueError) as why:
                told = f"FAILED: {why}"
            print(f"bench: {round_no * len(pairs) + i + 1}/{args.rounds * len(pairs)}  {name:9} "
                  f"{server:12} {told}  ({time.monotonic() - started:.0f} s)", file=sys.stderr,
                  flush=True)
    dropped = 1 if args.rounds > 1 else 0
    return {key: medians(all_[dropped:]) for key, all_ in runs.items() if all_[dropped:]}


def medians(runs):
    return {key: statistics.median(r[key] for r in runs) for key in runs[0]} | {
        "cpu_all": [r["cpu"] for r in runs if "cpu" in r]}


# -- The page --------------------------------------------------------------------------------------


def table(loads, results):
    def row(name, server, f):
        base = results.get((name, BASE))
        less = base["cpu"] / f["cpu"] if base and server != BASE and f.get("cpu") else None

        def cell(key, form, unit="", factor=1):
            return report.number(f[key] * factor if key in f else None, form, unit)
        return [loads[name]["title"], TITLES[server], cell("cpu", ".2f", " us"),
                report.number(less, ".1f", "x"), cell("rate", ".0f"), cell("packets", ".0f"),
                cell("cores", ".2f"), cell("lost", ".2f", " %", 100), cell("allocations", ".0f"),
                cell("kib", ".1f", " KiB")]
    head = ["load", "server", "CPU a packet", "less than coturn", "packets/s and core",
            "packets/s", "cores", "lost", "allocations/s", "memory an allocation"]
    return report.markdown(head, [row(name, server, f) for (name, server), f in results.items()])


def bars_table(results):
    rows = []
    for what, name, figure, least, aim in BARS:
        ours, theirs = results.get((name, "tring")), results.get((name, BASE))
        if ours and theirs:
            ratio = theirs[figure] / ours[figure]
            if figure != "cpu":
                ratio = 1 / ratio
            rows.append([what, report.verdict({"least": least, "aim": aim}, ratio), f"{least}x",
                         f"{aim}x", f"{ratio:.2f}x"])
    idle = results.get(("idle", "tring"))
    if idle:
        rows.append(["memory of an idle allocation", "reached" if idle["kib"] <= KIB_MAX
                     else "**missed**", f"{KIB_MAX} KiB", "-", f"{idle['kib']:.1f} KiB"])
    head = ["how many times better than coturn", "", "at least", "aim", "measured"]
    return report.markdown(head, rows) if rows else ""


def version():
    said = subprocess.run(["turnserver", "--version"], capture_output=True, text=True,
                          check=False).stdout.split()
    return said[-1] if said else "of an unknown version"


def page(loads, results, args):
    rounds = "; ".join(f"{name} {server} " + ", ".join(f"{v:.2f}" for v in f["cpu_all"])
                       for (name, server), f in results.items() if f["cpu_all"])
    quick = " --quick" if args.quick else ""
    return "\n\n".join([
        "# The relay", "![CPU time a packet](turn.svg)", WHAT, bars_table(results),
        table(loads, results), HOW.format(machine=report.machine(), version=version(),
                                          rounds=args.rounds).rstrip(),
        f"CPU a packet in us, by round: {rounds}.",
        f"Made by `bench/run turn{quick} --rounds {args.rounds}`."]) + "\n"


def main(args, loads):
    results = run_all(loads, args)
    print(bars_table(results))
    print(table(loads, results))
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        with_cpu = {key: f for key, f in results.items() if "cpu" in f}
        turnserver.write(os.path.join(args.out, "turn.svg"), report.chart(
            "The relay", loads, with_cpu, TITLES, COLOURS))
        turnserver.write(os.path.join(args.out, "turn.md"), page(loads, results, args))
        print(f"bench: wrote {args.out}/turn.md and .svg", file=sys.stderr)
