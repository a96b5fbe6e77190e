// Chromium in networks of the test. Reads requests as lines of JSON and answers each with a line that
// has its `id`, as soon as it is done: several may be under way.
//   {do: 'open', name, network, program, url, iceServers, policy}   a phone in a network's browser
//   {do: 'call', from, to}       until media flows both ways: what each phone tells of its connection
//   {do: 'flows', names}         the same for a call that is up: media that comes from now on
//   {do: 'hangup', name}
// `program` starts Chromium in that network.
// Its argument: the folder of the authority (ca.pem) that the browsers trust, besides the usual ones.

import { createInterface } from 'node:readline';
import { launchChromium } from '../browser/lib/chromium.mjs';
import { Authority } from '../browser/lib/trust.mjs';
import { until, within } from '../browser/lib/wait.mjs';
import { installPhone } from './page.mjs';

const ORIGIN = 'http://localhost/';
const FRAMES = 3;
const PACKETS = 15;
const LIMIT = 60_000;
const home = await new Authority(process.argv[2]).home();

const browsers = new Map();
const pages = new Map();

async function browserOf({ network, program }) {
  if (!browsers.has(network)) {
    const args = ['--disable-features=LocalNetworkAccessChecks'];
    browsers.set(network, launchChromium({ program, args, home }));
  }
  return browsers.get(network); // a promise: another request may wait for the same
}

async function pageOf(request) {
  if (pages.has(request.name)) return pages.get(request.name);
  const browser = await browserOf(request);
  const page = await browser.newPage();
  await page.route(`${ORIGIN}**`, (route) => route.fulfill({ contentType: 'text/html', body: '' }));
  await page.goto(ORIGIN);
  await page.evaluate(installPhone);
  pages.set(request.name, page);
  return page;
}

async function open({ url, iceServers, policy = 'all', ...request }) {
  const page = await pageOf(request);
  const conf = { url, iceServers, policy, name: request.name };
  await within(
    'the registration',
    page.evaluate((c) => window.openPhone(c), conf),
    LIMIT,
  );
  return {};
}

const factsOf = (name) => pages.get(name).evaluate(() => window.phone.facts());

/** Media that comes after now. */
async function untilFlows(name) {
  let first;
  let last;
  try {
    return await until(
      `media at ${name}`,
      async () => {
        last = await factsOf(name);
        if (!last?.pair) return null;
        first ??= last;
        const renewed = last.frames < first.frames;
        if (renewed) first = last;
        const enough =
          last.frames - first.frames >= FRAMES && last.packets - first.packets >= PACKETS;
        return enough && last;
      },
      { limit: LIMIT, every: 50 },
    );
  } catch {
    throw new Error(`no media at ${name}: ${JSON.stringify(last)}`);
  }
}

async function flows({ names }) {
  const start = Date.now();
  const found = await Promise.all(names.map(untilFlows));
  const ms = Date.now() - start;
  return { ms, phones: Object.fromEntries(names.map((name, i) => [name, found[i]])) };
}

async function call({ from, to }) {
  const start = Date.now();
  await within(
    'the call',
    pages.get(from).evaluate((name) => window.phone.call(name), to),
    LIMIT,
  );
  return { ...(await flows({ names: [from, to] })), ms: Date.now() - start };
}

async function hangup({ name }) {
  await within(
    'the hang-up',
    pages.get(name).evaluate(async () => {
      await window.phone.say({ request: 'hangup' });
      window.phone.close();
    }),
    LIMIT,
  );
  return {};
}

const known = { open, call, flows, hangup };

async function answerTo({ id, ...request }) {
  let answer;
  try {
    answer = await known[request.do](request);
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify({ ...answer, id }));
}

const underWay = [];
for await (const line of createInterface({ input: process.stdin })) {
  underWay.push(answerTo(JSON.parse(line)));
}
await Promise.all(underWay);
for (const browser of browsers.values()) await (await browser).close();
