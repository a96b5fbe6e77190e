// Sends a camera of 720p to the echo test, and keeps what of it left, second by second. Parameters of
// the address: `codec`; `start`, in kbit/s, is written into the answer for Chromium's estimator.
// window.samples: what getStats says, from the moment that the connection is up.

const wanted = new URLSearchParams(location.search);
window.samples = [];

attach('janus.plugin.echotest', offer, (_, jsep) => {
  if (jsep) handle.handleRemoteJsep({ jsep: withStart(jsep), success: watch });
});

function offer() {
  const video = { width: 1280, height: 720, frameRate: 30 };
  handle.createOffer({
    tracks: [
      { type: 'audio', capture: true, recv: true },
      { type: 'video', capture: video, recv: true },
    ],
    success: (jsep) => {
      const codec = wanted.get('codec');
      const message = { audio: true, video: true, ...(codec && { videocodec: codec }) };
      handle.send({ message, jsep });
    },
    error: failed,
  });
}

/** The answer, with x-google-start-bitrate for the video's codec. */
function withStart(jsep) {
  const start = wanted.get('start');
  if (!start) return jsep;
  const [head, video] = jsep.sdp.split(/(?=m=video)/);
  const pt = /^m=video \d+ \S+ (\d+)/.exec(video)[1];
  const line = new RegExp(`a=fmtp:${pt} .*`);
  const set = `x-google-start-bitrate=${start}`;
  const more = line.test(video)
    ? video.replace(line, (was) => `${was};${set}`)
    : video.replace(new RegExp(`a=rtpmap:${pt} .*\r\n`), (was) => `${was}a=fmtp:${pt} ${set}\r\n`);
  return { ...jsep, sdp: head + more };
}

function watch() {
  const pc = handle.webrtcStuff.pc;
  const begin = () => {
    if (pc.connectionState !== 'connected' || window.state === 'connected') return;
    window.state = 'connected';
    const since = performance.now();
    setInterval(() => sample(pc, performance.now() - since), 250);
  };
  pc.addEventListener('connectionstatechange', begin);
  begin();
}

async function sample(pc, at) {
  const row = { at };
  for (const stat of (await pc.getStats()).values()) {
    if (stat.type === 'outbound-rtp' && stat.kind === 'video') {
      row.bytes = stat.bytesSent + stat.headerBytesSent;
      row.target = stat.targetBitrate;
      row.height = stat.frameHeight;
      row.limit = stat.qualityLimitationReason;
    } else if (stat.type === 'remote-inbound-rtp' && stat.kind === 'audio') {
      row.audioLost = stat.packetsLost;
      row.roundTrip = stat.roundTripTime;
    } else if (stat.type === 'candidate-pair' && stat.nominated) {
      row.available = stat.availableOutgoingBitrate;
    }
  }
  window.samples.push(row);
}
