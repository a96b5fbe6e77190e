// One side of a call on videocall: registers as the `name` of its address, accepts every call, and on a
// click calls `bob`. window.firstFrame resolves with the milliseconds from the click to the first
// picture of the other side.

const TRACKS = [
  { type: 'audio', capture: true, recv: true },
  { type: 'video', capture: true, recv: true },
];
const remote = document.querySelector('#remote');
const name = new URLSearchParams(location.search).get('name');
let clicked = 0;

attach('janus.plugin.videocall', register, said);

function register() {
  handle.send({ message: { request: 'register', username: name } });
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
