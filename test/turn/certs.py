#!/usr/bin/env python3
"""Goal: a server whose certificate files are exchanged shows the new one to whoever comes then, by
TLS, DTLS and HTTPS; who is connected already stays so; a pair that does not fit changes nothing.
Method: `tring` and `tring turn` on loopback, openssl s_client as the client, SIGHUP so as not to
wait for the minute.

    test/turn/certs.py [--build DIR]
"""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import turnserver  # noqa: E402
import stun  # noqa: E402
from turnserver import Failed  # noqa: E402

ADDRESS = "127.0.0.1"
LIMIT_S = 10
COMPLAINT = "the new certificate cannot be used"


def shown(port, dtls=False):
    """The certificate that a client gets to see, as PEM."""
    command = ["openssl", "s_client", "-connect", f"{ADDRESS}:{port}"]
    done = subprocess.run([*command, *(["-dtls1_2"] if dtls else [])], input="", text=True,
                          capture_output=True, timeout=LIMIT_S, check=False)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in done.stdout:
        raise Failed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return begin + done.stdout.split(begin)[1].split(end)[0] + end + "\n"


def content(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def expect_shown(ports, cert, what):
    for name, (port, dtls) in ports.items():
        limit = time.monotonic() + LIMIT_S
        while shown(port, dtls) != cert:
            if time.monotonic() > limit:
                raise Failed(f"{name}: {what} is not shown")


def replace(folder, new, names):
    """As tools for certificates do: a new file takes the place of the old one."""
    for name in names:
        shutil.copy(f"{new}/{name}", f"{folder}/{name}.new")
        os.rename(f"{folder}/{name}.new", f"{folder}/{name}")


@contextlib.contextmanager
def client(port):
    """Gives a function that asks over one TLS connection, and fails when that has ended."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((ADDRESS, port), LIMIT_S) as plain, \
            context.wrap_socket(plain) as stream:
        def ask():
            stream.sendall(stun.message(stun.BINDING))
            if stream.recv(2048)[:2] != b"\x01\x01":
                raise Failed("the connection that was up is not answered any more")
        yield ask


def warnings(server):
    return server.log(1 << 20).count(COMPLAINT)


def renew(server, tls, https):
    """What is shown at each step."""
    ports = {"TLS": (tls, False), "DTLS": (tls, True)}
    if https:
        ports["HTTPS"] = (https, False)
    old = content(f"{server.folder}/cert.pem")
    with tempfile.TemporaryDirectory() as new, client(tls) as ask:
        turnserver.make_certificate(new, [ADDRESS])
        ask()
        expect_shown(ports, old, "the first certificate")
        replace(server.folder, new, ["cert.pem"])
        os.kill(server.pid, signal.SIGHUP)
        limit = time.monotonic() + LIMIT_S
        while not warnings(server) and time.monotonic() < limit:
            time.sleep(0.05)
        if warnings(server) != 1:
            raise Failed(f"{warnings(server)} warnings of a key that does not fit")
        expect_shown(ports, old, "the old certificate, while the key is not the new one's,")
        replace(server.folder, new, ["key.pem"])
        os.kill(server.pid, signal.SIGHUP)
        expect_shown(ports, content(f"{new}/cert.pem"), "the new certificate")
        ask()
    return ", ".join(ports)


def run(what, build, alone):
    start, said, ok = time.monotonic(), "", False
    port, tls, http, https = turnserver.free_ports(4)
    with turnserver.tring(build, [ADDRESS], port=port, tls_port=tls, workers=2, alone=alone,
                          http=http, https=https) as server:
        try:
            said, ok = renew(server, tls, 0 if alone else https), True
        except (Failed, OSError, subprocess.TimeoutExpired) as why:
            said = f"{why}\n{server.log()}"
        ended = server.close()
    if ended != 0:
        said, ok = f"{said}; the server ended with {ended}", False
    print(f"{'ok  ' if ok else 'FAIL'} certificates of {what} are renewed "
          f"({time.monotonic() - start:.1f} s): {said}", flush=True)
    return ok


def main():
    build = turnserver.command_line(__doc__).parse_args().build
    done = [run("tring", build, False), run("tring turn", build, True)]
    print(f"{done.count(True)} passed, {done.count(False)} failed")
    return not all(done)


if __name__ == "__main__":
    sys.exit(main())
