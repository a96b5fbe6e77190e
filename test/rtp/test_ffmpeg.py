#!/usr/bin/env python3
"""Goal: media goes into a room as plain RTP and out of it by rtp_forward, and a program of another
make understands what comes out, in the clear and with SRTP.
Method: the real server. One ffmpeg encodes a picture and a tone and sends them to a remote
publisher; others get the room's forwards by an SDP file and decode them. What counts is how many
frames they decode and that nothing in the streams is wrong.

Usage: test_ffmpeg.py TRING    (needs ffmpeg)"""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

KEY_IN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
KEY_OUT = "HRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"
SUITES = {80: "AES_CM_128_HMAC_SHA1_80", 32: "AES_CM_128_HMAC_SHA1_32"}
SSRC_VIDEO, SSRC_AUDIO = 1000, 1010  # of streams 0 and 1 of a remote publisher
FRAMES = 40
WAIT_S = 30


def free_port(kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_pair():
    """An even port with a free one above it, which receivers of RTP take for RTCP."""
    for _ in range(1000):
        port = random.randrange(20000, 30000, 2)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.0.1", port))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.0.1", port + 1))
            return port
        except OSError:
            pass
    raise AssertionError("no free ports")


class Server:
    """A server with a data folder of its own, and one handle of the video room."""

    def __init__(self, program, folder):
        self.http = free_port(socket.SOCK_STREAM)
        env = dict(os.environ, TRING_HTTP_PORT=str(self.http), TRING_HTTP_WS_PORT="0",
                   TRING_ADMIN_PORT="0", TRING_MEDIA_PORT=str(free_port()),
                   TRING_MEDIA_BIND="127.0.0.1",
                   TRING_VIDEOROOM_LOCK_RTP_FORWARD="false")
        self.log = open(os.path.join(folder, "tring.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen([program, "--data", folder], cwd=folder, env=env,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        self.path = "/janus"
        self.wait()
        self.path += "/%d" % self.ask(janus="create")["data"]["id"]
        attached = self.ask(janus="attach", plugin="janus.plugin.videoroom")
        self.path += "/%d" % attached["data"]["id"]

    def ask(self, **request):
        request["transaction"] = "t"
        url = "http://127.0.0.1:%d%s" % (self.http, self.path)
        body = json.dumps(request).encode()
        headers = {"Content-Type": "application/json"}
        call = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(call, timeout=5) as answer:
            return json.load(answer)

    def room(self, **request):
        data = self.ask(janus="message", body=request)["plugindata"]["data"]
        if "error" in data:
            raise AssertionError("%s: %s" % (request["request"], data["error"]))
        return data

    def wait(self):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.ask(janus="ping")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def close(self):
        self.process.terminate()
        code = self.process.wait(WAIT_S)
        self.log.close()
        if code != 0:
            raise AssertionError("the server ended with %d" % code)


def url_out(port, suite):
    query = "?rtcpport=%d&pkt_size=1200" % (port + 1)
    return ("srtp" if suite else "rtp") + "://127.0.0.1:%d%s" % (port, query)


def sender(port, suite):
    """Both streams to one port, as a remotization sends them."""
    crypto = ["-srtp_out_suite", SUITES[suite], "-srtp_out_params", KEY_IN] if suite else []
    return ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re",
            "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15",
            "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
            "-map", "0:v", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8",
            "-b:v", "300k", "-g", "30", "-threads", "1", "-ssrc", str(SSRC_VIDEO),
            "-payload_type", "96", *crypto, "-f", "rtp", url_out(port, suite),
            "-map", "1:a", "-c:a", "libopus", "-b:a", "32k", "-ssrc", str(SSRC_AUDIO),
            "-payload_type", "111", *crypto, "-f", "rtp", url_out(port, suite)]


def sdp(kind, port, suite):
    pt, name = (97, "VP8/90000") if kind == "video" else (98, "opus/48000/2")
    text = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=forward", "c=IN IP4 127.0.0.1", "t=0 0",
            "m=%s %d RTP/%s %d" % (kind, port, "SAVP" if suite else "AVP", pt),
            "a=rtpmap:%d %s" % (pt, name)]
    if suite:
        text.append("a=crypto:1 %s inline:%s" % (SUITES[suite], KEY_OUT))
    return "\r\n".join(text) + "\r\n"


def receiver(folder, kind, port, suite):
    path = os.path.join(folder, "%s-%d.sdp" % (kind, port))
    with open(path, "w", encoding="utf-8") as f:
        f.write(sdp(kind, port, suite))
    # Frames are counted by their check sums on standard output.
    return subprocess.Popen(["ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin",
                             "-protocol_whitelist", "file,udp,rtp,srtp", "-analyzeduration", "5M",
                             "-i", path, "-map", "0", "-frames", str(FRAMES),
                             "-f", "framecrc", "-"],
                            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def judge(kind, process):
    try:
        out, err = process.communicate(timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += "\n(gave up waiting)"
    frames = len(re.findall(r"^0,", out, re.M))
    wrong = re.findall(r"missed|RTP: |error|corrupt|invalid", err, re.I)
    print("%s: %d frames decoded, %d complaints" % (kind, frames, len(wrong)))
    if frames < FRAMES or wrong:
        raise AssertionError("%s is not as it should be:\n%s" % (kind, err))


def run(server, folder, suite_in, suite_out):
    crypto = {"srtp_suite": suite_in, "srtp_crypto": KEY_IN} if suite_in else {}
    far = server.room(request="add_remote_publisher", room=1, display="far", streams=[
        {"type": "video", "mindex": 0, "mid": "0", "codec": "vp8"},
        {"type": "audio", "mindex": 1, "mid": "1", "codec": "opus"}], **crypto)
    ports = {"video": free_pair(), "audio": free_pair()}
    receivers = {kind: receiver(folder, kind, port, suite_out) for kind, port in ports.items()}
    source = subprocess.Popen(sender(far["port"], suite_in), cwd=folder, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)  # the receivers listen
        crypto = {"srtp_suite": suite_out, "srtp_crypto": KEY_OUT} if suite_out else {}
        made = server.room(request="rtp_forward", room=1, publisher_id=far["id"], host="127.0.0.1",
                           streams=[{"mid": "0", "port": ports["video"], "pt": 97},
                                    {"mid": "1", "port": ports["audio"], "pt": 98}], **crypto)
        listed = server.room(request="listforwarders", room=1)
        assert len(made["forwarders"]) == len(listed["publishers"][0]["forwarders"]) == 2
        for kind, process in receivers.items():
            judge(kind, process)
    finally:
        source.terminate()
        source.wait(WAIT_S)
        for process in receivers.values():
            if process.poll() is None:
                process.kill()
                process.wait(WAIT_S)
    server.room(request="remove_remote_publisher", room=1, id=far["id"])


def main():
    program = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="tring-rtp-")
    server = None
    try:
        server = Server(program, folder)
        server.room(request="create", room=1)
        for suites in ((0, 0), (80, 32), (32, 80)):
            print("suite in %d, out %d (0: in the clear)" % suites)
            run(server, folder, *suites)
        server.close()
        server = None
    except AssertionError:
        with open(os.path.join(folder, "tring.log"), encoding="utf-8") as log:
            print(log.read())
        raise
    finally:
        if server and server.process.poll() is None:
            server.process.kill()
            server.process.wait(WAIT_S)
        shutil.rmtree(folder)
    print("passed")


main()
