#!/usr/bin/env python3
"""Goal: every call connects, from behind any NAT or firewall, with media both ways.
Method: an internet of network namespaces, with a server and clients in networks of each kind. Each
kind of NAT is first shown to be what it is called (turnutils_natdiscovery). Then tring-load calls
itself from each network by every way that is open (UDP, ICE-TCP, the relay over UDP, TCP and TLS),
and Chromium in each network calls Chromium in each other. The table says which kind of candidate
carried the call.

    test/nat/run.py                         everything (as root, with nftables, chromium, coturn)
    test/nat/run.py --networks symm,tcp443  only between these
    test/nat/run.py --relay coturn          Debian's coturn is the relay: proves the test itself
"""
import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "test", "turn")]

import networks  # noqa: E402
import turnserver  # noqa: E402
from topology import Failed, Lab, NotHere, require  # noqa: E402

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ANSWER_LIMIT_S = 180
AT_ONCE = 1  # calls between browsers, each of which takes a core
WAITING = 8  # of what only waits
MEDIA = 10000
WEB = 443  # what a firewall lets through
SIGNALLING = 8188
TLS = 5349

NATS = {  # what turnutils_natdiscovery has to say of mapping and filtering
    "open": ("No NAT!", "Endpoint Independent Filtering"),
    "cone": ("Endpoint Independent Mapping", "Endpoint Independent Filtering"),
    "address": ("Endpoint Independent Mapping", "Address Dependent Filtering"),
    "port": ("Endpoint Independent Mapping", "Address and Port Dependent Filtering"),
    "symm": ("Address and Port Dependent Mapping", "Address and Port Dependent Filtering"),
    "double": ("Address and Port Dependent Mapping", "Address and Port Dependent Filtering"),
}


def side_by_side(count, do, things):
    """Does it to each thing, `count` at a time."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for _ in pool.map(do, things):
            pass


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def tell(self, ok, what, said=""):
        with self.lock:
            self.passed += ok
            self.failed += not ok
            print("ok  " if ok else "FAIL", what, said, flush=True)

    @contextlib.contextmanager
    def step(self, what):
        """Gives a list for words of the line that tells how it went."""
        said, start = [], time.monotonic()
        try:
            yield said
        except Failed as why:
            self.tell(False, what, str(why))
        else:
            self.tell(True, what, f"({time.monotonic() - start:.1f} s) {' '.join(said)}")


# -- The servers -----------------------------------------------------------------------------------


# On its first addresses the server's port 443 is the web's; on its second ones it is TURN's.
WEB_AT_443 = f"""
table inet web {{
  chain in {{
    type nat hook prerouting priority dstnat;
    ip daddr {networks.SERVER} tcp dport {WEB} redirect to :{SIGNALLING}
    ip6 daddr {networks.SERVER6} tcp dport {WEB} redirect to :{SIGNALLING}
  }}
}}
"""


def coturn(server, **more):
    return turnserver.coturn([networks.SERVER, networks.SERVER_TURN, networks.SERVER6,
                           networks.SERVER6_TURN], tls_port=WEB, prefix=server.command(), **more)


def start_servers(args, server, stack):
    """Gives the one that is the relay."""
    server.filter(WEB_AT_443)
    relay_at = [networks.SERVER_TURN, networks.SERVER6_TURN]
    if args.relay == "coturn":
        relay = stack.enter_context(coturn(server))
        relay_at = ["127.0.0.1"]  # out of the way
    tring = stack.enter_context(turnserver.tring(
        args.build, relay_at, tls_port=TLS if args.relay == "coturn" else WEB, ws=SIGNALLING,
        media=MEDIA, bounds=True, inside=False, prefix=server.command()))
    return relay if args.relay == "coturn" else tring


def ice_servers(network, login):
    at = network.turn
    urls = [f"turn:{at}:3478?transport=udp", f"turn:{at}:3478?transport=tcp",
            f"turns:{at}:{WEB}?transport=tcp"]
    username, credential = login
    return [{"urls": f"stun:{at}:3478"},
            {"urls": urls, "username": username, "credential": credential}]


def one_for_all(_name):
    """Debian's coturn takes either fixed users or short-lived ones, and has no bounds here."""
    return turnserver.USER, turnserver.PASSWORD


# -- Chromium --------------------------------------------------------------------------------------


class Phones:
    """Chromium in the networks, by way of phones.mjs."""

    def __init__(self, lab, folder, login):
        """folder: of the authority that they trust; theirs from now on. login: gives the user name
        and password of a phone at the relay."""
        self.folder, self.login = folder, login
        self.process = subprocess.Popen(["node", os.path.join(HERE, "phones.mjs"), folder],
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lab.processes.append(self.process)
        self.ids = itertools.count()
        self.answers = {}  # to come: futures by id
        self.lock = threading.Lock()  # of what is written
        self.opened = set()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.answers.pop(answer["id"]).set_result(answer)
        for future in self.answers.values():
            future.set_result({"error": "phones.mjs has ended"})

    def ask(self, do, **request):
        future = concurrent.futures.Future()
        with self.lock:
            request["id"] = next(self.ids)
            self.answers[request["id"]] = future
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
        try:
            answer = future.result(ANSWER_LIMIT_S)
        except concurrent.futures.TimeoutError as late:
            raise Failed(f"{do}: no answer") from late
        if "error" in answer:
            raise Failed(f"{do}: {answer['error']}")
        return answer

    def open(self, network, seat):
        """A phone in a network; there are two seats, for calls within it."""
        name = f"{network.name}{seat}"
        if name in self.opened:
            return name
        program = os.path.join(self.folder, f"chromium-{network.name}")
        start = " ".join(network.host.command(CHROMIUM))
        turnserver.write(program, f'#!/bin/sh\nexec {start} "$@"\n')
        os.chmod(program, 0o755)
        self.ask("open", name=name, network=network.name, program=program,
                 url=f"ws://{network.server}:{WEB}/",
                 iceServers=ice_servers(network, self.login(name)))
        self.opened.add(name)
        return name


def in_words(network, phone):
    """What carried this end of the call: it must be the best that this network lets through."""
    pair = phone["pair"]
    words = f"{pair['type']} {pair['protocol']}".removesuffix(" udp")
    direct = pair["protocol"] == "udp" and pair["type"] != "relay"
    if network.udp != direct:
        raise Failed(f"{network.name} went by {words}; it has {pair}")
    return words


def table(names, cells):
    """What carried the call: a cell is the row's end + the column's end, by UDP unless it says
    otherwise."""
    width = max(len(text) for text in [*cells.values(), *names]) + 2
    lines = ["".join(text.ljust(width) for text in ["", *names])]
    for row in names:
        texts = [cells.get((row, column), "") for column in names]
        lines.append("".join(text.ljust(width) for text in [row, *texts]).rstrip())
    return "\n".join(lines)


def call_each_other(phones, clients, results):
    """Each network's first seat calls the second seat of each that comes after it, and its own."""
    cells = {}
    seats = {}  # (network, seat) -> the phone's name
    busy = {(c.name, seat): threading.Lock() for c in clients for seat in (1, 2)}

    def sit_down(client):
        for seat in (1, 2):
            seats[client.name, seat] = phones.open(client, seat)

    def call(pair):
        one, other = pair
        with busy[one.name, 1], busy[other.name, 2], \
                results.step(f"call {one.name} - {other.name}") as said:
            cells[one.name, other.name] = "-"
            from_, to = seats[one.name, 1], seats[other.name, 2]
            made = phones.ask("call", **{"from": from_, "to": to})
            ends = [in_words(one, made["phones"][from_]),
                    in_words(other, made["phones"][to])]
            cells[one.name, other.name] = "+".join(ends)
            said.append(cells[one.name, other.name])
            phones.ask("hangup", name=from_)

    side_by_side(AT_ONCE, sit_down, clients)
    # Neighbours in this order share no seat, so that neither waits for the other's call to end.
    side_by_side(AT_ONCE, call, [(clients[i], clients[i + step]) for step in range(len(clients))
                                 for i in range(len(clients) - step)])
    print(table([c.name for c in clients], cells))
    print(f"{sum(cell != '-' for cell in cells.values())} of {len(cells)} calls connect")


def change_address(phones, clients, results):
    """In mid-call: at home the provider changes the address; a phone leaves home."""
    by_name = {c.name: c for c in clients}
    for name, what, change in (
            ("symm", "the router gets another address", lambda n: networks.renumber(n, 250)),
            ("moves", "the phone goes from one network into another", networks.use_second)):
        if name not in by_name:
            continue
        network, other = by_name[name], by_name.get("open", by_name[name])
        with results.step(f"change: {what}") as said:
            names = [phones.open(network, 1), phones.open(other, 2)]
            phones.ask("call", **{"from": names[0], "to": names[1]})
            change(network)
            time.sleep(0.5)  # what was under way has come
            after = phones.ask("flows", names=names)
            mine = after["phones"][names[0]]
            said.append(f"{in_words(network, mine)}, {mine['restarts']} ICE restarts, "
                        f"{after['ms']} ms")
            phones.ask("hangup", name=names[1])


# -- tring-load ------------------------------------------------------------------------------------


def ways_of(network, login):
    """What tring-load is told, by what has to carry it: all that the network lets through."""
    def relay(uri):
        user, password = login(f"load-{network.name}")
        return ["--relay-only", "--turn", uri, "--turn-user", user, "--turn-password", password]

    at = network.turn
    ways = {}
    if network.udp:
        ways["udp"] = []
        ways["turn over udp"] = relay(f"turn:{at}:3478?transport=udp")
    if not network.only_443:
        ways["tcp"] = ["--tcp"]
        ways["turn over tcp"] = relay(f"turn:{at}:3478?transport=tcp")
    ways["turn over tls"] = relay(f"turns:{at}:{WEB}?transport=tcp")
    return ways


def load(args, network, way, more):
    """The share that was delivered."""
    text = network.host.run(
        os.path.join(args.build, "tools", "tring-load", "tring-load"), "--echo", "1", "--url",
        f"ws://{network.server}:{WEB}/", "--bind", network.address, "--duration", "0.5", "--warmup",
        "0.5", "--video-kbps", "200", "--quiet", "--setup-limit", "15", *more)
    result = json.loads(text) if text else {}
    if (result.get("with_media") != 1 or result["delivered_share"] < 0.99 or
            result["carried_by"][way.split()[0]] != 1):
        raise Failed(f"{way}: {text or 'it said nothing'}")
    return result["delivered_share"]


def load_each(args, clients, login, results):
    """In all networks at once: most of the time goes by in waiting."""
    def load_in(network):
        with results.step(f"tring-load in {network.name}") as said:
            ways = ways_of(network, login)
            least = min(load(args, network, way, more) for way, more in ways.items())
            said.append(f"by {', '.join(ways)}; {least * 100:.1f} % delivered at least")

    side_by_side(WAITING, load_in, clients)


def look_at_nats(clients, results):
    def look(network):
        with results.step(f"NAT {network.name}: {network.title}") as said:
            text = network.host.run("turnutils_natdiscovery", "-m", "-f", "-L", network.address,
                                    networks.SERVER)
            for expected in NATS[network.name]:
                if expected not in text:
                    raise Failed(f"this is not '{expected}': {text[-1000:]}")
                said.append(f"{expected};")

    side_by_side(WAITING, look, [c for c in clients if c.name in NATS])


# -- The run ---------------------------------------------------------------------------------------


def run(args, results):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tring-nat-"))
        lab = stack.enter_context(Lab())
        switch, server = networks.internet(lab)
        clients = networks.clients(lab, switch, args.networks)
        with coturn(server):
            look_at_nats(clients, results)
        relay = start_servers(args, server, stack)
        shutil.copy(f"{relay.folder}/ca.pem", folder)
        login = turnserver.short_lived if args.relay == "tring" else one_for_all
        load_each(args, clients, login, results)
        phones = Phones(lab, folder, login)
        call_each_other(phones, clients, results)
        change_address(phones, clients, results)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--networks", default=",".join(networks.KINDS), help="some of %(default)s")
    parser.add_argument("--relay", default="tring", choices=["tring", "coturn"])
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    args.networks = args.networks.split(",")
    unknown = [n for n in args.networks if n not in networks.KINDS]
    if unknown:
        parser.error(f"no network {unknown[0]}")
    return args


def main():
    args = arguments()
    results = Results()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is taken down
    try:
        require()
        run(args, results)
    except NotHere as why:
        print(f"skip the NAT matrix: {why}")
        results.skipped += 1
    except Failed as why:
        results.tell(False, "the run", str(why))
    if results.skipped:
        print(f"  {results.skipped} skipped")
    print(f"{results.passed} passed, {results.failed} failed")
    return results.failed > 0


if __name__ == "__main__":
    sys.exit(main())
