"""The TURN server to be tested, as a child process with its files in a temporary folder: Tring, or
Debian's coturn, by which the tests themselves are proved."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER, PASSWORD = "proof", "of-the-relay"
SECRET = "a shared secret of the test"
REALM = "tring.test"
START_LIMIT_S = 15
STOP_LIMIT_S = 20


class Failed(Exception):
    """Something is not as it has to be; the text says what."""


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def make_certificate(folder, addresses):
    """Self-signed: Chromium is told to take any, coturn's tools do not look."""
    names = ",".join(f"IP:{a}" for a in addresses)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=proof",
                    "-addext", f"subjectAltName={names}", "-keyout", f"{folder}/key.pem",
                    "-out", f"{folder}/cert.pem"], check=True, capture_output=True)


class Server:
    """command: gets the folder and gives the command line. ready: what its log says when it is.
    prefix: goes before the command, to run it in a namespace."""

    def __init__(self, command, ready, addresses, prefix=()):
        self.folder = tempfile.mkdtemp(prefix="tring-turn-")
        make_certificate(self.folder, addresses)
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen([*prefix, *command(self.folder)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
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
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_LIMIT_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def coturn(addresses, port=3478, tls_port=5349, relay_ports=(49152, 65535), more=(), **where):
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


def tring(build, addresses, port=3478, tls_ports=(5349,), relay_ports=(49152, 65535), http=8088,
          ws=0, admin=0, media=10000, listen="127.0.0.1", workers=0, more="", **where):
    def command(folder):
        write(f"{folder}/tring.yaml", f"""server:
  data_dir: {folder}/data
http:
  listen: "{listen}"
  port: {http}
  ws_port: {ws}
admin:
  port: {admin}
media:
  port: {media}
  workers: {workers}
recording:
  calls: false
{more}""")
        return [os.path.join(build, "src", "server", "tring"), "--config", f"{folder}/tring.yaml"]
    return Server(command, "is ready", addresses, **where)
