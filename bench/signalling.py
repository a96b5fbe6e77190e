"""Signalling: what connections cost that only keep their sessions alive.

A load is so many WebSockets with a session each, which send a keep-alive each 25 s as janus.js
does, while one more asks something each 10 ms. Figures are of the server: the CPU of all its
threads, of Tring's control thread, and how long an answer takes.
"""
import heapq
import json
import os
import resource
import select
import socket
import statistics
import struct
import sys
import time

import report
import servers

KEEPALIVE_S = 25
ASK_S = 0.01
SETTLE_S = 1
FILES = 8192
ANSWER_LIMIT_S = 20
SETTINGS = {"TRING_API_RATE_PER_SECOND": "100000", "TRING_API_RATE_BURST": "100000"}

TITLES = {"janus": "janus", "tring-before": "tring, another build", "tring": "tring"}


def load(idle):
    return {"title": f"{idle} idle sessions", "idle": idle,
            "servers": ["janus", "tring-before", "tring"], "args": []}


LOADS = {str(n): load(n) for n in (0, 100, 1000, 3000)}


class Client:
    """A session over a WebSocket of its own."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
                            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            b"Sec-WebSocket-Protocol: janus-protocol\r\n\r\n")
        while b"\r\n\r\n" not in self.bytes:
            self.take()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise OSError(f"no WebSocket: {head[:80]}")
        self.say(janus="create")
        self.session = self.answer()["data"]["id"]
        self.text = {"janus": "keepalive", "session_id": self.session}

    def take(self):
        got = self.socket.recv(65536)
        if not got:
            raise OSError("the server has closed a connection")
        self.bytes += got

    def frame(self, opcode, payload):
        n = len(payload)
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | n) if n < 126 else \
            struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, n)
        self.socket.sendall(head + bytes(4) + payload)  # the mask is zero

    def say(self, **message):
        self.frame(1, json.dumps(message | {"transaction": "t"}).encode())

    def keep_alive(self):
        self.say(**self.text)

    def messages(self):
        """What has come; pings are answered."""
        out = []
        while len(self.bytes) >= 2:
            at, n = 2, self.bytes[1]
            if n == 126 and len(self.bytes) >= 4:
                at, n = 4, struct.unpack("!H", self.bytes[2:4])[0]
            if n == 126 or len(self.bytes) < at + n:
                break
            opcode, payload = self.bytes[0] & 15, self.bytes[at:at + n]
            self.bytes = self.bytes[at + n:]
            if opcode == 9:
                self.frame(10, payload)
            elif opcode == 1:
                out.append(payload)
        return out

    def answer(self):
        while True:
            for message in self.messages():
                return json.loads(message)
            self.take()

    def close(self):
        self.socket.close()


class Crowd:
    """The idle sessions, and the one that asks."""

    def __init__(self, port, idle):
        self.clients, self.delays = [], []
        self.epoll = select.epoll()
        try:
            for _ in range(idle + 1):
                self.clients.append(Client(port))
        except OSError:
            self.close()
            raise
        self.asker = self.clients[0]
        self.by_fd = {c.socket.fileno(): c for c in self.clients}
        for fd in self.by_fd:
            self.epoll.register(fd, select.EPOLLIN)
        start = time.monotonic()
        self.due = [(start + (i + 1) / (idle + 1) * KEEPALIVE_S, i) for i in range(1, idle + 1)]
        heapq.heapify(self.due)
        self.ask_at, self.asked = start, None

    def read(self):
        for fd, _ in self.epoll.poll(max(0, self.ask_at - time.monotonic())):
            client = self.by_fd[fd]
            client.take()
            if client.messages() and client is self.asker and self.asked:
                self.delays.append(time.monotonic() - self.asked)
                self.asked = None

    def write(self, now):
        while self.due and self.due[0][0] <= now:
            at, i = heapq.heappop(self.due)
            self.clients[i].keep_alive()
            heapq.heappush(self.due, (at + KEEPALIVE_S, i))
        if now >= self.ask_at and not self.asked:
            self.asker.keep_alive()
            self.asked = now
            self.ask_at = max(self.ask_at + ASK_S, now)

    def run(self, seconds):
        """The delays of the answers meanwhile."""
        self.delays, until = [], time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self.write(now)
            if self.asked and self.ask_at < now:
                self.ask_at = now + ASK_S
            self.read()
            if self.asked and time.monotonic() - self.asked > ANSWER_LIMIT_S:
                raise OSError("a request is not answered")
        return self.delays

    def close(self):
        self.epoll.close()
        for client in self.clients:
            client.close()


def cpu_s(pid):
    """Seconds of CPU of the first thread, which is Tring's control thread, and of all threads."""
    first = total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            ran = int(f.read().split()[0]) / 1e9
        total += ran
        first += ran if int(task) == pid else 0
    return first, total


def measure(server, idle, args):
    kind = "tring" if server.startswith("tring") else server
    build = args.before if server == "tring-before" else args.build
    with servers.running(kind, build, settings=SETTINGS) as (pid, url):
        crowd = Crowd(int(url.rsplit(":", 1)[1].strip("/")), idle)
        try:
            crowd.run(SETTLE_S)
            before, start = cpu_s(pid), time.monotonic()
            delays = crowd.run(args.seconds)
            after, took = cpu_s(pid), time.monotonic() - start
        finally:
            crowd.close()
    first, total = ((b - a) / took * 100 for a, b in zip(before, after))
    cuts = statistics.quantiles(delays, n=100)
    return {"control": first if kind == "tring" else None, "cpu": total,
            "requests": len(delays) / took, "p50": cuts[49] * 1e6, "p99": cuts[98] * 1e6}


def figures(rounds):
    out = {name: None if first is None else statistics.median(r[name] for r in rounds)
           for name, first in rounds[0].items()}
    return out | {"cpu_all": [r["cpu"] for r in rounds]}


# -- The page --------------------------------------------------------------------------------------

WHAT = """\
So many WebSockets of janus-protocol with a session each, which sends a keep-alive each 25 s, as
janus.js does; one more sends one each 10 ms. The server does nothing else. *Control* is Tring's
control thread, which has all signalling; *CPU* is the whole process."""

HOW = """\
- Machine: {machine}. Load and server share it, over loopback: compare, do not take figures for
  those of a network.
- janus is Debian's {version} with only the plugins and the transports that the load needs.
- *a session*: what CPU each idle session adds, from the load without any to this one. *less than
  janus*: of the whole process. *answer*: from sending the request to reading the answer, both in
  the load program, which is one thread of Python: its own time and waiting for a core are in it.
- Runs of {seconds:g} s, the servers in turn, each started anew, {rounds} round(s); of several, the
  first is dropped and the others give medians.
"""

BEFORE = """\
- *another build* is Tring as it was with poll(2) in place of epoll
  ([why](../adr/0014-the-web-waits-by-epoll.md))."""


def row(name, server, results):
    f = results[(name, server)]
    none, janus = results.get(("0", server)), results.get((name, "janus"))
    idle = LOADS[name]["idle"]
    added = (f["cpu"] - none["cpu"]) / idle * 1e4 if none and idle else None
    ratio = report.times_less(janus["cpu"], f["cpu"]) if janus and server != "janus" else None
    return [LOADS[name]["title"], TITLES[server], report.number(f["control"], ".2f", " %"),
            report.number(f["cpu"], ".2f", " %"), report.number(added, ".1f", " us/s"),
            report.number(ratio, ".1f", "x"), report.number(f["requests"], ".0f"),
            report.number(f["p50"], ".0f", " us"), report.number(f["p99"], ".0f", " us")]


def table(loads, results):
    head = ["load", "server", "control, of a core", "CPU, of a core", "a session",
            "less than janus", "requests/s", "answer p50", "answer p99"]
    return report.markdown(head, [row(name, server, results) for name, one in loads.items()
                                  for server in one["servers"] if (name, server) in results])


def page(loads, results, args):
    how = HOW.format(machine=report.machine(), version=report.janus_version(),
                     seconds=args.seconds, rounds=args.rounds)
    rounds = "; ".join(f"{name} {server} " + ", ".join(f"{v:.2f}" for v in f["cpu_all"])
                       for (name, server), f in results.items())
    made = f"--seconds {args.seconds:g} --rounds {args.rounds}"
    if args.before:
        how, made = f"{how.rstrip()}\n{BEFORE}", f"--before BUILD {made}"
    parts = ["# Signalling", WHAT, table(loads, results), how.rstrip(),
             f"CPU in % of a core, by round: {rounds}.", f"Made by `bench/run signalling {made}`."]
    return "\n\n".join(parts) + "\n"


def plan(loads, args, round_no):
    for name, one in loads.items():
        turn = [s for s in one["servers"]
                if s in args.servers and (s != "tring-before" or args.before)]
        for server in reversed(turn) if round_no % 2 else turn:
            yield name, server


def main(args, loads):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    runs = {}
    for round_no in range(args.rounds):
        for name, server in plan(loads, args, round_no):
            result = measure(server, LOADS[name]["idle"], args)
            runs.setdefault((name, server), []).append(result)
            print(f"bench: round {round_no + 1}  {name:5} {server:13} CPU {result['cpu']:6.2f} %  "
                  f"answer p50 {result['p50']:.0f} us", file=sys.stderr, flush=True)
    dropped = 1 if args.rounds > 1 else 0
    order = [(name, server) for name, one in loads.items() for server in one["servers"]]
    results = {key: figures(runs[key][dropped:]) for key in order if key in runs}
    print(table(loads, results))
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        path = os.path.join(args.out, "signalling.md")
        servers.write(path, page(loads, results, args))
        print(f"bench: wrote {path}", file=sys.stderr)
