#!/usr/bin/env python3
"""Goal: a client that forbids to fragment its data (DONT-FRAGMENT, RFC 8656 11.5) is told by the
ICMP attribute of a link that is too narrow for it, with that link's MTU: also when it is the
relay's own link, which sends no ICMP. Without that wish the data arrives whole.
Method: client - relay - (MTU 1400) - near peer - (MTU 1300) - far peer, in network namespaces.

    test/nat/mtu.py         as root
"""
import argparse
import os
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "test", "turn")]

import networks  # noqa: E402
import stun  # noqa: E402
import turnserver  # noqa: E402
from rules import DONT_FRAGMENT, ICMP, address_of, same  # noqa: E402
from stun import attribute  # noqa: E402
from topology import Lab, NotHere, require, until  # noqa: E402
from turnserver import Failed, expect  # noqa: E402

RELAY_SIDE, NEAR, NEAR_SIDE, FAR = "44.20.0.1", "44.20.0.2", "44.30.0.1", "44.30.0.2"
RELAY_SIDE6, NEAR6, NEAR_SIDE6, FAR6 = ("2a10:45::1", "2a10:45::2", "2a10:46::1", "2a10:46::2")
MTU_NEAR, MTU_FAR = 1400, 1300
PORT = 7000
TRIES = 5  # what a router says is of the datagram before: IPv4 tells who asks again
WAIT_S, LATE_S = 2, 0.05

ECHO = f"""import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", {PORT}))
while True:
    data, came_from = s.recvfrom(65536)
    s.sendto(b"%d" % len(data), came_from)
"""


def join(one, other, addresses, mtu):
    """A cable; addresses: of one and of the other, for each family."""
    one.lab.cable(one, f"to-{other.name}", other, "back")
    for (mine, theirs), length in zip(addresses, (24, 64)):
        one.address(f"to-{other.name}", f"{mine}/{length}")
        other.address("back", f"{theirs}/{length}")
        other.route(mine)
    for host, device in ((one, f"to-{other.name}"), (other, "back")):
        host.ip("link", "set", device, "mtu", str(mtu))


def build(lab):
    """The relay's host and the client's; the peers answer with the length of what they got."""
    switch, relay = networks.internet(lab)
    client = networks.public(lab, switch, 1, "client", "").host
    near, far = lab.host("near"), lab.host("far")
    join(relay, near, ((RELAY_SIDE, NEAR), (RELAY_SIDE6, NEAR6)), MTU_NEAR)
    join(near, far, ((NEAR_SIDE, FAR), (NEAR_SIDE6, FAR6)), MTU_FAR)
    near.set(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    relay.ip("route", "add", "44.30.0.0/24", "via", NEAR)
    relay.ip("-6", "route", "add", "2a10:46::/64", "via", NEAR6)
    for peer in (near, far):
        peer.start(sys.executable, "-c", ECHO)
    return relay, client


# -- In the client's network -----------------------------------------------------------------------


def say(client, peer, size, dont_fragment):
    tid = os.urandom(12)
    wish = attribute(DONT_FRAGMENT, b"") if dont_fragment else b""
    client.say(stun.message(
        stun.SEND, attribute(stun.PEER, stun.xor_address(peer, PORT, tid)) + wish
        + attribute(stun.DATA_VALUE, bytes(size)), stun.INDICATION, tid))


def answer_to(client, peer, size, dont_fragment):
    """The Data indication that comes of it; None: none."""
    while client.receive(LATE_S):
        pass  # of what was said before
    limit = time.monotonic() + WAIT_S
    say(client, peer, size, dont_fragment)
    while time.monotonic() < limit:
        answer = client.receive(limit - time.monotonic())
        if answer and answer.method == stun.DATA and address_of(answer, stun.PEER) == (peer, PORT):
            return answer
    return None


def arrives(client, peer, size, dont_fragment):
    answer = answer_to(client, peer, size, dont_fragment)
    same(f"{size} bytes at {peer}", answer and answer.attributes.get(stun.DATA_VALUE),
         b"%d" % size)


def is_told(client, peer, size, mtu, most):
    """How many datagrams it took."""
    for tried in range(1, most + 1):
        answer = answer_to(client, peer, size, True)
        if not answer:
            continue
        if ICMP not in answer.attributes:
            raise Failed(f"{size} bytes to {peer}: answered by {answer.attributes}")
        bits, data = struct.unpack("!2xHI", answer.attributes[ICMP])
        same("type and code", (bits >> 9, bits & 0x1FF), (2, 0) if ":" in peer else (3, 4))
        same("the MTU", data, mtu)
        return tried
    raise Failed(f"{size} bytes to {peer}: silence, {most} times")


def test(client, peer, mtu, most):
    """most: datagrams that may be lost before the client is told."""
    fits = mtu - (48 if ":" in peer else 28)
    expect(client.permit(peer), 0)
    until("the first answer", lambda: answer_to(client, peer, 1, False))  # neighbours get known
    arrives(client, peer, fits, True)
    tried = is_told(client, peer, fits + 1, mtu, most)
    arrives(client, peer, fits + 1, False)
    arrives(client, peer, fits, True)
    return f"datagram {tried} is told of"


def inside():
    failed = 0
    for peer, mtu, most in ((NEAR, MTU_NEAR, 1), (NEAR6, MTU_NEAR, 1), (FAR, MTU_FAR, TRIES),
                            (FAR6, MTU_FAR, TRIES)):
        what = f"DONT-FRAGMENT to {peer}, MTU {mtu}"
        with stun.Client((networks.SERVER_TURN, 3478), turnserver.USER, turnserver.PASSWORD,
                         turnserver.REALM, source="0.0.0.0") as client:
            try:
                expect(client.allocate(v6=":" in peer), 0)
                print(f"ok   {what}: {test(client, peer, mtu, most)}", flush=True)
            except (Failed, OSError) as why:
                print(f"FAIL {what}: {why}", flush=True)
                failed += 1
    return failed


# -- The run ---------------------------------------------------------------------------------------


def run(args):
    with Lab() as lab:
        relay, client = build(lab)
        with turnserver.tring(args.build, [networks.SERVER_TURN, networks.SERVER6_TURN],
                              alone=True, inside=False, prefix=relay.command()):
            text = client.run(sys.executable, os.path.abspath(__file__), "--inside")
    print(text, end="")
    failed = text.count("FAIL ") + ("ok " not in text)
    print(f"{text.count('ok  ')} passed, {failed} failed")
    return failed > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--inside", action="store_true", help="be the client, in its namespace")
    args = parser.parse_args()
    if args.inside:
        return inside() > 0
    args.build = os.path.abspath(args.build)
    try:
        require()
        return run(args)
    except NotHere as why:
        print(f"skip DONT-FRAGMENT: {why}\n  1 skipped\n0 passed, 0 failed")
    except Failed as why:
        print(f"FAIL the run: {why}\n0 passed, 1 failed")
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
