#!/usr/bin/env python3
"""Goal: TURN clients that others wrote find in Tring all that they know of TURN.
Method: the programs of Debian's coturn 4.6.1 (turnutils_uclient, _peer, _stunclient, _natdiscovery)
against the server on loopback addresses; what they print is read: nothing lost, no error.

    test/turn/tools.py [PART OF A NAME]        against Tring
    test/turn/tools.py --server coturn         against coturn itself: shows what the tools can do

What these programs cannot do, not even with coturn: TCP relays over TLS (-T -S ends in the tool's
own error), mobility over TCP (-M -t), clients to each other over TLS (-t -S -y loses the first
packets), SCTP (-b needs a kernel with it). Both families at a time (-Z) is asked for by another
number than IANA's, which only coturn knows; a client of our own asks here. -R may go on for ever,
-N and -O give up at the first error that they provoke: what counts with these is that the server
is as well as before. -P counts half of its packets as lost, because only one end of each
connection sends. Now and then the tools lose the first packets of a stream, or take one channel
number twice, with any server: so what fails is done once more.
"""
import concurrent.futures
import contextlib
import re
import shlex
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import stun  # noqa: E402
import turnserver  # noqa: E402
from turnserver import Failed  # noqa: E402

AT_ONCE = 5  # they mostly wait
LIMIT_S = 45
CLIENTS, MESSAGES = 2, 20
ADDRESSES = ["127.0.0.1", "127.0.0.2", "::1"]  # the first two are those of RFC 5780
V6 = "::1"

SHARED_SECRET = "UDP, time-limited credential"  # with coturn: instead of users, so not here

RELAYED = {
    "UDP": "",
    "UDP, no RTCP": "-c",
    "UDP, Send indications": "-s",
    "UDP, 1100 bytes": "-l 1100",
    "UDP, DONT-FRAGMENT": "-g",
    "UDP, IPv4 relay asked for": "-X",
    "UDP, IPv6 relay": "-x",
    "UDP, padded channels": "-D",
    "UDP, extra requests": "-G",
    "UDP, clients that vanish": "-B",
    "UDP, client to client": "-y",
    "UDP, client to client by Send": "-y -s",
    SHARED_SECRET: "-W",
    "UDP, mobility": "-M",
    "UDP over IPv6": "V6",
    "UDP over IPv6, IPv6 relay": "V6 -x",
    "TCP": "-t",
    "TCP, Send indications": "-t -s",
    "TCP, IPv6 relay": "-t -x",
    "TCP, client to client": "-t -y",
    "TCP over IPv6": "V6 -t",
    "TLS": "-t -S",
    "TLS, Send indications": "-t -S -s",
    "TLS over IPv6": "V6 -t -S",
    "DTLS": "-S",
    "DTLS, Send indications": "-S -s",
    "DTLS, IPv6 relay": "-S -x",
    "DTLS over IPv6": "V6 -S",
    "TCP relay": "-T",
}


class Bench:
    """The server and what the tools need beside it."""

    def __init__(self, server, port, tls_port, peer_port):
        self.server = server
        self.port = port
        self.tls_port = tls_port
        self.peer_port = peer_port

    def uclient(self, words, limit=LIMIT_S):
        """Exit code (None: was ended) and output of turnutils_uclient."""
        v6 = "V6" in words
        login = ["-u", turnserver.USER, "-w", turnserver.PASSWORD]
        if "-W" in words:
            login = ["-u", turnserver.USER, "-W", turnserver.SECRET]
        flags = [w for w in words if w not in ("V6", "-W")]
        command = ["turnutils_uclient", *flags, "-n", str(MESSAGES), "-m", str(CLIENTS),
                   "-e", V6 if "-x" in words else ADDRESSES[0], "-r", str(self.peer_port),
                   "-p", str(self.tls_port if "-S" in words else self.port), *login,
                   V6 if v6 else ADDRESSES[0]]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=limit, check=False)
        except subprocess.TimeoutExpired as late:
            return None, (late.stdout or b"").decode(errors="replace")
        return done.returncode, done.stdout.decode(errors="replace")


def numbers(text, pattern):
    found = re.findall(pattern, text)
    return [int(n) for n in (found[-1] if isinstance(found[-1], tuple) else found[-1:])] \
        if found else []


def relayed(bench, words):
    """All packets went to the peer and came back."""
    code, text = bench.uclient(words)
    counts = numbers(text, r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)")
    lost = numbers(text, r"Total lost packets (\d+)")
    if code != 0 or not counts or counts[0] < CLIENTS * MESSAGES or counts[0] != counts[1] \
            or lost != [0]:
        raise Failed(f"exit code {code}, sent and received {counts}, lost {lost}:\n{text[-1500:]}")
    delay = re.findall(r"Average round trip delay ([\d.]+)", text)
    return f"{counts[1]} packets, {delay[-1]} ms"


def one_sided(bench, words):
    code, text = bench.uclient(words)
    counts = numbers(text, r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)")
    if code != 0 or not counts or counts[1] == 0 or counts[1] * 2 < counts[0]:
        raise Failed(f"exit code {code}, sent and received {counts}:\n{text[-1500:]}")
    return f"{counts[1]} of {counts[0]} packets, half of them are all there are"


def provokes(error):
    def check(bench, words):
        code, text = bench.uclient(words)
        if code == 0 or f"error {error}" not in text:
            raise Failed(f"exit code {code}, no error {error}:\n{text[-1500:]}")
        return f"error {error}; after it, " + relayed(bench, [])
    return check


def outlived(bench, words):
    """Whatever becomes of these clients, others do not notice."""
    bench.uclient(words, limit=10)
    return "after it, " + relayed(bench, [])


def wrong_password(bench, words):
    del words
    command = ["turnutils_uclient", "-n", "1", "-e", ADDRESSES[0], "-p", str(bench.port), "-u",
               turnserver.USER, "-w", "wrong", ADDRESSES[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode == 0 or "Cannot complete Allocation" not in done.stdout + done.stderr:
        raise Failed(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return "no allocation"


def stun_client(bench, words):
    text = subprocess.run(["turnutils_stunclient", *words, "-p", str(bench.port), ADDRESSES[0]],
                          capture_output=True, text=True, timeout=LIMIT_S, check=False).stdout
    mapped = re.findall(r"UDP reflexive addr: 127\.0\.0\.1:\d+", text)
    if not mapped:
        raise Failed(f"no mapped address:\n{text}")
    if words and not re.search(r"Other addr: (?!.*ERROR).*127\.0\.0\.2:\d+", text):
        raise Failed(f"no other address:\n{text}")
    return f"{len(mapped)} answers"


def discovery(bench, words):
    text = subprocess.run(["turnutils_natdiscovery", *words, "-L", "127.0.0.1", "-p",
                           str(bench.port), ADDRESSES[0]], capture_output=True, text=True,
                          timeout=LIMIT_S, check=False).stdout
    for expected in ("No NAT! (Endpoint Independent Mapping)", "Endpoint Independent Filtering!"):
        if expected not in text:
            raise Failed(f"this is not '{expected}':\n{text}")
    return "no NAT, by changes of address and port"


def both_families(bench, words):
    del words
    with stun.Client((ADDRESSES[0], bench.port), turnserver.USER, turnserver.PASSWORD,
                     turnserver.REALM) as client:
        answer = client.allocate(both=True)
        relayed_at = answer.all[stun.RELAYED] if answer and not answer.error else []
        families = sorted(value[1] for value in relayed_at)
        refreshed = [client.refresh(family=f).error for f in families]
        if families != [1, 2] or refreshed != [0, 0]:
            raise Failed(f"families {families}, refreshed with {refreshed}")
    return "an IPv4 and an IPv6 address"


TESTS = {name: (relayed, words) for name, words in RELAYED.items()} | {
    "TCP relay, passive": (one_sided, "-P"),
    "a channel twice (-N)": (provokes(400), "-N"),
    "reservations in a hurry (-O)": (outlived, "-O"),
    "rubbish (-R)": (outlived, "-R"),
    "both families": (both_families, ""),
    "a wrong password": (wrong_password, ""),
    "STUN": (stun_client, ""),
    "STUN, RFC 5780": (stun_client, "-f"),
    "NAT discovery, RFC 5780": (discovery, "-m -f"),
}


@contextlib.contextmanager
def peers(port):
    started = [subprocess.Popen(["turnutils_peer", "-L", address, "-p", str(port)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for address in (ADDRESSES[0], V6)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run_one(bench, name):
    check, words = TESTS[name]
    start, ok = time.monotonic(), False
    for more in ("", " (at the second try)"):
        try:
            said, ok = check(bench, shlex.split(words)) + more, True
            break
        except (Failed, subprocess.TimeoutExpired) as why:
            said = str(why)
    print(f"{'ok  ' if ok else 'FAIL'} {name} ({time.monotonic() - start:.1f} s): {said}",
          flush=True)
    return ok


def main():
    parser = turnserver.command_line(__doc__, "tests")
    parser.add_argument("--server", default="tring", choices=["tring", "coturn"])
    args = parser.parse_args()
    port, tls_port, peer_port = turnserver.free_ports(3)
    names = [name for name in TESTS if args.part in name]
    if args.server == "coturn":
        names.remove(SHARED_SECRET)
    with peers(peer_port), turnserver.start(args.server, args.build, ADDRESSES, port=port,
                                         tls_port=tls_port) as server:
        bench = Bench(server, port, tls_port, peer_port)
        skipped = [name for name in names if "DTLS" in name
                   and not turnserver.has_dtls(ADDRESSES[0], tls_port)]
        skipped += [name for name in names if "5780" in name and args.server == "tring"
                    and not turnserver.knows(args.build, "other_port")]
        for name in skipped:
            names.remove(name)
            print(f"skip {name}: the server does not offer that")
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            done = list(pool.map(lambda name: run_one(bench, name), names))
        if not all(done):
            print(server.log())
        ended = server.close()
    if args.server == "tring":
        print("ok   the server ended well" if ended == 0 else f"FAIL the server ended with {ended}")
        done.append(ended == 0)
    if skipped:
        print(f"  {len(skipped)} skipped")
    print(f"{done.count(True)} passed, {done.count(False)} failed")
    return not all(done)


if __name__ == "__main__":
    sys.exit(main())
