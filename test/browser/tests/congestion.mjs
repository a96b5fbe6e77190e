// A subscriber behind a bad network, as Chromium sees it: which layer it gets, and whether it freezes.

import { check, test } from '../lib/harness.mjs';
import { Impairment } from '../lib/impair.mjs';
import { THREE_LAYERS, enterRoom, openRoom } from '../lib/room.mjs';
import { pause, until } from '../lib/wait.mjs';

const PAGE = 'videoroomtest.html';
const ROOM_BITRATE = 2_000_000; // enough for all layers on the way to the server
const WIDE = THREE_LAYERS.width / 2; // this and better ones do not fit through the narrow network
const FAST = 'down rate_kbps 1000 queue_bytes 12500 delay_ms 20';
const SLOW = 'down rate_kbps 200';
const GOOD_RATE = 400_000;
const DOWN_MS = 3000;
const UP_MS = 10_000;
const FREEZE_MS = 2000;
const LOSSY_SHARE = 0.7; // of the pictures that somebody sees who loses nothing

/** ann, who sends three layers, and bob, who only watches, from behind `impairment`. */
async function watch(t, line) {
  const impairment = new Impairment(t);
  await impairment.set('up delay_ms 20');
  await impairment.set(line);
  const room = await openRoom(t, { bitrate: ROOM_BITRATE });
  const camera = THREE_LAYERS;
  await enterRoom(t, room, 'ann', PAGE, { camera, simulcast: 'true' });
  const before = (page) => impairment.between(page);
  return { impairment, room, bob: await enterWatcher(t, room, 'bob', { before }) };
}

/** Somebody who only watches ann, and keeps the moments of her pictures. */
async function enterWatcher(t, room, name, options) {
  const watcher = await enterRoom(t, room, name, PAGE, { ...options, 'subscriber-mode': 'true' });
  await watcher.untilSees('ann');
  await watcher.page.evaluate(keepFrames, `#videoremote${await watcher.boxOf('ann')} video`);
  return watcher;
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

/** Waits for the best layer at a rate that does not fit through the narrow network. */
function untilGood(bob) {
  return until(
    'a good picture',
    async () => {
      const start = Date.now();
      const rate = await bob.videoRate();
      const widths = (await framesSince(bob, start)).map(({ width }) => width);
      const wide = widths.length > 0 && widths.every((width) => width === THREE_LAYERS.width);
      if (wide && rate > GOOD_RATE) return true;
      throw new Error(`${Math.round(rate / 1000)} kbit/s, ${widths}`);
    },
    { limit: 40_000 },
  );
}

test(
  'rooms: a narrow network gets a lower layer, a wide one the better again',
  async (t) => {
    const { impairment, bob } = await watch(t, FAST);
    await untilGood(bob);

    const narrow = Date.now();
    await impairment.set(SLOW);
    await pause(DOWN_MS + 2000);
    const slow = await framesSince(bob, narrow);
    const lastWide = Math.max(
      narrow,
      ...slow.filter(({ width }) => width >= WIDE).map(({ at }) => at),
    );
    const wide = Date.now();
    await impairment.set(FAST);
    const good = await until(
      'the better layer',
      async () => (await framesSince(bob, wide)).find(({ width }) => width >= WIDE),
      { limit: UP_MS },
    );
    await pause(1000);
    const end = Date.now();
    const freeze = longestGap(await framesSince(bob, narrow), narrow, end);
    const [down, up] = [lastWide - narrow, good.at - wide].map(Math.round);
    const told = `down in ${down} ms, up in ${up} ms, longest freeze ${Math.round(freeze)} ms`;
    check(told, down <= DOWN_MS && up <= UP_MS && freeze <= FREEZE_MS);
    return told;
  },
  { alone: true },
);

test(
  'rooms: the video plays where 5 % are lost',
  async (t) => {
    const { room, bob } = await watch(t, 'both delay_ms 20 loss_percent 5');
    const carol = await enterWatcher(t, room, 'carol', {});
    await pause(2000);
    const start = Date.now();
    await pause(8000);
    const end = Date.now();
    const [frames, all] = [await framesSince(bob, start), await framesSince(carol, start)];
    const [rate, best] = [frames, all].map(({ length }) => length / ((end - start) / 1000));
    const freeze = longestGap(frames, start, end);
    const told =
      `${rate.toFixed(1)} pictures a second of ${best.toFixed(1)}, ` +
      `longest freeze ${Math.round(freeze)} ms`;
    check(told, rate >= LOSSY_SHARE * best && best > 0 && freeze <= FREEZE_MS);
    return told;
  },
  { alone: true },
);
