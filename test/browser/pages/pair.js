// One side of a call on videocall: registers as the `name` of its address, accepts every call, and on a
// click calls `bob`. window.firstFrame resolves with the milliseconds from the click to the first
// picture of the other side.

const TRACKS = [
  { type: 'audio', capture: true, recv: true },
  { type: 'video', capture: true, recv: true },
];
const remote = document.querySelector('#remote');
const name = new URLSearchParams(location.search).get('name');
let handle;
let clicked = 0;

window.state = 'starting';

Janus.init({
  debug: ['error'],
  callback: () => {
    const janus = new Janus({ server, iceServers, success: () => attach(janus), error: failed });
  },
});

function attach(janus) {
  janus.attach({
    plugin: 'janus.plugin.videocall',
    success: (made) => {
      handle = made;
      handle.send({ message: { request: 'register', username: name } });
    },
    error: failed,
    onmessage: said,
    onremotetrack: (track, mid, on) => {
      if (on && track.kind === 'video') remote.srcObject = new MediaStream([track]);
    },
  });
}

function said(message, jsep) {
  const event = message.result?.event;
  if (message.error) failed(message.error);
  else if (event === 'registered') window.state = 'registered';
  else if (event === 'accepted' && jsep) handle.handleRemoteJsep({ jsep });
  else if (event === 'incomingcall') answer(jsep);
  else if (event === 'hangup') handle.hangup();
}

function answer(jsep) {
  handle.createAnswer({
    jsep,
    tracks: TRACKS,
    success: (mine) => handle.send({ message: { request: 'accept' }, jsep: mine }),
    error: failed,
  });
}

document.querySelector('#call').addEventListener('click', () => {
  clicked = performance.now();
  window.firstFrame = new Promise((resolve) => {
    remote.requestVideoFrameCallback(() => resolve(performance.now() - clicked));
  });
  handle.createOffer({
    tracks: TRACKS,
    success: (jsep) => handle.send({ message: { request: 'call', username: 'bob' }, jsep }),
    error: failed,
  });
});

function failed(error) {
  window.state = `failed: ${error?.message ?? error}`;
}
