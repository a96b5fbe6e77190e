#!/usr/bin/env python3
"""Goal: what is known to have brought down or abused other servers does nothing to this one, and
the server's own counters show it.
Method: each attack for a few seconds, from loopback addresses, while calls (tring-load) are set up
and go on. It is passed when the attacker got nothing, the calls lost nothing, the server's memory
has not grown with the attack, and the counter that is to tell of it has moved. A line of figures
says how much was sent in which time, what came back, and what it has cost the server; the calls'
own share of that is measured before the first attack.

    test/turn/attacks.py [PART OF A NAME]
"""
import contextlib
import dataclasses
import json
import os
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True

import turnserver  # noqa: E402
import stun  # noqa: E402
from turnserver import Failed, expect  # noqa: E402

ADDRESS, ADDRESS6 = "127.0.0.1", "::1"
MEDIA_ADDRESS = "127.0.0.3"  # other than the relay's, so that the relay's is none of media
PUBLIC, PUBLIC6 = "44.10.0.{}", "2a10:44::{}"  # peers that are allowed; nothing is sent there
CALLS = ["--echo", "3", "--ramp", "3", "--video-kbps", "300", "--warmup", "0.2", "--duration", "4",
         "--setup-limit", "10", "--quiet"]
CALLS_LIMIT_S = 40
DELIVERED_LEAST = 0.99
GROWTH_MAX_KIB = 2048  # noise of the allocator and of calls that come and go
TLS_GROWTH_MAX_KIB = 12288  # 200 handshakes that have begun, some 45 KiB each
LORIS_STREAMS = 200
FLOOD_S = 3
PUBLISHED_S = 2
PRE_AUTH_S = 10  # what a stream may take until it has proven anything

PEER_ALLOCATIONS = 12
ADDRESS_ALLOCATIONS = 1024
ELSEWHERE = "127.0.0.9"  # a client's address that nobody attacks from
PERMISSIONS_MAX = 256
CHANNELS_MAX = 256


def dropped(reason):
    return f'tring_media_dropped_total{{reason="{reason}"}}'


def refused(reason):
    return f'tring_turn_refused_total{{reason="{reason}"}}'


def ended(reason):
    return f'tring_turn_streams_ended_total{{reason="{reason}"}}'


def dtls_refused(reason):
    return f'tring_turn_dtls_refused_total{{reason="{reason}"}}'


class Target:
    """The server under attack."""

    def __init__(self, args):
        self.args = args
        self.calls_cpu = 0  # seconds of the server's, a second of calls
        self.http, self.media, self.turn, self.tls = turnserver.free_ports(4)
        self.server = turnserver.tring(
            args.build, [ADDRESS, ADDRESS6], port=self.turn, tls_port=self.tls, http=self.http,
            media=self.media, workers=2, bind=MEDIA_ADDRESS, bounds=True, inside=False)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return {name: float(value) for name, value in
                re.findall(r"^(tring_\S+) (\S+)$", text, re.M)}

    def memory_kib(self):
        with open(f"/proc/{self.server.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def cpu_s(self):
        with open(f"/proc/{self.server.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self, v6=False, transport=stun.UDP, password=turnserver.PASSWORD):
        address = ADDRESS6 if v6 else ADDRESS
        return stun.Client((address, self.turn), turnserver.USER, password, turnserver.REALM,
                           transport)

    def client_of(self, name, source=ADDRESS):
        """With a credential of its own, made with the secret."""
        return stun.Client((ADDRESS, self.turn), *turnserver.short_lived(name), turnserver.REALM,
                           source=source)

    @contextlib.contextmanager
    def calls(self):
        """Gives a function that waits for their end and tells the share that was delivered."""
        program = os.path.join(self.args.build, "tools", "tring-load", "tring-load")
        process = subprocess.Popen([program, *CALLS, "--bind", MEDIA_ADDRESS, "--url",
                                    f"http://127.0.0.1:{self.http}/janus"], text=True,
                                   stdout=subprocess.PIPE)

        def result():
            text, _ = process.communicate(timeout=CALLS_LIMIT_S)
            told = json.loads(text)
            if told["failed"]:
                raise Failed(f"calls failed meanwhile: {told['failures']}")
            return told["delivered_share"]
        try:
            yield result
        finally:
            turnserver.end(process)


@dataclasses.dataclass
class Attack:
    what: str
    run: callable  # gets the target; tells what it got
    counters: list  # these must move, together by `least` and more
    least: int = 1
    growth_kib: int = GROWTH_MAX_KIB


# -- What is sent ----------------------------------------------------------------------------------


def client_hello(fragment=None):
    """A record of DTLS with a ClientHello; fragment: (offset, length, total) of a longer one."""
    body = (b"\xfe\xfd" + os.urandom(32) + b"\0\0" + struct.pack("!H", 4) + b"\xc0\x2b\xc0\x2f"
            + b"\x01\x00")
    extensions = (struct.pack("!HHHH", 10, 4, 2, 23) + struct.pack("!HHHH", 13, 4, 2, 0x0403)
                  + struct.pack("!HHHHB", 14, 5, 2, 7, 0) + struct.pack("!HHH", 11, 2, 0x0100))
    body += struct.pack("!H", len(extensions)) + extensions
    offset, length, total = fragment or (0, len(body), len(body))
    body = (body * (length // len(body) + 1))[:length]

    def three(n):
        return struct.pack("!I", n)[1:]
    handshake = b"\x01" + three(total) + b"\0\0" + three(offset) + three(length) + body
    return (b"\x16\xfe\xff" + bytes(2) + os.urandom(6) + struct.pack("!H", len(handshake))
            + handshake)


def rtp():
    return struct.pack("!BBHII", 0x80, random.choice([96, 111, 200]), random.randrange(65536),
                       random.getrandbits(32), random.getrandbits(32)) + os.urandom(100)


def plain_sockets(count, target, address=ADDRESS):
    made = []
    for _ in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.connect((address, target))
        one.setblocking(False)
        made.append(one)
    return made


def flood(sockets, make, rate=4000):
    """For FLOOD_S; gives datagrams and bytes sent, and datagrams and bytes that came back."""
    out = out_bytes = back = back_bytes = 0
    start = time.monotonic()
    while time.monotonic() < start + FLOOD_S:
        for _ in range(20):
            one = random.choice(sockets)
            data = make()
            with contextlib.suppress(OSError):
                out_bytes += one.send(data)
                out += 1
            with contextlib.suppress(OSError):
                while True:
                    back_bytes += len(one.recv(2048))
                    back += 1
        time.sleep(max(0, start + out / rate - time.monotonic()))
    for one in sockets:
        one.close()
    stun.Traffic.sent += out
    stun.Traffic.received += back
    return out, out_bytes, back, back_bytes


def silent_flood(port_of, address, make, count=20):
    def run(target):
        out, _, back, _ = flood(plain_sockets(count, port_of(target), address), make)
        if back:
            raise Failed(f"{back} answers to {out} datagrams")
        return f"{out} datagrams, no answer"
    return run


# -- The attacks -----------------------------------------------------------------------------------


def reflection(target):
    """Nobody is answered with much more than was sent, and a flood with less than that."""
    transport = stun.attribute(stun.TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
    kinds = {"Binding": (stun.message(stun.BINDING), 2), "Allocate": (
        stun.message(stun.ALLOCATE, transport), 5), "bare Allocate": (
        stun.message(stun.ALLOCATE), 7), "Refresh": (stun.message(stun.REFRESH), 7)}
    said = []
    for name, (request, most) in kinds.items():
        with contextlib.closing(stun.udp_socket((ADDRESS, target.turn))) as one:
            one.settimeout(0.5)
            one.send(request)
            answer = b""
            with contextlib.suppress(TimeoutError):
                answer = one.recv(4096)
        factor = len(answer) / len(request)
        if factor > most:
            raise Failed(f"{name}: {len(answer)} bytes for {len(request)}")
        said.append(f"{name} {factor:.1f}")
    _, sent, _, got = flood(plain_sockets(50, target.turn),
                            lambda: stun.message(stun.ALLOCATE, transport))
    if got > sent:
        raise Failed(f"a flood of {sent} bytes was answered by {got}")
    return f"{', '.join(said)}; a flood {got / sent:.2f} bytes a byte"


def unproven_flood(target):
    """Well-formed first requests from many sources leave nothing behind."""
    transport = stun.attribute(stun.TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
    out, _, back, _ = flood(plain_sockets(400, target.turn),
                            lambda: stun.message(stun.ALLOCATE, transport, fingerprint=True))
    if target.metrics()["tring_turn_allocations"]:
        raise Failed("there are allocations")
    return f"{out} requests of 400 sources, {back} answers, no allocation"


def fragment_flood(target):
    def piece():
        total = random.choice([100, 4000, 0xFFFF00])
        return client_hello((random.randrange(total), random.randrange(1, 900), total))
    out, _, back, _ = flood(plain_sockets(400, target.tls), piece)
    return f"{out} fragments of 400 sources, {back} answers"


def hello_flood(target):
    out, sent, back, got = flood(plain_sockets(400, target.tls), client_hello)
    if got > sent:
        raise Failed(f"{sent} bytes were answered by {got}")
    return f"{out} ClientHello, {back} answers, {got / sent:.2f} bytes a byte"


INSIDE = ["127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
          "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
          "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
          "192.88.99.1"]


def disguises():
    """Each inner IPv4 address as IPv6 addresses that lead to it, or may."""
    for v4 in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1"):
        n = int.from_bytes(socket.inet_aton(v4), "big")
        words = f"{n >> 16:x}:{n & 0xffff:x}"
        yield from (f"::ffff:{v4}", f"::{v4}", f"::ffff:0:{v4}", f"64:ff9b::{words}",
                    f"64:ff9b:1::{words}", f"2002:{words}::1", f"2001:0:{words}::1",
                    f"2001:0:2c01:203::{n >> 16 ^ 0xffff:x}:{n & 0xffff ^ 0xffff:x}",
                    f"fe80::5efe:{v4}", f"2a10:44::5efe:{v4}", f"2a10:44::200:5efe:{v4}")
    yield from ("::1", "::", "fc00::1", "fd00::2", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1",
                "100::1")


def internal_networks(target):
    """By CreatePermission, ChannelBind, Send and Connect."""
    tried = 0
    for v6, inside, outside in ((False, INSIDE, PUBLIC), (True, list(disguises()), PUBLIC6)):
        with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.bind((ADDRESS6 if v6 else ADDRESS, 0))
            port = victim.getsockname()[1]
            with target.client() as one:
                expect(one.allocate(v6=v6), 0, "an allocation")
                expect(one.permit(outside.format(1)), 0, "a permission for a public peer")
                for channel, peer in enumerate(inside, 0x4000):
                    must_fail(one.permit(peer), f"a permission for {peer}")
                    must_fail(one.bind(channel, peer, port), f"a channel to {peer}")
                    one.send(peer, port, b"hello inside")
                    tried += 3
            victim.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                raise Failed(f"{victim.recvfrom(100)} came through")
    return f"{tried} tries by {len(INSIDE)} addresses and {len(list(disguises()))} disguises"


def internal_connect(target):
    with socket.create_server((ADDRESS, 0)) as victim:
        port = victim.getsockname()[1]
        with target.client(transport=stun.TCP) as one:
            expect(one.allocate(transport=stun.TCP), 0, "a TCP allocation")
            for peer in INSIDE:
                must_fail(one.connect(peer, port), f"a connection to {peer}")
        victim.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            raise Failed(f"{victim.accept()[1]} came through")
    return f"{len(INSIDE)} addresses"


def must_fail(answer, what):
    if answer is not None and answer.error == 0:
        raise Failed(f"{what} was granted")


def exhaustion(target):
    """Of permissions and channels: bounded, and the allocation lives."""
    granted = channels = 0
    errors = set()
    with target.client() as one:
        expect(one.allocate(), 0, "an allocation")
        for i in range(1, PERMISSIONS_MAX + 300):
            answer = one.permit(f"44.{10 + i // 250}.1.{1 + i % 250}")
            granted += answer is not None and answer.error == 0
            if answer is not None and answer.error:
                errors.add(answer.error)
        for i in range(CHANNELS_MAX + 300):
            answer = one.bind(0x4000 + i % 0xFFF, "44.10.1.1", 1000 + i)
            channels += answer is not None and answer.error == 0
            if answer is not None and answer.error:
                errors.add(answer.error)
        expect(one.refresh(), 0, "a refresh after it")
    if granted > PERMISSIONS_MAX or channels > CHANNELS_MAX:
        raise Failed(f"{granted} permissions and {channels} channels were granted")
    return f"{granted} permissions, {channels} channels, then errors {sorted(errors)}"


def many_allocations(target):
    with contextlib.ExitStack() as stack:
        answers = [stack.enter_context(target.client()).allocate()
                   for _ in range(PEER_ALLOCATIONS + 10)]
        granted = sum(a is not None and a.error == 0 for a in answers)
        errors = {a.error for a in answers if a is not None and a.error}
    if granted > PEER_ALLOCATIONS or errors != {486}:
        raise Failed(f"{granted} were granted, errors {errors}")
    return f"{granted} of {len(answers)}, then 486"


def many_credentials(target):
    """Each has its own bound, and all of an address have one together; others are not touched."""
    with contextlib.ExitStack() as stack:
        answers = []
        for i in range(ADDRESS_ALLOCATIONS // PEER_ALLOCATIONS + 10):
            answers += [stack.enter_context(target.client_of(f"c{i}")).allocate()
                        for _ in range(PEER_ALLOCATIONS)]
        granted = sum(a is not None and a.error == 0 for a in answers)
        errors = {a.error for a in answers if a is not None and a.error}
        with target.client_of("elsewhere", ELSEWHERE) as other:
            expect(other.allocate(), 0, "an allocation of another address")
    if granted > ADDRESS_ALLOCATIONS or errors != {486}:
        raise Failed(f"{granted} were granted, errors {errors}")
    return f"{granted} of {len(answers)} by {len(answers) // PEER_ALLOCATIONS} names, then 486"


def spoofed_integrity(target):
    """Of a stranger who guesses, and of one who sits at the owner's own address."""
    with target.client() as one:
        expect(one.allocate(), 0, "an allocation")
        right = one.password
        one.password = "guessed"
        for i in range(300):
            answer = one.exchange(one.signed(stun.REFRESH, stun.attribute(
                stun.LIFETIME, bytes(4))), wait=0.05 if i else stun.WAIT_S)
            must_fail(answer, "a refresh with a wrong password")
        one.password = right
        expect(one.refresh(), 0, "the owner's refresh")
    with target.client(password="guessed") as other:
        must_fail(other.allocate(), "an allocation with a wrong password")
    return "300 requests, the owner's allocation lives"


def replays(target):
    """A nonce, and a whole request, from another address than that they were made for."""
    with target.client() as one, target.client() as thief:
        expect(one.allocate(), 0, "an allocation")
        thief.nonce = one.nonce
        wish = stun.attribute(stun.TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
        answer = thief.exchange(thief.signed(stun.ALLOCATE, wish))
        if answer is not None and answer.error not in (401, 438):
            raise Failed(f"another's nonce: {answer.error or 'granted'}")
        end = one.signed(stun.REFRESH, stun.attribute(stun.LIFETIME, bytes(4)))
        must_fail(thief.exchange(end), "a replayed refresh")
        expect(one.refresh(), 0, "the owner's refresh")
    return "nonce and requests of another address are refused"


def unknown_channels(target):
    """Of nobody's, and of an allocation that has no such channel."""
    with target.client() as one:
        expect(one.allocate(), 0, "an allocation")
        for i in range(2000):
            one.send_channel(0x4000 + i % 0x1000, os.urandom(100))
        out, _, back, _ = flood(plain_sockets(50, target.turn), lambda: struct.pack(
            "!HH", random.randrange(0x4000, 0x5000), 100) + os.urandom(100))
        if back:
            raise Failed(f"{back} answers")
        expect(one.refresh(), 0, "a refresh after it")
    return f"{out + 2000} packets, no answer"


def rubbish(target):
    out, _, back, _ = flood(plain_sockets(50, target.turn),
                            lambda: os.urandom(random.randrange(1, 1400)))
    return f"{out} datagrams, {back} answers"


def slow_loris(port_of):
    """Streams that say a byte a second. They are closed in time, and others get in meanwhile."""
    def run(target):
        closed = 0
        with contextlib.ExitStack() as stack:
            streams = []
            for _ in range(LORIS_STREAMS):
                with contextlib.suppress(OSError):
                    streams.append(stack.enter_context(
                        socket.create_connection((ADDRESS, port_of(target)), 1)))
            start = time.monotonic()
            first = iter(b"\x16\x03\x01\x01\x00" if port_of(target) == target.tls else
                         stun.message(stun.ALLOCATE))
            alive = streams[:]
            while alive and time.monotonic() < start + PRE_AUTH_S + 5:
                byte = bytes([next(first, 0)])
                alive = [one for one in alive if is_open(one, byte)]
                time.sleep(1)
            closed = len(streams) - len(alive)
            with target.client(transport=stun.TCP) as one:
                expect(one.allocate(), 0, "an allocation of another client")
        if alive:
            raise Failed(f"{len(alive)} of {len(streams)} streams are still there")
        return f"{closed} streams, closed within {time.monotonic() - start:.0f} s"
    return run


def is_open(stream, byte):
    stream.setblocking(False)
    try:
        stun.Traffic.sent += 1
        stream.send(byte)
        return stream.recv(2048) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def media_port(target):
    return target.media


def turn_port(target):
    return target.turn


def tls_port(target):
    return target.tls


ATTACKS = [
    Attack("ClientHello race from an unproven address",
           silent_flood(media_port, MEDIA_ADDRESS, client_hello),
           [dropped("unknown_address")], 100),
    Attack("media from a foreign address", silent_flood(media_port, MEDIA_ADDRESS, rtp),
           [dropped("unknown_address")], 100),
    Attack("STUN reflection", reflection, [refused("throttled")]),
    Attack("requests of unproven sources", unproven_flood, [refused("throttled")]),
    Attack("DTLS fragment flood", fragment_flood, [dtls_refused("fragment")], 100),
    Attack("DTLS ClientHello flood", hello_flood, [dtls_refused("throttled")], 100),
    Attack("relay into internal networks", internal_networks, [refused("peer")], 100),
    Attack("relay into internal networks by TCP", internal_connect, [refused("peer")], 10),
    Attack("exhaustion of permissions and channels", exhaustion,
           [refused("capacity"), refused("rate")]),
    Attack("exhaustion of allocations", many_allocations, [refused("quota")], 10),
    Attack("allocations by many credentials of one address", many_credentials, [refused("quota")],
           100),
    Attack("spoofed MESSAGE-INTEGRITY", spoofed_integrity, [refused("credential")], 100),
    Attack("replayed nonce and requests", replays, [refused("nonce")]),
    Attack("data for unknown channels", unknown_channels,
           [refused("unknown_flow"), refused("unknown_channel")], 1000),
    Attack("rubbish", rubbish, [refused("malformed"), refused("unknown_flow")]),
    Attack("slow loris on TCP", slow_loris(turn_port), [ended("unproven")], LORIS_STREAMS),
    # What comes a byte a second is no ClientHello in the end.
    Attack("slow loris on TLS", slow_loris(tls_port), [ended("slow"), ended("tls")],
           LORIS_STREAMS, growth_kib=TLS_GROWTH_MAX_KIB),
]


# -- The run ---------------------------------------------------------------------------------------


def measured_calls(target):
    """The memory that calls take is taken from then on, and it is known what they cost."""
    start, cpu = time.monotonic(), target.cpu_s()
    with target.calls() as warm_up:
        warm_up()
    target.calls_cpu = (target.cpu_s() - cpu) / (time.monotonic() - start)


def figures(target, name, start, cpu, memory):
    took = time.monotonic() - start
    sent, received = stun.Traffic.sent, stun.Traffic.received
    print(f"figures: {name}: {sent} sent in {took:.1f} s, {sent / took:.0f}/s, {received} replies, "
          f"server CPU {target.cpu_s() - cpu:.2f} s (calls alone {target.calls_cpu * took:.2f} s), "
          f"RSS {target.memory_kib() - memory:+} KiB")


def moved_counters(target, one, before):
    """By how much; the workers publish theirs a few times a second."""
    limit = time.monotonic() + PUBLISHED_S
    while True:
        after = target.metrics()
        moved = {name: after.get(name, 0) - before.get(name, 0) for name in one.counters}
        if sum(moved.values()) >= one.least or time.monotonic() > limit:
            return moved
        time.sleep(0.1)


def attack(target, one):
    """A row of the table: what was said, the counter, the memory, what the calls got."""
    before, memory = target.metrics(), target.memory_kib()
    stun.Traffic.sent = stun.Traffic.received = 0
    with target.calls() as calls:
        start, cpu = time.monotonic(), target.cpu_s()
        said = one.run(target)
        figures(target, one.what, start, cpu, memory)
        delivered = calls()
    moved = moved_counters(target, one, before)
    grown = target.memory_kib() - memory
    if sum(moved.values()) < one.least:
        raise Failed(f"{said}; but the counters moved by {moved}")
    if delivered < DELIVERED_LEAST:
        raise Failed(f"{said}; but of the calls' media {delivered * 100:.1f} % came")
    if grown > one.growth_kib:
        raise Failed(f"{said}; but the memory grew by {grown} KiB")
    counter = ", ".join(f"{re.sub('tring_|_total', '', name)} +{by:.0f}"
                        for name, by in moved.items() if by)
    return [said, counter, f"{grown:+} KiB", f"{delivered * 100:.1f} %"]


def table(rows):
    head = ["attack", "", "what came of it", "counter", "memory", "calls"]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in [head, *rows])


def main():
    args = turnserver.command_line(__doc__, "attacks").parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket for each allocation
    target, rows = Target(args), []
    with target.server:
        measured_calls(target)
        for one in (one for one in ATTACKS if args.part in one.what):
            if "DTLS" in one.what and not turnserver.has_dtls(ADDRESS, target.tls):
                print(f"skip {one.what}: the server does not offer that\n  1 skipped")
                continue
            try:
                rows.append([one.what, "ok", *attack(target, one)])
            except (Failed, OSError, subprocess.TimeoutExpired) as why:
                rows.append([one.what, "FAIL", str(why), "", "", ""])
            print(*rows[-1][:3], sep=": ", flush=True)
        failed = sum(row[1] == "FAIL" for row in rows)
        if failed:
            print(target.server.log())
        ended = target.server.close()
    print(table(rows))
    if ended != 0:
        print(f"FAIL the server ended with {ended}")
    print(f"{len(rows) - failed} passed, {failed + (ended != 0)} failed")
    return failed > 0 or ended != 0


if __name__ == "__main__":
    sys.exit(main())
