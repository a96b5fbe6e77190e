"""The servers that are measured: each started anew for a run, on free ports, with its files in a
temporary folder."""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test"))

import child  # noqa: E402
from child import write  # noqa: E402

START_LIMIT_S = 15
STOP_LIMIT_S = 5
JANUS_FOLDERS = ("/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus",
                 "/usr/lib/janus")
JANUS_PARTS = {"echotest", "videocall", "videoroom", "websockets", "http"}

TITLES = {"janus": "janus", "janus-loops": "janus, event_loops", "tring": "tring"}


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def janus_command(folder, ws, http, general=""):
    lib = next(p for p in JANUS_FOLDERS if os.path.isdir(p))

    def others(kind):
        names = sorted(n for n in os.listdir(f"{lib}/{kind}") if n.endswith(".so"))
        return ",".join(n for n in names if n[len("libjanus_"):-len(".so")] not in JANUS_PARTS)

    write(f"{folder}/janus.jcfg", f"""general: {{
  configs_folder = "{folder}"
  plugins_folder = "{lib}/plugins"
  transports_folder = "{lib}/transports"
  events_folder = "{lib}/events"
  loggers_folder = "{lib}/loggers"
  debug_level = 3
  debug_colors = false
  {general}
}}
plugins: {{ disable = "{others('plugins')}" }}
transports: {{ disable = "{others('transports')}" }}
""")
    write(f"{folder}/janus.transport.websockets.jcfg", f"""general: {{
  ws = true
  ws_ip = "127.0.0.1"
  ws_port = {ws}
  wss = false
}}
admin: {{ admin_ws = false }}
""")
    write(f"{folder}/janus.transport.http.jcfg", f"""general: {{
  base_path = "/janus"
  http = true
  ip = "127.0.0.1"
  port = {http}
  https = false
}}
admin: {{ admin_http = false }}
""")
    return ["janus", "-F", folder, "-C", f"{folder}/janus.jcfg"]


def janus_loops_command(folder, ws, http):
    """A fixed number of threads that serve all PeerConnections, instead of one thread for each."""
    return janus_command(folder, ws, http, f"event_loops = {os.cpu_count()}")


def tring_command(build, folder, ws, http):
    write(f"{folder}/tring.yaml", f"""server:
  data_dir: {folder}/data
  log_level: warn
http:
  listen: 127.0.0.1
  port: {http}
  ws_port: {ws}
admin:
  port: 0
media:
  port: {free_port(socket.SOCK_DGRAM)}
recording:
  calls: false
""")
    return [os.path.join(build, "src", "server", "tring"), "--config", f"{folder}/tring.yaml"]


def command(server, build, folder, ws, http):
    if server == "tring":
        return tring_command(build, folder, ws, http)
    return {"janus": janus_command, "janus-loops": janus_loops_command}[server](folder, ws, http)


def wait_for_port(process, port, log):
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.05)
    with open(log, encoding="utf-8", errors="replace") as f:
        sys.exit(f"bench: {process.args[0]} did not start:\n{f.read()[-2000:]}")


def end(process):
    child.end(process, STOP_LIMIT_S)


@contextlib.contextmanager
def running(server, build, transport="ws", settings=()):
    """Gives the process id and the URL of its Janus API. settings: TRING_* of its environment."""
    with tempfile.TemporaryDirectory(prefix="tring-bench-", ignore_cleanup_errors=True) as folder:
        ws, http, log = free_port(), free_port(), f"{folder}/log"
        with open(log, "wb") as out:
            process = subprocess.Popen(command(server, build, folder, ws, http), stdout=out,
                                       stderr=out, stdin=subprocess.DEVNULL, cwd=folder,
                                       env=child.environment(settings))
        try:
            wait_for_port(process, ws, log)
            urls = {"ws": f"ws://127.0.0.1:{ws}/", "http": f"http://127.0.0.1:{http}/janus"}
            yield process.pid, urls[transport]
        finally:
            end(process)
