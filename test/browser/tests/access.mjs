// Pages that are not opened on the server's own machine.

import { networkInterfaces } from 'node:os';
import { Agent, Customer, connect, openDesk } from '../lib/desk.mjs';
import { Skip, check, test } from '../lib/harness.mjs';

const KEY = 'a key for agents';

/** The address of this machine in a network, where a browser sees another machine. */
function outsideUrl(tring) {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find(({ internal, family }) => !internal && family === 'IPv4');
  if (!found) throw new Skip('this machine has no network');
  return `http://${found.address}:${tring.ports.http}`;
}

test('access: the calls need the agent key', async (t) => {
  const tring = await t.tring({ env: { TRING_WEB_AGENT_KEY: KEY } });
  const url = outsideUrl(tring);
  t.allow(/Failed to load resource.*40[13]/);
  const desk = await openDesk(t, tring);
  await connect(desk);
  await desk.agent.hangUp();
  await tring.recording('ready');

  const agent = new Agent(await t.page(), url);
  await agent.open();
  await agent.untilThere('#key-form');
  check('no calls are shown', (await agent.attribute('.call-row', 'class')) === null);
  await agent.page.fill('#agent-key', 'a wrong key');
  await agent.click('#key-save');
  await agent.untilThere('#key-form .notice.bad');
  await agent.page.fill('#agent-key', KEY);
  await agent.click('#key-save');
  await agent.untilRecording('ready');
  await agent.click('.play-button');
  await agent.untilThere('.recording-player');
});

test('access: a page without TLS says that it cannot call', async (t) => {
  const customer = new Customer(await t.page(), outsideUrl(await t.tring()));
  await customer.open();
  await customer.call();
  await customer.untilState('media-error');
  const code = await customer.attribute('#media-error', 'data-code');
  check(`its code is ${code}`, code === 'unsupported');
  check('its words', /https/.test(await customer.text('#media-error')));
});
