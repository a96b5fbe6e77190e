// Walks through the pages with the mock server and takes pictures of every state, wide and narrow,
// light and dark; fails on a console error and on sideways scrolling.
// Usage: node dev/look.mjs OUTDIR [CHROMIUM]

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { startMock } from './mock.mjs';

const out = process.argv[2] ?? '.cache/look';
const executablePath = process.argv[3] ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
];
const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };
const problems = [];

await mkdir(out, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ARGS });
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of ['light', 'dark']) await walk(`${size}-${scheme}`, viewport, scheme);
  }
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
console.log(problems.length ? `${problems.length} problems` : `pictures in ${out}, no problems`);
process.exitCode = problems.length ? 1 : 0;

async function walk(label, viewport, colorScheme) {
  const mock = await startMock();
  const context = await browser.newContext({ viewport, colorScheme });
  const open = async (path) => {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()))
        problems.push(`${label} ${path} ${message.text()}`);
    });
    page.on('pageerror', (error) => problems.push(`${label} ${path} ${error.stack}`));
    await page.goto(mock.url + path);
    return page;
  };
  const shot = async (page, name) => {
    await page.bringToFront();
    await page.waitForTimeout(250);
    await page.screenshot({ path: join(out, `${label}-${name}.png`), fullPage: true });
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (over > 0) problems.push(`${label} ${name}: scrolls sideways by ${over} px`);
  };
  try {
    await steps(open, shot);
  } catch (error) {
    problems.push(`${label}: ${error.stack}`);
  }
  await context.close();
  mock.close();
}

async function steps(open, shot) {
  const start = await open('/');
  await start.waitForSelector('#server-state[data-state=ready]');
  await shot(start, '1-start');
  const customer = await open('/customer/');
  await shot(customer, '2-customer');
  await customer.click('#settings-toggle');
  await customer.click('#preview-button');
  await customer.waitForFunction(() => document.querySelector('#preview-video')?.videoWidth > 0);
  await shot(customer, '3-settings');
  await customer.click('#settings-toggle');
  await customer.click('#call-button');
  await customer.waitForSelector('#status[data-state=nobody]');
  await shot(customer, '4-nobody');

  const agent = await open('/agent/');
  await shot(agent, '5-agent');
  await agent.fill('#agent-name', 'Ann');
  await agent.click('#go-available');
  await agent.waitForSelector('#presence[data-state=available]');
  await shot(agent, '6-available');
  await customer.click('#retry-button');
  await customer.waitForSelector('#status[data-state=ringing]');
  await shot(customer, '7-ringing');
  await agent.waitForSelector('#incoming');
  await shot(agent, '8-incoming');
  await agent.click('#accept-button');
  for (const page of [customer, agent]) {
    await page.waitForSelector('#stage[data-state=connected]');
    await page.waitForFunction(() => document.querySelector('#remote-video').videoWidth > 0);
  }
  await customer.waitForTimeout(2500);
  await shot(customer, '9-call');
  await shot(agent, '10-agent-call');

  await agent.reload();
  await customer.waitForSelector('#status[data-state=ended]');
  await shot(customer, '11-ended');
  await agent.waitForSelector('#presence[data-state=available]');
  await refuseCamera(customer);
  await customer.click('#call-again-button');
  await customer.waitForSelector('#media-error');
  await shot(customer, '12-media-error');
  await customer.click('#way-other-settings');
  await shot(customer, '13-other-settings');

  const diag = await open('/diag/');
  await diag.click('#camera-button');
  await diag.click('#microphone-button');
  await diag.waitForSelector('#camera-card[data-state=open]');
  await diag.waitForSelector('#microphone-card[data-state=open]');
  await shot(diag, '14-diag');
  await diag.click('#try-out-toggle');
  await diag.click('#try-out-impossible');
  await diag.click('#try-out-open');
  await diag.waitForSelector('#try-out-error');
  await shot(diag, '15-diag-try-out');
}

/** The browser says that no camera is as good as the settings want. */
async function refuseCamera(page) {
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new OverconstrainedError('width', 'no such width'));
  });
}
