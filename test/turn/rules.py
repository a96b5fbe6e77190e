#!/usr/bin/env python3
"""Goal: the relay answers as its RFCs say, on the wire: what it grants works, and each thing that
it must refuse gets its own code.
Method: a client of our own does one thing right or wrong against `tring turn` on loopback, for each
rule below.

    test/turn/rules.py [PART OF A NAME]
"""
import contextlib
import hashlib
import hmac
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True

import turnserver  # noqa: E402
import stun  # noqa: E402
from stun import attribute  # noqa: E402
from turnserver import Failed, PASSWORD, REALM, USER, expect  # noqa: E402

V4, V6 = "127.0.0.1", "::1"
OTHER_V4 = "127.0.0.2"
PORTS = (20000, 32767)
EVEN_PORT, RESERVATION_TOKEN, DONT_FRAGMENT, ICMP = 0x0018, 0x0022, 0x001A, 0x8004
MOBILITY_TICKET, UNKNOWN_ATTRIBUTES = 0x8030, 0x000A
USERHASH, INTEGRITY_SHA256, ALGORITHM, ALGORITHMS = 0x001E, 0x001C, 0x001D, 0x8002
CHANGE_REQUEST, PADDING, RESPONSE_ORIGIN, OTHER_ADDRESS = 0x0003, 0x0026, 0x802B, 0x802C
OURS = struct.pack("!HHHH", 2, 0, 1, 0)  # PASSWORD-ALGORITHMS: SHA-256, then MD5
PORT_UNREACHABLE = (3, 3)
CHANNEL = 0x4000


class Relay:
    def __init__(self, build):
        self.port, self.tls = turnserver.free_ports(2)
        self.server = turnserver.tring(build, [V4, V6, OTHER_V4], self.port, self.tls, PORTS,
                                       other=True, alone=True)

    def client(self, user=(USER, PASSWORD), transport=stun.UDP, kind=stun.Client):
        return kind((V4, self.port), *user, REALM, transport)

    @contextlib.contextmanager
    def allocated(self, **how):
        with self.client(**how) as client:
            answer = client.allocate()
            expect(answer, 0)
            client.relayed = address_of(answer, stun.RELAYED)
            yield client


def same(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: {found} where {wanted} was expected")


def address_of(answer, kind, number=0):
    """(text, port) of the attribute that is the number-th of its kind."""
    value = answer.all[kind][number]
    mask = struct.pack("!I", stun.MAGIC) + answer.tid
    ip = bytes(a ^ b for a, b in zip(value[4:], mask))
    family = socket.AF_INET if value[1] == 1 else socket.AF_INET6
    return socket.inet_ntop(family, ip), struct.unpack("!H", value[2:4])[0] ^ (stun.MAGIC >> 16)


def plain_address(answer, kind):
    value = answer.attributes[kind]
    return socket.inet_ntoa(value[4:]), struct.unpack("!H", value[2:4])[0]


def transport(number=stun.UDP):
    return attribute(stun.TRANSPORT, bytes([number, 0, 0, 0]))


def family(number, kind=stun.FAMILY):
    return attribute(kind, bytes([number, 0, 0, 0]))


def request(relay, attributes, code):
    """An Allocate request with these attributes gets this code."""
    with relay.client() as client:
        client.learn_nonce()
        answer = client.ask(stun.ALLOCATE, attributes)
        client.allocated = answer is not None and answer.error == 0
        return expect(answer, code)


@contextlib.contextmanager
def peer(address=V4):
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as made:
        made.bind((address, 0))
        made.settimeout(stun.WAIT_S)
        yield made


def data_from(client):
    """What the client gets next: (peer's port, data), or (channel, data)."""
    client.socket.settimeout(stun.WAIT_S)
    message = client.socket.recv(2048)
    if message[0] >= 0x40:
        channel, n = struct.unpack("!HH", message[:4])
        return channel, message[4:4 + n]
    answer = stun.Answer(message)
    same("method", (answer.method, answer.kind), (stun.DATA, stun.INDICATION))
    return address_of(answer, stun.PEER)[1], answer.attributes.get(stun.DATA_VALUE)


# -- Allocate (RFC 8656 7) -------------------------------------------------------------------------


def what_an_allocation_is_told(relay):
    with relay.allocated() as client:
        same("relayed to", client.relayed[0], V4)
        if not PORTS[0] <= client.relayed[1] <= PORTS[1]:
            raise Failed(f"relayed from port {client.relayed[1]}")
        tid = os.urandom(12)
        expect(client.ask(stun.ALLOCATE, transport(), tid), 437)


def an_answer_that_was_lost(relay):
    with relay.client() as client:
        client.learn_nonce()
        tid = os.urandom(12)
        first = expect(client.ask(stun.ALLOCATE, transport(), tid), 0)
        client.allocated = True
        second = expect(client.ask(stun.ALLOCATE, transport(), tid), 0)
        same("relayed", address_of(second, stun.RELAYED), address_of(first, stun.RELAYED))


def transports(relay):
    request(relay, b"", 400)
    request(relay, transport(1), 442)
    request(relay, transport(stun.TCP), 400)  # RFC 6062: over UDP there are no TCP allocations


def address_families(relay):
    request(relay, transport() + family(3), 440)
    request(relay, transport() + family(1) + family(2, stun.MORE_FAMILY), 400)
    request(relay, transport() + family(1, stun.MORE_FAMILY), 400)
    answer = request(relay, transport() + family(2), 0)
    same("relayed to", address_of(answer, stun.RELAYED)[0], V6)


def unknown_attributes(relay):
    answer = request(relay, transport() + attribute(0x7F01, b"?"), 420)
    same("named", answer.attributes.get(UNKNOWN_ATTRIBUTES), b"\x7f\x01")
    request(relay, transport() + attribute(0xFF01, b"?"), 0)  # comprehension is optional


def even_port_and_reservation(relay):
    reserve = attribute(EVEN_PORT, b"\x80")
    request(relay, transport() + reserve + family(2, stun.MORE_FAMILY), 400)
    request(relay, transport() + attribute(RESERVATION_TOKEN, bytes(8)), 508)
    request(relay, transport() + reserve + attribute(RESERVATION_TOKEN, bytes(8)), 400)
    with relay.client() as client, relay.client() as second:
        client.learn_nonce()
        answer = expect(client.ask(stun.ALLOCATE, transport() + reserve), 0)
        client.allocated = True
        port = address_of(answer, stun.RELAYED)[1]
        same("port modulo 2", port % 2, 0)
        token = attribute(RESERVATION_TOKEN, answer.attributes[RESERVATION_TOKEN])
        second.learn_nonce()
        answer = expect(second.ask(stun.ALLOCATE, transport() + token), 0)
        second.allocated = True
        same("the reserved port", address_of(answer, stun.RELAYED)[1], port + 1)
        request(relay, transport() + token, 508)


def two_families(relay):
    with relay.client() as client, peer(V6) as sixth, peer(V4) as fourth:
        answer = expect(client.allocate(both=True), 0)
        families = sorted(value[1] for value in answer.all[stun.RELAYED])
        same("families", families, [1, 2])
        for address, far in ((V4, fourth), (V6, sixth)):
            expect(client.permit(address), 0)
            client.send(address, far.getsockname()[1], b"x")
            same("at the peer", far.recv(99), b"x")
        expect(client.refresh(0, family=2), 0)
        expect(client.refresh(600, family=2), 443)
        expect(client.permit(V6), 443)
        expect(client.permit(V4), 0)


# -- Refresh, permissions, channels ----------------------------------------------------------------


def an_allocation_ends(relay):
    with relay.allocated() as client, peer() as far:
        expect(client.permit(V4), 0)
        answer = expect(client.refresh(0), 0)
        client.allocated = False
        same("lifetime", answer.attributes[stun.LIFETIME], bytes(4))
        expect(client.permit(V4), 437)
        expect(client.refresh(600), 437)
        far.connect(client.relayed)
        far.send(b"anybody?")
        with contextlib.suppress(ConnectionRefusedError):
            far.recv(99)
            raise Failed("the relayed port is open still")


def lifetimes(relay):
    with relay.allocated() as client:
        for asked, granted in ((1, 600), (1200, 1200), (99999, 3600)):
            answer = expect(client.refresh(asked), 0)
            same("lifetime", struct.unpack("!I", answer.attributes[stun.LIFETIME])[0], granted)


def permissions(relay):
    with relay.allocated() as client, peer() as far, peer() as other:
        port = far.getsockname()[1]
        expect(client.permit("10.0.0.1"), 403)
        expect(client.permit(V6), 443)
        expect(client.ask(stun.CREATE_PERMISSION), 400)
        client.send(V4, port, b"before")
        expect(client.permit(V4), 0)
        client.send(V4, port, b"after")
        same("at the peer", far.recvfrom(99), (b"after", client.relayed))
        for each in (far, other):  # a permission is for an address, whatever the port
            each.sendto(b"back", client.relayed)
            same("at the client", data_from(client), (each.getsockname()[1], b"back"))


def channels(relay):
    with relay.allocated() as client, peer() as far:
        port = far.getsockname()[1]
        for number in (0x3FFF, 0x8000):
            expect(client.bind(number, V4, port), 400)
        expect(client.bind(CHANNEL, "10.0.0.1", port), 403)
        expect(client.bind(CHANNEL, V4, port), 0)
        expect(client.bind(CHANNEL, V4, port), 0)
        expect(client.bind(CHANNEL, V4, port - 1), 400)
        expect(client.bind(CHANNEL + 1, V4, port), 400)
        client.socket.send(struct.pack("!HH", CHANNEL, 9) + b"too short")
        client.socket.send(struct.pack("!HH", CHANNEL, 99) + b"not so long")
        same("at the peer", far.recv(99), b"too short")
        client.send_channel(CHANNEL, b"")
        same("an empty datagram", far.recv(99), b"")
        far.sendto(b"odd", client.relayed)
        same("at the client", data_from(client), (CHANNEL, b"odd"))


def icmp(relay):
    with relay.allocated() as client:
        with peer() as far:
            port = far.getsockname()[1]
        expect(client.permit(V4), 0)
        client.send(V4, port, b"nobody is there")
        answer = client.receive()
        if not answer or ICMP not in answer.attributes:
            raise Failed("no ICMP attribute")
        same("the peer", address_of(answer, stun.PEER), (V4, port))
        bits = struct.unpack("!H", answer.attributes[ICMP][2:4])[0]
        same("type and code", (bits >> 9, bits & 0x1FF), PORT_UNREACHABLE)


def dont_fragment(relay):
    with relay.allocated() as client, peer() as far:
        expect(client.permit(V4), 0)
        tid = os.urandom(12)
        there = attribute(stun.PEER, stun.xor_address(V4, far.getsockname()[1], tid))
        body = there + attribute(DONT_FRAGMENT, b"") + attribute(stun.DATA_VALUE, b"whole")
        client.socket.send(stun.message(stun.SEND, body, stun.INDICATION, tid))
        same("at the peer", far.recv(99), b"whole")


# -- Who asks (RFC 8489 9.2) -----------------------------------------------------------------------


def another_credential(relay):
    with relay.allocated() as client:
        client.user, client.password = turnserver.short_lived("somebody else")
        expect(client.refresh(600), 441)
        expect(client.permit(V4), 441)
        client.user, client.password = USER, PASSWORD


def what_is_missing(relay):
    with relay.client() as client:
        key = client.key
        answer = client.exchange(stun.message(stun.ALLOCATE, transport()))
        expect(answer, 401)
        cookie = answer.attributes[stun.NONCE]
        same("the cookie", cookie[:9], b"obMatJos2")
        same("the algorithms", answer.attributes[ALGORITHMS], OURS)
        for left_out in (stun.USERNAME, stun.REALM, stun.NONCE):
            login = {stun.USERNAME: USER.encode(), stun.REALM: REALM.encode(), stun.NONCE: cookie}
            del login[left_out]
            body = transport() + b"".join(attribute(*each) for each in login.items())
            expect(client.exchange(stun.message(stun.ALLOCATE, body, key=key)), 400)
        client.nonce = cookie[:-1] + (b"A" if cookie[-1:] != b"A" else b"B")
        stale = client.exchange(client.signed(stun.ALLOCATE, transport()))
        expect(stale, 438)
        client.nonce = cookie
        client.password = "guessed"
        expect(client.exchange(client.signed(stun.ALLOCATE, transport())), 401)


def behind_the_integrity(relay):
    """What stands behind it was not signed: a lifetime of 0 there ends nothing."""
    with relay.allocated() as client:
        whole = bytearray(client.signed(stun.REFRESH))
        whole += attribute(stun.LIFETIME, bytes(4))
        whole[2:4] = struct.pack("!H", len(whole) - 20)
        answer = expect(client.exchange(bytes(whole)), 0)
        same("lifetime", struct.unpack("!I", answer.attributes[stun.LIFETIME])[0], 600)
        expect(client.permit(V4), 0)


class Modern(stun.Client):
    """With SHA-256, and by the hash of its name."""
    algorithms = OURS

    @property
    def key(self):
        return hashlib.sha256(f"{self.user}:{self.realm}:{self.password}".encode()).digest()

    def signed(self, method, attributes=b"", tid=None):
        name = hashlib.sha256(f"{self.user}:{self.realm}".encode()).digest()
        body = (attributes + attribute(USERHASH, name) + attribute(stun.REALM, self.realm.encode())
                + attribute(stun.NONCE, self.nonce) + attribute(ALGORITHMS, self.algorithms)
                + attribute(ALGORITHM, self.algorithms[:4]))
        head = stun.message(method, tid=tid)
        head = head[:2] + struct.pack("!H", len(body) + 36) + head[4:]
        mac = hmac.new(self.key, head + body, hashlib.sha256).digest()
        return head + body + attribute(INTEGRITY_SHA256, mac)


def sha256_and_userhash(relay):
    with relay.client(kind=Modern) as client:
        answer = expect(client.allocate(), 0)
        signed = answer.data[:-36]
        mac = hmac.new(client.key, signed, hashlib.sha256).digest()
        same("the answer's integrity", answer.attributes[INTEGRITY_SHA256], mac)
        expect(client.permit(V4), 0)


def bidding_down(relay):
    """Who was told another list of algorithms than ours has been lied to on the way."""
    with relay.client(kind=Modern) as client:
        client.learn_nonce()
        for told in (OURS[4:], OURS[4:] + OURS[:4], OURS + OURS[:4]):
            client.algorithms = told
            expect(client.exchange(client.signed(stun.ALLOCATE, transport())), 400)


# -- What kind of NAT am I behind? (RFC 5780) ------------------------------------------------------


def discovery(relay):
    """The two addresses are of one family, also where one of another family stands between them."""
    room = attribute(PADDING, bytes(100))  # or the answer would be too long to be true to its cause
    others = ((V4, OTHER_V4), (OTHER_V4, V4))
    for here, there in others:
        for change, source in ((0, (here, 0)), (2, (here, 1)), (4, (there, 0)), (6, (there, 1))):
            with peer(V4) as client:
                wish = attribute(CHANGE_REQUEST, struct.pack("!I", change))
                client.sendto(stun.message(stun.BINDING, wish + room), (here, relay.port))
                data, came_from = client.recvfrom(2048)
                same("answered from", came_from, (source[0], relay.port + source[1]))
                answer = expect(stun.Answer(data), 0)
                same("OTHER-ADDRESS", plain_address(answer, OTHER_ADDRESS), (there, relay.port + 1))
                same("RESPONSE-ORIGIN", plain_address(answer, RESPONSE_ORIGIN), came_from)
    with peer(V6) as client:
        client.sendto(stun.message(stun.BINDING, room), (V6, relay.port))
        answer = expect(stun.Answer(client.recv(2048)), 0)
        same("OTHER-ADDRESS", answer.attributes.get(OTHER_ADDRESS), None)


# -- Clients that move (RFC 8016), TCP peers (RFC 6062) --------------------------------------------


def a_client_moves(relay):
    with relay.client() as client, relay.client() as moved, peer() as far:
        client.learn_nonce()
        client.ask(stun.ALLOCATE, transport() + attribute(MOBILITY_TICKET, b"?"))
        expect(client.ask(stun.ALLOCATE, transport() + attribute(MOBILITY_TICKET, b"?")), 400)
        answer = expect(client.ask(stun.ALLOCATE, transport() + attribute(MOBILITY_TICKET, b"")), 0)
        relayed = address_of(answer, stun.RELAYED)
        ticket = attribute(MOBILITY_TICKET, answer.attributes[MOBILITY_TICKET])
        expect(client.permit(V4), 0)
        expect(client.ask(stun.REFRESH, ticket), 400)  # it has not moved
        moved.learn_nonce()
        wrong = bytearray(ticket)
        wrong[-1] ^= 1
        expect(moved.ask(stun.REFRESH, bytes(wrong)), 400)
        answer = expect(moved.ask(stun.REFRESH, ticket), 0)
        if answer.attributes[MOBILITY_TICKET] == ticket[4:]:
            raise Failed("the ticket is the old one")
        moved.send(V4, far.getsockname()[1], b"from there")
        same("at the peer", far.recvfrom(99), (b"from there", relayed))
        far.sendto(b"to there", relayed)
        same("at the client", data_from(moved), (far.getsockname()[1], b"to there"))
        expect(client.permit(V4), 437)
        expect(moved.refresh(0), 0)


def tcp_peers(relay):
    with relay.client(transport=stun.TCP) as client, socket.create_server((V4, 0)) as far:
        expect(client.allocate(transport=stun.TCP), 0)
        port = far.getsockname()[1]
        expect(client.connect("10.0.0.1", port), 403)
        expect(client.bind(CHANNEL, V4, port), 400)
        with peer() as free:
            expect(client.connect(V4, free.getsockname()[1]), 447)
        expect(client.connect(V4, port), 0)
        expect(client.connect(V4, port), 446)
    with relay.allocated() as client:  # over UDP
        expect(client.connect(V4, 9), 400)


RULES = [
    what_an_allocation_is_told, an_answer_that_was_lost, transports, address_families,
    unknown_attributes, even_port_and_reservation, two_families, an_allocation_ends, lifetimes,
    permissions, channels, icmp, dont_fragment, another_credential, what_is_missing,
    behind_the_integrity, sha256_and_userhash, bidding_down, discovery, a_client_moves,
    tcp_peers
]


def main():
    args = turnserver.command_line(__doc__, "rules").parse_args()
    relay, results = Relay(args.build), []
    with relay.server:
        for rule in (rule for rule in RULES if args.part in rule.__name__):
            name, why = rule.__name__.replace("_", " "), ""
            try:
                rule(relay)
            except (Failed, OSError, KeyError) as error:
                why = f": {error!r}"
            results.append(why)
            print(f"{'FAIL' if why else 'ok  '} {name}{why}", flush=True)
        ended = relay.server.close()
    if ended != 0:
        print(f"FAIL the server ended with {ended}")
    failed = sum(why != "" for why in results)
    print(f"{len(results) - failed} passed, {failed + (ended != 0)} failed")
    return failed > 0 or ended != 0


if __name__ == "__main__":
    sys.exit(main())
