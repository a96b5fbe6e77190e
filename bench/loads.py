"""What is measured: loads as command lines of tring-load, and the bars that Tring has set itself.

A load is a dict: title (of its rows), args, profile (SRTP, the same for all servers), servers (who
runs it).
"""

BURST_10 = ["--video", "300:1100:10", "--audio-bytes", "0"]
BURST_2 = ["--video", "300:1100:2", "--audio-bytes", "0"]
AUDIO = ["--video-kbps", "0", "--audio", "50:80"]
PEERS = ["janus", "tring"]
ALL = ["janus", "janus-loops", "tring"]

PROFILES = {"gcm128": "AEAD_AES_128_GCM", "sha1": "AES_CM_128_HMAC_SHA1_80"}


def room(subscribers, media, ramp=40):
    return ["--room", f"1:{subscribers}", *media, "--ramp", str(ramp)]


def load(title, args, servers=None, profile="gcm128"):
    return {"title": title, "args": args, "servers": servers or PEERS, "profile": profile}


ROOMS = {
    "20": load("1:20, bursts of 10", room(20, BURST_10)),
    "40": load("1:40, bursts of 10", room(40, BURST_10), ALL),
    "80": load("1:80, bursts of 10", room(80, BURST_10)),
    "160": load("1:160, bursts of 10", room(160, BURST_10), ALL),
    "20-burst2": load("1:20, bursts of 2", room(20, BURST_2)),
    "40-burst2": load("1:40, bursts of 2", room(40, BURST_2), ALL),
    "80-burst2": load("1:80, bursts of 2", room(80, BURST_2)),
    "160-burst2": load("1:160, bursts of 2", room(160, BURST_2)),
    "sha1": load("1:40, bursts of 10, SHA1", room(40, BURST_10), ALL, "sha1"),
    "audio": load("1:40, audio only", room(40, AUDIO), ALL),
    "meeting": load("10 by 10 meeting, simulcast",
                    ["--meeting", "10", "--simulcast", "--video-kbps", "1500",
                     "--frame-spread", "30", "--ramp", "20"], ALL),
    "calls": load("100 two-party calls",
                  ["--calls", "100", "--video", "30:1000:2", "--audio", "50:80", "--ramp", "50"],
                  ALL),
    # As many subscribers as take janus half a core; how many these are shows in this very run.
    "half": load("delay at half a core of janus", None),
}

ECHO = {
    "echo": load("20 clients", ["--echo", "20"]),
    "echo-sha1": load("20 clients, SHA1", ["--echo", "20"], profile="sha1"),
}

ROOMS_WHAT = """\
One publisher and many subscribers of janus.plugin.videoroom, each with one PeerConnection: 300
packets a second of 1100 bytes, in frames of 10 packets or of 2; or 50 audio packets of 80 bytes. In
the meeting each of ten publishes three simulcast layers (150, 500 and 1500 kbit/s at 30 frames a
second, of sizes that vary by 30 %, key frames of four times the size) and audio, and takes all of
the nine others. A call is two clients of janus.plugin.videocall, each of which sends 30 video
packets of 1000 bytes (15 frames) and 50 audio packets of 80 bytes a second."""

ECHO_WHAT = """\
20 clients of janus.plugin.echotest; each sends video at 30 frames a second, 10 packets of about
1080 bytes a frame, and 50 audio packets of about 100 bytes a second."""

SUITES = {
    "rooms": {"title": "Rooms", "loads": ROOMS, "what": ROOMS_WHAT},
    "echo": {"title": "Echo test: each client gets its own audio and video back", "loads": ECHO,
             "what": ECHO_WHAT},
}


def bar(what, load_name, figure, least, aim, own=None):
    """How many times less than janus (own: than Tring itself at that other load)."""
    return {"what": what, "load": load_name, "figure": figure, "least": least, "aim": aim,
            "own": own}


BARS = [
    bar("CPU a video packet, 1:40, bursts of 10, GCM", "40", "cpu", 12, 20),
    bar("CPU a video packet, 1:40, bursts of 2, GCM", "40-burst2", "cpu", 6, 12),
    bar("CPU a video packet, 1:40, bursts of 10, SHA1", "sha1", "cpu", 10, 18),
    bar("CPU an audio packet, 1:40", "audio", "cpu", 6, 12),
    bar("CPU a packet at 160 subscribers, against itself at 20", "160", "cpu", 1, 1.1, "20"),
    bar("memory a subscriber, 1:40", "40", "kib", 5, 10),
    bar("set-up of a subscriber, median, 1:40", "40", "setup", 1, 3),
    bar("forwarding delay p99, at half a core of janus", "half", "p99", 1, 2),
]


def half_a_core(cpu_us):
    """The load that takes janus half a core, when a packet takes it cpu_us."""
    subscribers = max(2, min(160, round(0.5e6 / cpu_us / 300)))
    return room(subscribers, BURST_10)
