// What a user sees of it when something breaks.

import { execFileSync } from 'node:child_process';
import { connect, openDesk } from '../lib/desk.mjs';
import { Skip, check, test } from '../lib/harness.mjs';
import { decodeErrors, probe } from '../lib/probe.mjs';
import { until } from '../lib/wait.mjs';

/** What pages say when their server is gone. */
const GONE = /ERR_CONNECTION|WebSocket connection|Failed to load resource/;

test(
  'robustness: the server is killed in mid-call and starts again',
  async (t) => {
    t.allow(GONE);
    const tring = await t.tring();
    const desk = await openDesk(t, tring);
    await connect(desk);
    const [{ answered_ms: answeredMs }] = await tring.calls();
    await until('6 s of talk', () => Date.now() - answeredMs > 6000);
    const talked = (Date.now() - answeredMs) / 1000;
    await tring.kill();
    await tring.launch();
    const call = await tring.recording('ready');
    const file = await tring.download(call, await t.folder());
    const { seconds } = await probe(file);
    check(`${seconds} s of ${talked} s`, Math.abs(seconds - talked) <= 1);
    check('it decodes without a complaint', (await decodeErrors(file)) === '');
    // The desk goes on by itself: the agent's page is available again, the customer can call.
    await desk.agent.untilPresence('available', 60_000);
    await desk.agent.untilRecording('ready');
    await desk.customer.page.reload();
    await connect(desk);
    return `${seconds.toFixed(2)} s of ${talked.toFixed(2)} s`;
  },
  { limit: 150_000 },
);

test(
  'robustness: a server that ends lets go of its calls',
  async (t) => {
    t.allow(GONE);
    const tring = await t.tring();
    const desk = await openDesk(t, tring);
    await connect(desk);
    await tring.stop();
    await tring.launch();
    await tring.recording('ready');
    await desk.agent.untilPresence('available', 60_000);
  },
  { limit: 120_000 },
);

/** Turns a command line into one that sees a small disk of its own in that folder. */
function smallDisk(dir, size) {
  const unshare = process.getuid() === 0 ? ['unshare', '-m'] : ['unshare', '-rm'];
  const script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"';
  const wrap = (command) => [...unshare, 'sh', '-c', script, 'sh', size, dir, ...command];
  const [command, ...args] = wrap(['true']);
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    throw new Skip('no disk can be mounted here');
  }
  return wrap;
}

async function failsOnSmallDisk(t, size, minFree) {
  const dir = await t.folder();
  const wrap = smallDisk(dir, size);
  const tring = await t.tring({
    wrap,
    env: { TRING_RECORDING_DIR: dir, TRING_RECORDING_DISK_MIN_FREE: String(minFree) },
  });
  const desk = await openDesk(t, tring);
  await connect(desk);
  const failed = async () => (await tring.calls())[0]?.recording.state === 'failed';
  await until('the recording failed', failed, { limit: 30_000 });
  await Promise.all([desk.customer.untilMediaFlows(), desk.agent.untilMediaFlows()]);
  await desk.agent.hangUp();
  await desk.customer.untilState('ended');
  await desk.agent.untilRecording('failed');
  const reason = await desk.agent.text('.chip-reason');
  check(`the page says why: ${reason}`, /disk|space/i.test(reason));
  return reason;
}

test('robustness: the disk becomes full in mid-call', async (t) => {
  return failsOnSmallDisk(t, '700k', 0);
});

test('robustness: the disk is too full to begin', async (t) => {
  return failsOnSmallDisk(t, '10m', 1024 ** 3);
});
