// Layers within one stream (SVC) and RED, through the echo test: Chromium encodes, and decodes what
// the server has left of it.

import { check, test } from '../lib/harness.mjs';
import { installEcho } from '../lib/layers.mjs';
import { until } from '../lib/wait.mjs';

const HD = { width: 1280, height: 720 };
const SD = { width: 640, height: 360 };
const ALL = 2;

/** `spatial`: how many layers; each lower one is half as wide. */
const MODES = [
  { codec: 'vp9', mode: 'L3T3', size: HD, spatial: 3 },
  { codec: 'vp9', mode: 'L3T3_KEY', size: HD, spatial: 3 },
  { codec: 'av1', mode: 'L2T2', size: SD, spatial: 2 },
  { codec: 'av1', mode: 'L1T3', size: SD, spatial: 1 },
  { codec: 'h264', mode: 'L1T3', size: SD, spatial: 1 },
  { codec: 'vp8', mode: 'L1T3', size: SD, spatial: 1 },
];

async function startEcho(t, call) {
  const tring = await t.tring();
  const page = await t.page({ permissions: ['camera', 'microphone'] });
  await page.goto(tring.url);
  await page.evaluate(installEcho);
  const address = `ws://localhost:${tring.ports.ws}`;
  const sdps = await page.evaluate(([a, c]) => window.startEcho(a, c), [address, call]);
  return {
    ...sdps,
    stats: () => page.evaluate(() => window.echo.stats()),
    say: (body) => page.evaluate((b) => window.echo.say(b), body),
  };
}

/** Asks for layers and waits until pictures of that width come. */
async function take(echo, spatial, temporal, width) {
  await echo.say({ spatial_layer: spatial, temporal_layer: temporal });
  return until(`pictures ${width} wide`, async () => {
    const { in: incoming } = await echo.stats();
    return incoming?.frameWidth === width && incoming;
  });
}

async function framesIn(echo, ms) {
  const from = (await echo.stats()).in.framesDecoded;
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
  return (await echo.stats()).in.framesDecoded - from;
}

for (const { codec, mode, size, spatial } of MODES) {
  test(`layers: ${codec} ${mode}`, async (t) => {
    const encodings = [{ scalabilityMode: mode, maxBitrate: 1_500_000 }];
    const echo = await startEcho(t, { codec, encodings, size });
    const described = /dependency-descriptor/.test(echo.answer);
    check('the descriptor is agreed on, but for VP8', described === (codec !== 'vp8'));
    const small = size.width >> (spatial - 1);
    await take(echo, ALL, ALL, size.width);
    await take(echo, 0, 0, small);
    const slow = await framesIn(echo, 2000);
    await take(echo, ALL, ALL, size.width);
    const fast = await framesIn(echo, 2000);
    check(`${slow} frames of the lowest layers, ${fast} of all`, slow > 0 && slow < fast * 0.75);
    await take(echo, 0, ALL, small);
    await take(echo, ALL, 0, size.width);
    const { in: incoming } = await echo.stats();
    check(`${incoming.pliCount} key frames were missed`, incoming.pliCount === 0);
    check(`${incoming.packetsLost} packets were missed`, incoming.packetsLost <= 0);
    return `${incoming.framesDecoded} frames, ${incoming.keyFramesDecoded} of them key frames`;
  });
}

test('layers: Opus as RED', async (t) => {
  const bytes = [];
  for (const opusred of [false, true]) {
    const encodings = [{}];
    const echo = await startEcho(t, {
      codec: 'vp8',
      encodings,
      size: SD,
      audio: true,
      body: { opusred },
    });
    const heard = await until('a second of sound', async () => {
      const { audio } = await echo.stats();
      return audio?.packetsReceived > 100 && audio;
    });
    bytes.push(heard.bytesReceived / heard.packetsReceived);
  }
  const [plain, red] = bytes.map(Math.round);
  check(`${plain} bytes a packet, ${red} with RED`, red > plain * 1.4);
});
