// What becomes of a call after its end: a file that plays everywhere, without anybody asking.

import { Agent, connect, openDesk } from '../lib/desk.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { check, test } from '../lib/harness.mjs';
import { flashAndBeep } from '../lib/pattern.mjs';
import { playToEnd, seekTo } from '../lib/player.mjs';
import { beeps, brightness, compare, decodeErrors, flashes, probe } from '../lib/probe.mjs';
import { until } from '../lib/wait.mjs';

const LEFT = 'iw/2:ih:0:0';
const RIGHT = 'iw/2:ih:iw/2:0';

/** Talks until the call is so old. */
async function talk(desk, seconds) {
  await until(
    `${seconds} s of talk`,
    () =>
      desk.agent.page.evaluate((ms) => {
        const since = window.tringDebug.call?.answeredAt;
        return since && performance.now() - since > ms;
      }, seconds * 1000),
    { limit: (seconds + 20) * 1000 },
  );
}

test('recording: is processed by itself, and plays to its end', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await connect(desk);
  await talk(desk, 6);
  await desk.agent.hangUp();
  const call = await tring.recording('ready');
  const talked = (call.ended_ms - call.answered_ms) / 1000;
  const played = await playToEnd(desk.agent);
  check(`${played.frames} pictures`, played.frames > talked * 15);
  check('side by side', played.width > 1.5 * played.height);
  await seekTo(desk.agent, talked / 2);

  const link = desk.agent.page.waitForEvent('download');
  await desk.agent.click('.download-link');
  const file = await (await link).path();
  const found = await probe(file);
  check(`the container is ${found.format}`, found.format.includes('webm'));
  check(`the video is ${found.video.codec}`, ['vp8', 'vp9'].includes(found.video.codec));
  check(`the sound is ${found.audio.codec}`, found.audio.codec === 'opus');
  check('side by side', found.video.width > 1.5 * found.video.height);
  check(`${found.seconds} s of ${talked} s`, Math.abs(found.seconds - talked) <= 0.5);
  check('it decodes without a complaint', (await decodeErrors(file)) === '');
  const beeping = (await beeps(file, 1000)).length; // the fake microphones of both
  for (const part of [LEFT, RIGHT]) {
    const means = (await brightness(file, part)).map(({ mean }) => mean);
    check(`a picture in ${part}`, Math.max(...means) > 40);
  }
  return `${found.video.width}x${found.video.height} ${found.video.codec}, ${found.seconds.toFixed(2)} s of ${talked.toFixed(2)} s, ${beeping} beeps`;
});

test(
  'recording: progress is shown',
  async (t) => {
    const tring = await t.tring({
      env: {
        TRING_RECORDING_RENDER_HEIGHT: '1440',
        TRING_RECORDING_RENDER_FPS: '60',
        TRING_RECORDING_RENDER_THREADS: '1',
      },
    });
    const desk = await openDesk(t, tring);
    await desk.agent.page.evaluate(watchRows);
    await connect(desk);
    await desk.agent.untilRecording('recording');
    await talk(desk, 8);
    await desk.customer.hangUp();
    await desk.agent.untilRecording('ready', 80_000);
    const seen = await desk.agent.page.evaluate(() => window.testSeen);
    const figures = seen
      .filter(({ state }) => state === 'processing')
      .map(({ progress }) => progress);
    check(
      `a bar was shown: ${figures}`,
      figures.some((progress) => progress > 0 && progress < 100),
    );
    check(
      `it only grew: ${figures}`,
      figures.every((value, i) => i === 0 || value >= figures[i - 1]),
    );
    return figures.join(' ');
  },
  { limit: 150_000 },
);

/** Runs in the page: what the newest row showed, one after the other. */
function watchRows() {
  window.testSeen = [];
  new MutationObserver(() => {
    const row = document.querySelector('.call-row');
    if (!row) return;
    const now = {
      state: row.dataset.recording,
      progress: row.querySelector('progress')?.value ?? null,
    };
    const last = window.testSeen.at(-1);
    if (last?.state !== now.state || last?.progress !== now.progress) window.testSeen.push(now);
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    characterData: true,
  });
}

test('recording: parts of the file can be fetched, by a signed link alone', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await connect(desk);
  await talk(desk, 2);
  await desk.agent.hangUp();
  const call = await tring.recording('ready');
  const url = await tring.recordingUrl(call);
  const get = (range) => fetch(url, { headers: range ? { Range: range } : {} });
  const whole = Buffer.from(await (await get()).arrayBuffer());
  check('the size is told', whole.length === call.recording.bytes);
  const size = whole.length;
  for (const [range, from, to] of [
    ['bytes=0-99', 0, 99],
    [`bytes=100-`, 100, size - 1],
    ['bytes=-50', size - 50, size - 1],
    [`bytes=10-${size + 1000}`, 10, size - 1],
  ]) {
    const part = await get(range);
    check(`${range}: 206`, part.status === 206);
    const told = part.headers.get('content-range');
    check(`${range}: ${told}`, told === `bytes ${from}-${to}/${size}`);
    const bytes = Buffer.from(await part.arrayBuffer());
    check(`${range}: the bytes`, bytes.equals(whole.subarray(from, to + 1)));
  }
  check('beyond the end: 416', (await get(`bytes=${size}-`)).status === 416);
  const forged = url.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  check(
    'a forged link',
    [401, 403, 404].includes(
      (await fetch(forged, { headers: { 'X-Forwarded-For': '203.0.113.9' } })).status,
    ),
  );
});

test('recording: a call with sound alone on one side', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await desk.customer.choose('audio-only');
  await desk.customer.call();
  await desk.agent.accept();
  await Promise.all([
    desk.customer.untilMediaFlows(),
    desk.agent.untilMediaFlows({ video: false }),
  ]);
  await talk(desk, 3);
  await desk.agent.hangUp();
  const call = await tring.recording('ready');
  const found = await probe(await tring.download(call, await t.folder()));
  const talked = (call.ended_ms - call.answered_ms) / 1000;
  check(`${found.seconds} s of ${talked} s`, Math.abs(found.seconds - talked) <= 0.5);
});

test('recording: none of a call that nobody answered', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await desk.customer.call();
  await desk.agent.click('#decline-button');
  await desk.customer.untilState('nobody');
  await desk.agent.untilRecording('none');
});

test('recording: plays in Firefox', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await connect(desk);
  await talk(desk, 4);
  await desk.agent.hangUp();
  await tring.recording('ready');
  const agent = new Agent(await firefoxPage(t), tring.url);
  await agent.open();
  const { seconds, frames, width, height } = await playToEnd(agent);
  check(`${frames} pictures in ${seconds} s`, frames > 30 && seconds > 3);
  return `${width}x${height}, ${frames} pictures in ${seconds.toFixed(2)} s`;
});

/** What the recording may add, and what Chromium adds before: it stamps pictures of a canvas early. */
const SYNC_MS = 40;
const CANVAS_MS = 40;

test(
  'recording: sound and picture are together',
  async (t) => {
    const tring = await t.tring();
    const desk = await openDesk(t, tring);
    const sides = { customer: { hz: 1000, part: LEFT }, agent: { hz: 2000, part: RIGHT } };
    for (const [side, { hz }] of Object.entries(sides)) {
      await desk[side].page.addInitScript(flashAndBeep, hz);
      await desk[side].page.reload();
    }
    await desk.agent.untilPresence('available');
    await connect(desk, { sound: false });
    await talk(desk, 12);
    await desk.customer.hangUp();
    const file = await tring.download(await tring.recording('ready'), await t.folder());
    const told = [];
    for (const [side, { hz, part }] of Object.entries(sides)) {
      const { mean, worst, count } = compare(await flashes(file, part), await beeps(file, hz));
      told.push(`${side} ${mean.toFixed(0)} ms (worst ${worst.toFixed(0)}, ${count} beats)`);
      check(`8 beats: ${told.at(-1)}`, count >= 8);
      check(`together: ${told.at(-1)}`, Math.abs(mean) <= SYNC_MS + CANVAS_MS);
    }
    return `sound after picture: ${told.join(', ')}`;
  },
  { alone: true },
);
