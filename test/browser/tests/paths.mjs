// Every way to the server that needs no relay: TCP alone, IPv6 alone, and a NAT that forgets in
// mid-call.

import { DemoPages } from '../lib/demos.mjs';
import { Agent, Customer, connect } from '../lib/desk.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { Skip, check, test } from '../lib/harness.mjs';
import { incomingDuring, untilMediaFlows } from '../lib/media.mjs';
import { Nat, selectedPair, tellCandidates } from '../lib/paths.mjs';
import { LOOPBACK, OWN_ADDRESS } from '../lib/ports.mjs';
import { until } from '../lib/wait.mjs';

/** Addresses that every machine has. */
const BOTH = { TRING_MEDIA_BIND: '127.0.0.1,::1' };
const OVER_TCP = / tcp .* tcptype passive/;
const MEDIA = 30; // datagrams: more than answers to checks
const OVER_IPV6 = / udp \d+ [0-9a-f]*:/;

/** The customer hears of some of the server's candidates alone, the agent of all. */
async function openDesk(t, tring, keep, replace) {
  const customerPage = await t.page();
  await tellCandidates(customerPage, keep, replace);
  const desk = {
    customer: new Customer(customerPage, tring.url),
    agent: new Agent(await t.page(), tring.url),
  };
  await desk.agent.open();
  await desk.agent.goAvailable('Ann');
  await desk.customer.open();
  return desk;
}

test('paths: a call of a customer whose network lets no UDP through', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring, OVER_TCP);
  const { atAgent } = await connect(desk);
  const pair = await selectedPair(desk.customer.page);
  check('the customer is connected over TCP', pair.protocol === 'tcp');
  check('the agent is not', (await selectedPair(desk.agent.page)).protocol === 'udp');
  const { frames } = await incomingDuring(desk.agent.page, 3000);
  check('pictures keep coming', frames > 30);
  await desk.customer.hangUp();
  await desk.agent.untilPresence('available');
  return `${atAgent.width}x${atAgent.height}, ${frames} pictures in 3 s`;
});

test('paths: a call of a customer who has IPv6 alone', async (t) => {
  const tring = await t.tring({ env: BOTH });
  const desk = await openDesk(t, tring, OVER_IPV6);
  await connect(desk);
  const pair = await selectedPair(desk.customer.page);
  check('the customer is connected over IPv6', pair.protocol === 'udp' && /:/.test(pair.remote));
  await desk.customer.hangUp();
  await desk.agent.untilPresence('available');
});

for (const [name, keep, env] of [
  ['TCP', OVER_TCP, {}],
  ['IPv6 and TCP', / tcp \d+ [0-9a-f]*:/, BOTH],
]) {
  test(`paths: echotest over ${name}`, async (t) => {
    const tring = await t.tring({ env });
    const pages = await DemoPages.start();
    t.atEnd(() => pages.stop());
    const page = await t.page();
    await tellCandidates(page, keep);
    await keepConnection(page);
    await page.goto(pages.address('echotest.html', `http://localhost:${tring.ports.http}/janus`));
    await page.click('#start:not([disabled])');
    await untilMediaFlows(page, { which: 'test' });
    check('over TCP', (await selectedPair(page, 'testPc')).protocol === 'tcp');
    t.allow(/Probably a network error/, /Failed to parse response body/);
  });
}

/** The connection of a page that does not show it: window.testPc. */
function keepConnection(page) {
  return page.addInitScript(() => {
    const Real = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
      constructor(...args) {
        super(...args);
        window.testPc = this;
      }
    };
  });
}

/**
 * The client's checks come from another port all at once. The server sends there only after the browser has
 * answered a check of the server's own, so this shows that it does.
 */
async function followsAfterForgetting(t, customerPage, address) {
  const tring = await t.tring({ env: { TRING_MEDIA_BIND: address } });
  const nat = await Nat.start(tring.ports.media, address);
  t.atEnd(() => nat.stop());
  await tellCandidates(customerPage, / udp /, [
    `${address} ${tring.ports.media} `,
    `${address} ${nat.port} `,
  ]);
  const desk = {
    customer: new Customer(customerPage, tring.url),
    agent: new Agent(await t.page(), tring.url),
  };
  await desk.agent.open();
  await desk.agent.goAvailable('Ann');
  await desk.customer.open();
  await connect(desk);
  const times = [];
  for (let i = 0; i < 2; i++) {
    nat.forget();
    const start = Date.now();
    await until('the server sends to the new port', () => nat.answers > MEDIA, { every: 20 });
    times.push(Date.now() - start);
    for (const { page } of Object.values(desk)) {
      await until('pictures again', async () => (await incomingDuring(page, 500)).frames > 2);
    }
  }
  check('the call went on', (await tring.calls()).length === 1);
  await desk.customer.hangUp();
  await desk.agent.untilPresence('available');
  return `media again after ${times.join(' and ')} ms`;
}

test('paths: a NAT forgets Chromium in mid-call', async (t) =>
  followsAfterForgetting(t, await t.page(), LOOPBACK));

test('paths: a NAT forgets Firefox in mid-call', async (t) => {
  if (OWN_ADDRESS === LOOPBACK) throw new Skip('Firefox takes no candidate on loopback');
  return followsAfterForgetting(t, await firefoxPage(t), OWN_ADDRESS);
});
