// How long a call takes from the click to the first picture of the other side, on this machine.
// Usage: node setup-time.mjs [ROUNDS=20]
//
//   janus.js pages   one page pair (pages/pair.html) on Tring and on Debian's Janus, in turn: from the
//                    click, through getUserMedia on both sides, call and accept
//   Tring's pages    the customer page and an agent page that accepts at once; its click also opens
//                    the session, registers, and looks for an agent

import { launchChromium } from './lib/chromium.mjs';
import { DemoPages } from './lib/demos.mjs';
import { Agent, Customer } from './lib/desk.mjs';
import { Janus } from './lib/janus.mjs';
import { Tring } from './lib/tring.mjs';
import { until, within } from './lib/wait.mjs';

const ROUNDS = Number(process.argv[2] ?? 20);
const LIMIT = 20_000;

const browser = await launchChromium();
const demos = await DemoPages.start();
const tring = await Tring.start({
  env: { TRING_RECORDING_CALLS: 'false', TRING_API_RECLAIM_SESSION_TIMEOUT: '0' },
});
const janus = await Janus.start();
try {
  const rows = {
    'janus.js pages, Janus 1.1.2': { times: [], take: () => janusPages(janus) },
    'janus.js pages, Tring': { times: [], take: () => janusPages(tring) },
    "Tring's pages, Tring": { times: [], take: tringPages },
  };
  for (let round = 0; round < ROUNDS + 1; round++) {
    for (const row of Object.values(rows)) {
      const time = await row.take();
      if (round > 0) row.times.push(time); // the first warms caches up
    }
  }
  print(rows);
} finally {
  await browser.close();
  await demos.stop();
  await tring.stop();
  await tring.remove();
  await janus.stop();
  await janus.remove();
}

async function janusPages({ ports }) {
  const context = await browser.newContext();
  const open = async (name) => {
    const page = await context.newPage();
    const server = `ws://localhost:${ports.ws}`;
    await page.goto(demos.address('own/pair.html', server, { name }));
    await until('registered', async () => {
      const state = await page.evaluate(() => window.state);
      if (state.startsWith('failed')) throw new Error(state);
      return state === 'registered';
    });
    return page;
  };
  await open('bob'); // who is called, and accepts at once
  const ann = await open('ann');
  await ann.click('#call');
  const time = await within(
    'a picture',
    ann.evaluate(() => window.firstFrame),
    LIMIT,
  );
  await leave(context);
  return time;
}

async function tringPages() {
  const context = await browser.newContext();
  const agent = new Agent(await context.newPage(), tring.url);
  await agent.page.addInitScript(acceptAtOnce);
  await agent.open();
  await agent.goAvailable('Bob');
  const customer = new Customer(await context.newPage(), tring.url);
  await customer.page.addInitScript(timeFirstFrame);
  await customer.open();
  await customer.call();
  const time = await within(
    'a picture',
    customer.page.evaluate(() => window.firstFrame),
    LIMIT,
  );
  await leave(context);
  return time;
}

/** Closes the pages so that they say goodbye; nothing of them is left on Tring after that. */
async function leave(context) {
  for (const page of context.pages()) await page.goto('about:blank');
  await context.close();
  await until('the agents of the round before are gone', async () => {
    const text = await (await fetch(`${tring.url}/metrics`)).text();
    const sessions = /^tring_sessions\S* (\d+)$/m.exec(text);
    return Number(sessions?.[1]) === 0;
  });
}

/** Runs in the page. */
function acceptAtOnce() {
  new MutationObserver(() => {
    const button = document.querySelector('#accept-button');
    if (!button || button.dataset.pressed) return;
    button.dataset.pressed = 'yes';
    button.click();
  }).observe(document, { subtree: true, childList: true });
}

/** Runs in the page. */
function timeFirstFrame() {
  window.firstFrame = new Promise((resolve) => {
    let clicked = 0;
    const begin = (event) => {
      if (event.target.closest('#call-button')) clicked ||= performance.now();
    };
    document.addEventListener('click', begin, true);
    new MutationObserver(() => {
      const video = document.querySelector('#remote-video');
      if (!video || video.dataset.watched) return;
      video.dataset.watched = 'yes';
      video.requestVideoFrameCallback(() => resolve(performance.now() - clicked));
    }).observe(document, { subtree: true, childList: true });
  });
}

function print(rows) {
  console.log(`click to first remote picture, ms (${ROUNDS} calls each)`);
  console.log(`${''.padEnd(30)} median    min    p90    max`);
  for (const [name, { times }] of Object.entries(rows)) {
    times.sort((a, b) => a - b);
    const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
    const middle = (at(0.5) + times[Math.floor((times.length - 1) / 2)]) / 2;
    const figures = [middle, times[0], at(0.9), times.at(-1)];
    console.log(name.padEnd(30) + figures.map((ms) => ms.toFixed(0).padStart(7)).join(''));
  }
}
