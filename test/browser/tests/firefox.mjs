// Firefox and Chromium, each calling the other.

import { Agent, Customer, connect } from '../lib/desk.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { check, test } from '../lib/harness.mjs';

for (const [caller, callee] of [
  ['Firefox', 'Chromium'],
  ['Chromium', 'Firefox'],
]) {
  test(
    `browsers: ${caller} calls ${callee}`,
    async (t) => {
      const tring = await t.tring();
      const open = (name) => (name === 'Firefox' ? firefoxPage(t) : t.page());
      const agent = new Agent(await open(callee), tring.url);
      const customer = new Customer(await open(caller), tring.url);
      await agent.open();
      await agent.goAvailable('Ann');
      await customer.open();
      const { atCustomer, atAgent } = await connect({ customer, agent });
      await customer.hangUp();
      await agent.untilPresence('available');
      const call = await tring.recording('ready');
      check('it was recorded', call.recording.bytes > 10_000);
      return `to ${caller} ${atCustomer.codec} ${atCustomer.width}x${atCustomer.height}, to ${callee} ${atAgent.codec} ${atAgent.width}x${atAgent.height}`;
    },
    { limit: 120_000 },
  );
}
