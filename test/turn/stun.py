"""STUN messages by hand, and a TURN client that can also misbehave. (RFC 8489, 8656; long-term
credentials with MD5 and SHA-1, as browsers have them.)"""
import contextlib
import hashlib
import hmac
import ipaddress
import os
import socket
import struct
import time
import zlib

class Traffic:
    """Messages that went to servers and came back, of all clients here."""
    sent = received = 0


MAGIC = 0x2112A442
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
BINDING, ALLOCATE, REFRESH, SEND, DATA = 0x001, 0x003, 0x004, 0x006, 0x007
CREATE_PERMISSION, CHANNEL_BIND, CONNECT = 0x008, 0x009, 0x00A

USERNAME, INTEGRITY, ERROR_CODE, CHANNEL_NUMBER = 0x0006, 0x0008, 0x0009, 0x000C
LIFETIME, PEER, DATA_VALUE, REALM, NONCE = 0x000D, 0x0012, 0x0013, 0x0014, 0x0015
RELAYED, FAMILY, TRANSPORT, FINGERPRINT = 0x0016, 0x0017, 0x0019, 0x8028
MORE_FAMILY = 0x8000
UDP, TCP = 17, 6
WAIT_S = 1.0


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(method, attributes=b"", kind=REQUEST, tid=None, key=None, fingerprint=False):
    """key: MESSAGE-INTEGRITY is put behind the attributes."""
    tid = tid or os.urandom(12)

    def head(more):
        return struct.pack("!HHI", method | kind, len(attributes) + more, MAGIC) + tid
    if key:
        mac = hmac.new(key, head(24) + attributes, hashlib.sha1).digest()
        attributes += attribute(INTEGRITY, mac)
    if fingerprint:
        crc = zlib.crc32(head(8) + attributes) ^ 0x5354554E
        attributes += attribute(FINGERPRINT, struct.pack("!I", crc))
    return head(0) + attributes


def xor_address(address, port, tid):
    """As XOR-PEER-ADDRESS. An IPv6 text stays one, also when it holds an IPv4 address."""
    ip = ipaddress.ip_address(address).packed
    mask = struct.pack("!I", MAGIC) + tid
    return (struct.pack("!BBH", 0, 1 if len(ip) == 4 else 2, port ^ (MAGIC >> 16))
            + bytes(a ^ b for a, b in zip(ip, mask)))


class Answer:
    def __init__(self, data):
        self.data = data
        kind, length, _ = struct.unpack("!HHI", data[:8])
        self.kind = kind & 0x110
        self.method = kind & ~0x110
        self.tid = data[8:20]
        self.attributes = {}  # the first of each kind
        self.all = {}
        at = 20
        while at + 4 <= min(20 + length, len(data)):
            number, n = struct.unpack("!HH", data[at:at + 4])
            value = data[at + 4:at + 4 + n]
            self.attributes.setdefault(number, value)
            self.all.setdefault(number, []).append(value)
            at += 4 + n + (-n % 4)

    @property
    def error(self):
        """0: a success."""
        value = self.attributes.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0


def udp_socket(server, source=None):
    """Of the family and on the address of the server, loopback, unless there is a source."""
    v6 = ":" in server[0]
    made = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((source or server[0], 0))
    made.connect(server)
    return made


class Client:
    """One allocation. transport: TCP: the stream to the server is one, and the relay can be."""

    def __init__(self, server, user, password, realm, transport=UDP, source=None):
        self.server = server
        self.user, self.password, self.realm = user, password, realm
        self.nonce = None
        self.allocated = False
        self.transport = transport
        if transport == UDP:
            self.socket = udp_socket(server, source)
        else:
            self.socket = socket.create_connection(server, WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        with contextlib.suppress(OSError):
            if self.allocated:
                self.refresh(0)
        self.socket.close()

    @property
    def key(self):
        text = f"{self.user}:{self.realm}:{self.password}".encode()
        return hashlib.md5(text).digest()

    def signed(self, method, attributes=b"", tid=None):
        login = (attribute(USERNAME, self.user.encode()) + attribute(REALM, self.realm.encode())
                 + attribute(NONCE, self.nonce or b"none"))
        return message(method, attributes + login, tid=tid, key=self.key)

    def receive(self, wait=WAIT_S):
        """A message; None: silence, or the end of the stream."""
        self.socket.settimeout(wait)
        try:
            if self.transport == UDP:
                data = self.socket.recv(2048)
            else:
                head = self.exactly(20)
                data = head + self.exactly(struct.unpack("!H", head[2:4])[0])
            Traffic.received += 1
            return Answer(data)
        except (TimeoutError, ConnectionError, struct.error):
            return None

    def say(self, data):
        Traffic.sent += 1
        self.socket.send(data)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def exchange(self, data, wait=WAIT_S):
        """The answer to this very message."""
        limit = time.monotonic() + wait
        self.say(data)
        while time.monotonic() < limit:
            answer = self.receive(max(0.01, limit - time.monotonic()))
            if answer and answer.tid == data[8:20]:
                return answer
        return None

    def ask(self, method, attributes=b"", tid=None):
        """With the credential; takes a fresh nonce when told to. None: no answer."""
        answer = None
        for _ in range(2):
            answer = self.exchange(self.signed(method, attributes, tid))
            if not answer or answer.error not in (401, 438) or NONCE not in answer.attributes:
                break
            if self.nonce == answer.attributes[NONCE]:
                break
            self.nonce = answer.attributes[NONCE]
            tid = None
        return answer

    def learn_nonce(self):
        answer = self.exchange(message(ALLOCATE, attribute(TRANSPORT, bytes([UDP, 0, 0, 0]))))
        self.nonce = answer and answer.attributes.get(NONCE)
        return self.nonce

    def allocate(self, transport=UDP, v6=False, both=False):
        self.learn_nonce()
        wish = attribute(TRANSPORT, bytes([transport, 0, 0, 0]))
        if v6:
            wish += attribute(FAMILY, bytes([2, 0, 0, 0]))
        if both:
            wish += attribute(MORE_FAMILY, bytes([2, 0, 0, 0]))
        answer = self.ask(ALLOCATE, wish)
        self.allocated = answer is not None and answer.error == 0
        return answer

    def refresh(self, seconds=600, family=None):
        more = attribute(FAMILY, bytes([family, 0, 0, 0])) if family else b""
        return self.ask(REFRESH, attribute(LIFETIME, struct.pack("!I", seconds)) + more)

    def about(self, method, peer, port, more=b""):
        """A request about a peer, whose address goes by the transaction id."""
        tid = os.urandom(12)
        return self.ask(method, more + attribute(PEER, xor_address(peer, port, tid)), tid)

    def permit(self, peer):
        return self.about(CREATE_PERMISSION, peer, 0)

    def bind(self, channel, peer, port):
        return self.about(CHANNEL_BIND, peer, port,
                          attribute(CHANNEL_NUMBER, struct.pack("!HH", channel, 0)))

    def connect(self, peer, port):
        return self.about(CONNECT, peer, port)

    def send(self, peer, port, data):
        tid = os.urandom(12)
        self.say(message(SEND, attribute(PEER, xor_address(peer, port, tid))
                         + attribute(DATA_VALUE, data), kind=INDICATION, tid=tid))

    def send_channel(self, channel, data):
        self.say(struct.pack("!HH", channel, len(data)) + data + bytes(-len(data) % 4))
