// Data channels of real browsers: every kind and size of message, through the echo test and between
// two pages.

import { DemoPages } from '../lib/demos.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { check, test } from '../lib/harness.mjs';
import { until } from '../lib/wait.mjs';

const MESSAGE_MAX = 256 * 1024;
const PREFIX = 'Janus EchoTest here! You wrote: ';

const browsers = {
  Chromium: (t) => t.page(),
  Firefox: firefoxPage,
};

/** A page of ours in each of the browsers named, all on one server. */
async function open(t, ...names) {
  const pages = await DemoPages.start();
  t.atEnd(() => pages.stop());
  const { ports } = await t.tring();
  const opened = [];
  for (const name of names) {
    const page = await browsers[name](t);
    await page.goto(pages.address('own/data.html', `ws://localhost:${ports.ws}`));
    opened.push(page);
  }
  return opened;
}

/** Calls a function of the page's `window.data`. */
function call(page, name, ...args) {
  return page.evaluate(([name, args]) => window.data[name](...args), [name, args]);
}

function heard(page, label, so) {
  return until(`${label} was heard`, async () => {
    const it = await call(page, 'heard', label);
    return it && so(it) && it;
  });
}

for (const name of Object.keys(browsers)) {
  test(`data: ${name} and the echo test`, async (t) => {
    const [page] = await open(t, name);
    check('256 KiB a message', (await call(page, 'echo')) === MESSAGE_MAX);
    await call(page, 'say', 'first', 'grüße');
    await heard(page, 'first', ({ last }) => last === `${PREFIX}grüße`);
    await call(page, 'say', 'first', '');
    await heard(page, 'first', ({ last }) => last === PREFIX);
    for (const size of [0, 1, 1200, 65536, MESSAGE_MAX]) {
      await call(page, 'sayBytes', 'first', size);
      const expected = await call(page, 'expected', size);
      await heard(page, 'first', ({ last }) => last === expected);
    }
    for (const options of KINDS) {
      const label = JSON.stringify(options);
      await call(page, 'open', label, options);
      await call(page, 'say', label, 'x');
      await heard(page, label, ({ last }) => last === `${PREFIX}x`);
    }
    for (let i = 0; i < 10; i++) {
      await call(page, 'open', 'again', {});
      await call(page, 'say', 'again', `${i}`);
      await heard(page, 'again', ({ last }) => last === `${PREFIX}${i}`);
      await call(page, 'close', 'again');
      await heard(page, 'again', ({ closed }) => closed);
    }
    await call(page, 'open', 'many', {});
    await call(page, 'pour', 'many', 5000, 200);
    const { unordered } = await heard(page, 'many', ({ messages }) => messages === 5000);
    check('in order', unordered === 0);
    await call(page, 'end');
  });
}

const KINDS = [
  { ordered: false },
  { maxRetransmits: 0 },
  { ordered: false, maxRetransmits: 3 },
  { maxPacketLifeTime: 500 },
  { ordered: false, maxPacketLifeTime: 100, protocol: 'p' },
  { negotiated: true, id: 100 },
];

for (const [from, to] of [
  ['Chromium', 'Firefox'],
  ['Firefox', 'Chromium'],
]) {
  test(
    `data: ${from} calls ${to}`,
    async (t) => {
      const [ann, bob] = await open(t, from, to);
      await call(ann, 'register', 'ann');
      await call(bob, 'register', 'bob');
      await call(ann, 'call', 'bob');
      await call(ann, 'say', 'first', 'hello');
      await heard(bob, 'first', ({ last }) => last === 'hello');
      await call(bob, 'say', 'first', 'ho');
      await heard(ann, 'first', ({ last }) => last === 'ho');

      await call(ann, 'open', 'lossy', { ordered: false, maxRetransmits: 2, protocol: 'p' });
      await call(ann, 'say', 'lossy', 'x');
      const lossy = await heard(bob, 'lossy', ({ last }) => last === 'x');
      check(
        'the same kind',
        !lossy.ordered && lossy.maxRetransmits === 2 && lossy.protocol === 'p',
      );

      await call(ann, 'open', 'file', {});
      const began = Date.now();
      const [count, size] = [400, 65536];
      const most = await call(ann, 'pour', 'file', count, size);
      const file = await heard(bob, 'file', ({ messages }) => messages === count);
      check('all of it, in order', file.bytes === count * size && file.unordered === 0);
      const seconds = (Date.now() - began) / 1000;

      await call(ann, 'close', 'file');
      await heard(bob, 'file', ({ closed }) => closed);
      await call(ann, 'end');
      await call(bob, 'end');
      const rate = (count * size * 8) / seconds / 1e6;
      return `${Math.round(rate)} Mbit/s, at most ${Math.round(most / 1024)} KiB in the page`;
    },
    { limit: 120_000 },
  );
}

test('data: a room in which each hears who speaks', async (t) => {
  const [ann, bea, bob, ben] = await open(t, 'Chromium', 'Chromium', 'Chromium', 'Firefox');
  const ids = [await call(ann, 'publish'), await call(bea, 'publish')];
  for (const listener of [bob, ben]) await call(listener, 'subscribe', ids);
  await call(ann, 'say', 'first', 'from ann');
  await call(bea, 'say', 'first', 'from bea');
  for (const listener of [bob, ben]) {
    await heard(listener, `${ids[0]}`, ({ last }) => last === 'from ann');
    await heard(listener, `${ids[1]}`, ({ last }) => last === 'from bea');
  }
  await call(ann, 'pour', 'first', 1000, 1000);
  for (const listener of [bob, ben]) {
    await heard(listener, `${ids[0]}`, ({ bytes }) => bytes === 1000 * 1000);
  }
  await call(ann, 'end');
  for (const listener of [bob, ben]) await heard(listener, `${ids[0]}`, ({ closed }) => closed);
  for (const page of [bea, bob, ben]) await call(page, 'end');
});
