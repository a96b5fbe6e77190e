// Takes the pictures of the README: the pages in a call and after it. Usage: node pictures.mjs OUTDIR

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launchChromium } from './lib/chromium.mjs';
import { Agent, Customer } from './lib/desk.mjs';
import { openOps } from './lib/ops.mjs';
import { AGENT, CUSTOMER, portrait } from './lib/portrait.mjs';
import { Tring } from './lib/tring.mjs';
import { until } from './lib/wait.mjs';

const out = process.argv[2];
if (!out) throw new Error('usage: node pictures.mjs OUTDIR');
const WIDE = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };

await mkdir(out, { recursive: true });
const tring = await Tring.start();
const browser = await launchChromium();
const pageOf = async (options, person) => {
  const page = await (await browser.newContext(options)).newPage();
  await page.addInitScript(portrait, person);
  return page;
};
try {
  const agent = new Agent(await pageOf(WIDE, AGENT), tring.url);
  await agent.open();
  await agent.goAvailable('Ann');
  await talk(agent, new Customer(await pageOf(PHONE, CUSTOMER), tring.url), 'customer-phone');
  await talk(agent, new Customer(await pageOf(WIDE, CUSTOMER), tring.url), 'customer-call');
  await agent.untilRecording('ready');
  await agent.click('.play-button');
  await until('the recording plays', () =>
    agent.page.evaluate(() => document.querySelector('.recording-player')?.currentTime > 2),
  );
  await agent.page.evaluate(() => document.querySelector('.recording-player').pause());
  await shot(agent, 'agent-recording', true);
} finally {
  await browser.close();
  await tring.stop();
  await tring.remove();
}

async function talk(agent, customer, name) {
  await customer.open();
  await customer.choose('720p');
  await customer.call();
  await agent.accept();
  await Promise.all([customer.untilMediaFlows(), agent.untilMediaFlows()]);
  for (const desk of [customer, agent]) {
    await until('some seconds of talk', async () =>
      /0:0[6-9]/.test(await desk.text('#call-duration')),
    );
  }
  await shot(customer, name);
  await shot(agent, 'agent-call');
  if (name === 'customer-call') await operators();
  await agent.hangUp();
  await customer.untilState('ended');
}

/** The call that is up, as operators see it. */
async function operators() {
  const ops = await openOps({ page: () => pageOf(WIDE, AGENT) }, tring);
  await ops.page.click('.live-row:has-text("customer") a');
  await until('a plot with a past', async () => (await ops.plotPoints('Bitrate out'))[0] >= 12);
  await shot(ops, 'operators');
}

async function shot({ page }, name, fullPage = false) {
  await page.bringToFront();
  await page.screenshot({ path: join(out, `${name}.png`), fullPage });
}
