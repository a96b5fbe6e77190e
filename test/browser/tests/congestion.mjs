// A subscriber behind a bad network, as Chromium sees it: which layer it gets, and whether it freezes.

import { check, test } from '../lib/harness.mjs';
import { Impairment } from '../lib/impair.mjs';
import { THREE_LAYERS, enterRoom, openRoom } from '../lib/room.mjs';
import { pause } from '../lib/wait.mjs';

const PAGE = 'videoroomtest.html';
const ROOM_BITRATE = 2_000_000; // enough for all layers on the way to the server
const FREEZE_MS = 2000;

/** ann, who sends three layers, and bob, who only watches, from behind `impairment`. */
async function watch(t, line) {
  const impairment = new Impairment(t);
  await impairment.set('up delay_ms 20');
  await impairment.set(line);
  const room = await openRoom(t, { bitrate: ROOM_BITRATE });
  const camera = THREE_LAYERS;
  await enterRoom(t, room, 'ann', PAGE, { camera, simulcast: 'true' });
  const bob = await enterRoom(t, room, 'bob', PAGE, {
    before: (page) => impairment.between(page),
    'subscriber-mode': 'true',
  });
  await bob.untilSees('ann');
  await bob.page.evaluate(keepFrames, `#videoremote${await bob.boxOf('ann')} video`);
  return bob;
}

/** Runs in the page: when each picture was shown, and how wide it was. */
function keepFrames(selector) {
  window.testFrames = [];
  const video = document.querySelector(selector);
  const keep = (now, { width }) => {
    window.testFrames.push({ at: performance.timeOrigin + now, width });
    video.requestVideoFrameCallback(keep);
  };
  video.requestVideoFrameCallback(keep);
}

/** The pictures since a moment. */
function framesSince(bob, start) {
  return bob.page.evaluate((since) => window.testFrames.filter(({ at }) => at >= since), start);
}

function longestGap(frames, start, end) {
  const moments = [start, ...frames.map(({ at }) => at), end];
  return Math.max(...moments.slice(1).map((at, i) => at - moments[i]));
}

test('rooms: the video plays where 5 % are lost', async (t) => {
  const bob = await watch(t, 'both delay_ms 20 loss_percent 5');
  const start = Date.now();
  await pause(6000);
  const end = Date.now();
  const frames = await framesSince(bob, start);
  const rate = frames.length / ((end - start) / 1000);
  const freeze = longestGap(frames, start, end);
  const told = `${rate.toFixed(1)} pictures a second, longest freeze ${Math.round(freeze)} ms`;
  check(told, rate >= 7 && freeze <= FREEZE_MS);
  return told;
});
