// How soon a camera of 720p is sent at its full rate, on this machine, 1, 2 and 5 s after the connection
// is up: kbit/s that Chromium sends, tells its encoder to make, and takes the path to carry; the height
// of its pictures; packets of audio that were lost, and the time of a round trip as RTCP tells it.
// Usage: node ramp.mjs [ROUNDS=3] [CODEC=vp8] [UPLINK_KBPS]   (the last one needs tring-impair)

import { launchChromium } from './lib/chromium.mjs';
import { DemoPages } from './lib/demos.mjs';
import { Impairment } from './lib/impair.mjs';
import { Tring } from './lib/tring.mjs';
import { until } from './lib/wait.mjs';

const ROUNDS = Number(process.argv[2] ?? 3);
const CODEC = process.argv[3] ?? 'vp8';
const UPLINK_KBPS = process.argv[4];
const QUEUE_MS = 300;
const MOMENTS_MS = [1000, 2000, 5000];
const VARIANTS = { 'as answered': {}, 'x-google-start-bitrate=1000': { start: '1000' } };

const browser = await launchChromium();
const demos = await DemoPages.start();
const tring = await Tring.start({ env: { TRING_RECORDING_CALLS: 'false' } });
try {
  console.log(`${CODEC}, ${MOMENTS_MS.map((ms) => `${ms / 1000} s`).join(', ')}`);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, options] of Object.entries(VARIANTS)) {
      const samples = await call(options);
      console.log(name.padEnd(30), MOMENTS_MS.map((ms) => figures(samples, ms)).join('   '));
    }
  }
} finally {
  await browser.close();
  await demos.stop();
  await tring.stop();
  await tring.remove();
}

async function call(options) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const ends = [];
  if (UPLINK_KBPS) await narrow(page, (end) => ends.push(end));
  const server = `ws://localhost:${tring.ports.ws}`;
  await page.goto(demos.address('own/ramp.html', server, { codec: CODEC, ...options }));
  const samples = await until(
    'six seconds',
    async () => {
      const { state, rows } = await page.evaluate(() => ({
        state: window.state,
        rows: window.samples,
      }));
      if (state.startsWith('failed')) throw new Error(state);
      return rows.at(-1)?.at > 6000 ? rows : null;
    },
    { limit: 30_000 },
  );
  await context.close();
  for (const end of ends) await end();
  return samples;
}

async function narrow(page, atEnd) {
  const impairment = new Impairment({ atEnd });
  const queue = Math.round((UPLINK_KBPS * QUEUE_MS) / 8);
  await impairment.set(`up rate_kbps ${UPLINK_KBPS} queue_bytes ${queue} delay_ms 20`);
  await impairment.between(page);
}

function figures(samples, ms) {
  const i = samples.findIndex(({ at }) => at >= ms);
  const now = samples[i];
  const before = samples[Math.max(i - 2, 0)];
  const rate = ((now.bytes - before.bytes) * 8) / (now.at - before.at);
  const kilo = (bps) => String(Math.round((bps ?? 0) / 1000)).padStart(4);
  const rates = `${kilo(rate * 1000)} sent ${kilo(now.target)} target ${kilo(now.available)} path`;
  const roundTrip = Math.round((now.roundTrip ?? 0) * 1000);
  return `${rates} ${now.height}p ${now.audioLost ?? 0} lost ${roundTrip} ms`;
}
