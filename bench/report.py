"""Figures of the runs, and what is written of them: a page with tables, and a chart."""
import contextlib
import os
import platform
import statistics
import subprocess

from loads import BARS, PROFILES
from servers import TITLES

COLOURS = {"janus": "#b0b7bd", "janus-loops": "#7d8790", "tring": "#1f6f8b"}


def figures(runs):
    """Medians of the runs of one server under one load."""
    def median(get):
        values = [get(r) for r in runs]
        return statistics.median(values) if values and all(v is not None for v in values) else None

    def setup(r, until):
        times = r["setup_ms"][f"request_to_first_{until}"]
        return times["p50"] if times else None

    return {
        "cpu": median(lambda r: r["server"]["cpu_us_per_packet"]),
        "user": median(lambda r: r["server"]["user_share"] * r["server"]["cpu_us_per_packet"]),
        "cpu_all": [r["server"]["cpu_us_per_packet"] for r in runs],
        "cores": median(lambda r: r["server"]["cores"]),
        "packets": median(lambda r: r["media"]["packets_per_s_received"]),
        "delivered": min(r["delivered_share"] for r in runs),
        "p50": median(lambda r: r["delay_us"] and r["delay_us"]["p50"]),
        "p99": median(lambda r: r["delay_us"] and r["delay_us"]["p99"]),
        "setup": median(lambda r: setup(r, "media")),
        "keyframe": median(lambda r: setup(r, "keyframe")),
        "kib": median(lambda r: r["server"]["kib_per_client"]),
        "own": max(r["own_cores"] for r in runs),
        "others": max(r["other_cores"] for r in runs),
        "failed": sum(r["failed"] for r in runs),
        "clients": runs[-1]["clients"],
    }


def machine():
    cpu = "unknown CPU"
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as f:
        models = (line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
        cpu = next(models, cpu)
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}"


def janus_version():
    said = subprocess.run(["janus", "--help"], capture_output=True, text=True, check=False).stdout
    first = said.split("\n")[0]
    return first[first.find("(") + 1:first.rfind(")")] or "of an unknown version"


def number(value, form, unit=""):
    return "-" if value is None else format(value, form) + unit


def times_less(base, value):
    return base / value if base and value else None


# -- Tables ----------------------------------------------------------------------------------------


def markdown(head, rows):
    """The first two columns are words, the others numbers."""
    rule = ["---", "---"] + ["--:"] * (len(head) - 2)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *rows])


def row(load, server, f, base):
    ratio = times_less(base["cpu"], f["cpu"]) if base and server != "janus" else None
    failed = f" ({f['failed']} clients failed)" if f["failed"] else ""
    return [
        load["title"], TITLES[server] + failed, number(f["cpu"], ".2f", " us"),
        number(f["user"], ".2f", " us"), number(ratio, ".1f", "x"), number(f["cores"], ".2f"),
        number(f["packets"], ".0f"), number(f["delivered"] * 100, ".2f", " %"),
        number(f["p50"], ".0f", " us"), number(f["p99"], ".0f", " us"),
        number(f["setup"], ".0f", " ms"), number(f["keyframe"], ".0f", " ms"),
        number(f["kib"], ".0f", " KiB"), number(f["own"], ".2f"),
    ]


def table(loads, results):
    head = ["load", "server", "CPU a packet", "of it user", "less than janus", "cores", "packets/s",
            "delivered", "delay p50", "delay p99", "set-up p50", "to key frame", "memory a client",
            "load's cores"]
    return markdown(head, [row(load, server, results[(name, server)], results.get((name, "janus")))
                           for name, load in loads.items() for server in load["servers"]
                           if (name, server) in results])


def verdict(bar, ratio):
    if ratio >= bar["aim"]:
        return "aim reached"
    return "reached" if ratio >= bar["least"] else "**missed**"


def bar_row(bar, results):
    """None when the loads of this bar were not run."""
    def ratio_to(load, server):
        tring, rival = results.get((bar["load"], "tring")), results.get((load, server))
        return times_less(rival[bar["figure"]], tring[bar["figure"]]) if tring and rival else None

    if bar["own"]:
        ratio, tuned = ratio_to(bar["own"], "tring"), None
    else:
        ratio, tuned = ratio_to(bar["load"], "janus"), ratio_to(bar["load"], "janus-loops")
    if ratio is None:
        return None
    return [bar["what"], verdict(bar, ratio), f"{bar['least']}x", f"{bar['aim']}x",
            number(ratio, ".2f", "x"), number(tuned, ".2f", "x")]


def bars_table(results):
    """Each bar, and how far Tring is from it; empty when no load of theirs was run."""
    rows = [r for r in (bar_row(bar, results) for bar in BARS) if r]
    head = ["how many times less than janus", "", "at least", "aim", "measured",
            "than janus with event_loops"]
    return markdown(head, rows) if rows else ""


# -- The chart and the page ------------------------------------------------------------------------

LEFT, WIDTH, BAR, STEP, GAP, TOP = 320, 420, 15, 20, 10, 50


def text(x, y, what, more=""):
    return f'<text x="{x:.1f}" y="{y}" fill="#111111"{more}>{what}</text>'


def chart(title, loads, results, titles=TITLES, colours=COLOURS):
    """Bars of CPU time a packet."""
    most = max((f["cpu"] or 0 for f in results.values()), default=0) or 1
    out, y = [], TOP
    for name, load in loads.items():
        for server in load["servers"]:
            if (name, server) not in results:
                continue
            value = results[(name, server)]["cpu"] or 0
            long = value / most * WIDTH
            out.append(text(LEFT - 8, y + 12, f"{load['title']}, {titles[server]}",
                            ' text-anchor="end"'))
            out.append(f'<rect x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR}" '
                       f'fill="{colours[server]}"/>')
            out.append(text(LEFT + long + 6, y + 12, f"{value:.2f} us"))
            y += STEP
        y += GAP
    title = f"{title}: CPU time of the server a packet"
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {y}" '
            'font-family="sans-serif" font-size="12" role="img">', f"<title>{title}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            text(10, 26, title, ' font-size="15"')]
    return "\n".join(head + out + ["</svg>", ""])


BUSY_CORES = 0.2
BUSY = "**Other programs took up to {:.1f} cores of the machine meanwhile: measure again.**"

HOW = """\
- Machine: {machine}. Load and server share it, over its own addresses.
- Peer: Debian's janus {version} with only the plugins and the transports that the load needs,
  otherwise as it comes: the bars are against that. *event_loops* is the same with
  `event_loops = {cores}`: a thread a core for all PeerConnections, instead of a thread for each. Of
  the settings that it has, this one spares it most. No server records.
- CPU a packet: user and system time of the whole server process within the measured time, by the
  media packets that came out of it in that time. On loopback that includes what the kernel does to
  hand a packet to the receiver's socket.
- Receivers are sockets of their own without UDP_GRO, as browsers are: what a server gives the
  kernel as one message is cut into packets within that server's time. (With `tring-load --gro` it
  never would be; no figure here uses that.)
- Delay: from the making of a packet to its arrival, both in the load generator. Set-up: from a
  client's request to its first packet of media, which flows already; *to key frame*: to the first
  packet that a decoder can begin with. Memory: growth of the resident set after the publishers were
  there, by subscribers.
- SRTP is {profile} unless a load says otherwise; the load generator chooses, for all servers
  alike. *load's cores*: what the load generator itself took, at most.
- Runs of {seconds:g} s, the servers in turn, {rounds} round(s); of several, the first is dropped
  and the others give medians.
"""


def page(name, suite, loads, results, args):
    how = HOW.format(machine=machine(), version=janus_version(), cores=os.cpu_count(),
                     profile=PROFILES["gcm128"], seconds=args.seconds, rounds=args.rounds)
    all_rounds = "; ".join(f"{load} {server} " + ", ".join(f"{v:.2f}" for v in f["cpu_all"])
                           for (load, server), f in results.items())
    others = max((f["others"] for f in results.values()), default=0)
    parts = [f"# {suite['title']}", BUSY.format(others) if others > BUSY_CORES else "",
             f"![CPU time a packet]({name}.svg)", suite["what"], bars_table(results),
             table(loads, results), how.rstrip(), f"CPU a packet in us, by round: {all_rounds}.",
             f"Made by `bench/run {name} --seconds {args.seconds:g} --rounds {args.rounds}`."]
    return "\n\n".join(p for p in parts if p) + "\n"
