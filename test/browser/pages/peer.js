// A browser's connection whose signalling is somebody else's: a test that speaks the API itself.
// Each video that comes is shown in an element with its m-line in data-mid.

let pc = null;

function renew() {
  pc?.close();
  document.body.replaceChildren();
  pc = new RTCPeerConnection();
  pc.ontrack = ({ track, transceiver }) => {
    document.querySelector(`[data-mid="${transceiver.mid}"]`)?.remove();
    const element = document.createElement(track.kind);
    element.dataset.mid = transceiver.mid;
    element.srcObject = new MediaStream([track]);
    element.muted = element.autoplay = true;
    document.body.append(element);
  };
}

/** All candidates are in the description: nothing has to be trickled. */
async function described() {
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== 'complete') {
    await new Promise((resolve) => {
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
    });
  }
  const { type, sdp } = pc.localDescription;
  return { type, sdp };
}

window.peer = {
  /** A new connection that sends microphone and camera; gives its offer. */
  async publish({ layers = [] } = {}) {
    renew();
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const direction = 'sendonly';
    pc.addTransceiver(stream.getAudioTracks()[0], { direction, streams: [stream] });
    pc.addTransceiver(stream.getVideoTracks()[0], {
      direction,
      streams: [stream],
      sendEncodings: layers,
    });
    return described();
  },

  accept(answer) {
    return pc.setRemoteDescription(answer);
  },

  /** Answers an offer: the first in a new connection, later ones in the same. */
  async answer(offer) {
    if (pc === null) renew();
    await pc.setRemoteDescription(offer);
    return described();
  },

  close() {
    pc.close();
    pc = null;
  },
};
