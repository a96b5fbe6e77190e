"""The TURN server to be tested, as a child process with its files in a temporary folder: Tring, or
Debian's coturn, by which the tests themselves are proved."""
import argparse
import base64
import contextlib
import hashlib
import hmac
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test"))

from child import end, environment, write  # noqa: E402

USER, PASSWORD = "proof", "of-the-relay"
SECRET = "a shared secret of the test"
REALM = "tring.test"
START_LIMIT_S = 15


class Failed(Exception):
    """Something is not as it has to be; the text says what."""


def make_certificate(folder, addresses):
    """Issued by an authority of this test, ca.pem, which Chromium is told to trust; coturn's tools
    do not look."""
    def openssl(subject, name, *more):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={subject}", "-keyout", f"{folder}/{name[0]}", "-out",
                        f"{folder}/{name[1]}", *more], check=True, capture_output=True)

    names = ",".join(f"IP:{a}" for a in addresses)
    openssl("authority of the proof", ("ca.key", "ca.pem"), "-addext",
            "keyUsage=critical,keyCertSign")
    openssl("proof", ("key.pem", "cert.pem"), "-addext", f"subjectAltName={names}", "-addext",
            "basicConstraints=CA:FALSE", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key")


def short_lived(name):
    """(user name, password) of somebody's own, that a holder of the secret hands out: bounds are
    for each of them."""
    user = f"{int(time.time()) + 3600}:{name}"
    key = hmac.new(SECRET.encode(), user.encode(), hashlib.sha1).digest()
    return user, base64.b64encode(key).decode()


def command_line(doc, names=""):
    """The parser of a test's. names: of which things a part of a name chooses some."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    if names:
        parser.add_argument("part", nargs="?", default="", help=f"of the names of the {names}")
    parser.add_argument("--build", type=os.path.abspath,
                        default=os.path.join(ROOT, "build", "release"))
    return parser


def expect(answer, code, what="the answer"):
    """An answer with this code; 0: a success."""
    wanted = code or "success"
    if answer is None:
        raise Failed(f"{what}: none where {wanted} was expected")
    if answer.error != code:
        raise Failed(f"{what}: {answer.error or 'success'} where {wanted} was expected")
    return answer


class Server:
    """command: gets the folder and gives the command line. ready: what its log says when it is.
    prefix: goes before the command, to run it in a namespace."""

    def __init__(self, command, ready, addresses, prefix=()):
        self.folder = tempfile.mkdtemp(prefix="tring-turn-")
        make_certificate(self.folder, addresses)
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen([*prefix, *command(self.folder)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                                            env=environment())
        self.wait(ready)

    @property
    def pid(self):
        return self.process.pid

    def log(self, last=8000):
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as f:
            return f.read()[-last:]

    def wait(self, ready):
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and self.process.poll() is None:
            if ready in self.log(1 << 20):
                return
            time.sleep(0.05)
        text = self.log()
        self.close()
        raise Failed(f"{self.process.args} did not start:\n{text}")

    def close(self):
        """Gives the exit code; the folder is gone then."""
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def free_ports(count):
    """Free for UDP and TCP, with the port above (RFC 5780) free too, and below those that the
    kernel hands out."""
    found = []
    while len(found) < count:
        port = random.randrange(10000, 19996, 4)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for each in (port, port + 1):
                    stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", each))
            if port not in found:
                found.append(port)
    return found


def coturn(addresses, port=3478, tls_port=5349, relay_ports=(20000, 32767), more=(), **where):
    """Without its bounds, and with loopback peers, which it forbids as Tring does."""
    def command(folder):
        each = [f for a in addresses for f in ("--listening-ip", a, "--relay-ip", a)]
        return ["turnserver", "-n", "--no-cli", "--log-file", "stdout", "--simple-log",
                "--realm", REALM, "--lt-cred-mech", "--user", f"{USER}:{PASSWORD}",
                "--pidfile", f"{folder}/pid", "--userdb", f"{folder}/db",
                "--listening-port", str(port), "--tls-listening-port", str(tls_port),
                "--cert", f"{folder}/cert.pem", "--pkey", f"{folder}/key.pem",
                "--min-port", str(relay_ports[0]), "--max-port", str(relay_ports[1]),
                "--allow-loopback-peers", "--mobility", *each, *more]
    return Server(command, "Total General servers", addresses, **where)


OPEN = """  allocations_per_credential: 0
  allocations_per_address: 0
  allocation_bps: 0
  allocation_pps: 0
  unproven_per_second: 0
"""


def knows(build, key):
    """Whether this Tring has such a key in its configuration."""
    program = os.path.join(build, "src", "server", "tring")
    printed = subprocess.run([program, "--print-config"], capture_output=True, text=True,
                             check=True, env=environment()).stdout
    return f"  {key}:" in printed


def tring(build, addresses, port=3478, tls_port=5349, relay_ports=(20000, 32767), http=0, ws=0,
          media=None, bind="", workers=0, gso=True, bounds=False, inside=True, other=False,
          https=0, alone=False, **where):
    """As coturn above. bounds: those that it comes with. inside: peers may be loopback addresses.
    other: NAT discovery (RFC 5780) by the port above. alone: `tring turn`."""
    def each(values):
        return '["' + '", "'.join(values) + '"]' if values else "[]"

    def command(folder):
        write(f"{folder}/tring.yaml", f"""server:
  data_dir: {folder}/data
http:
  port: {http}
  ws_port: {ws}
  tls_port: {https}
  tls_ws_port: 0
  tls_cert: {folder}/cert.pem
  tls_key: {folder}/key.pem
admin:
  port: 0
media:
  port: {media or free_ports(1)[0]}
  bind: {each([bind] if bind else [])}
  workers: {workers}
  gso: {str(gso).lower()}
recording:
  calls: false
turn:
  bind: {each(addresses)}
  port: {port}
  tls_port: {tls_port}
  tls_cert: {folder}/cert.pem
  tls_key: {folder}/key.pem
  realm: {REALM}
  users: {each([f"{USER}:{PASSWORD}"])}
  secrets: {each([SECRET])}
  peers: public
  allow_peers: {each(["127.0.0.0/8", *addresses] if inside else [])}
  min_port: {relay_ports[0]}
  max_port: {relay_ports[1]}
{f"  other_port: {port + 1}" if other and knows(build, "other_port") else ""}
{"" if bounds else OPEN}""")
        program = os.path.join(build, "src", "server", "tring")
        return [program, *(["turn"] if alone else []), "--config", f"{folder}/tring.yaml"]
    return Server(command, "is ready", addresses, **where)


def start(kind, build, addresses, **how):
    if kind == "coturn":
        return coturn(addresses, **how)
    return tring(build, addresses, other=True, **how)


def has_dtls(address, port):
    """Whether anybody listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((address, port))
        s.settimeout(0.3)
        s.send(b"?")
        try:
            s.recv(1)
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            pass
        return True
