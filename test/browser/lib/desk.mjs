// The two pages of the support desk, as a person would use them. Works with pages of playwright and of
// puppeteer alike: goto, click and evaluate are the same in both.

import { untilMediaFlows } from './media.mjs';
import { until } from './wait.mjs';

class DeskPage {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  /** An attribute of the first element; null when there is no such element. */
  attribute(selector, name) {
    return this.page.evaluate(
      ([where, what]) => document.querySelector(where)?.getAttribute(what) ?? null,
      [selector, name],
    );
  }

  text(selector) {
    return this.page.evaluate(
      (where) => document.querySelector(where)?.textContent.replace(/\s+/g, ' ').trim() ?? null,
      selector,
    );
  }

  async untilAttribute(selector, name, value, limit) {
    await until(
      `${selector} has ${name}=${value}`,
      async () => {
        const now = await this.attribute(selector, name);
        if (now === value) return true;
        throw new Error(`it is ${now}`);
      },
      { limit, every: 50 },
    );
  }

  async untilThere(selector, limit) {
    const there = (where) => document.querySelector(where) !== null;
    await until(`${selector} is there`, () => this.page.evaluate(there, selector), {
      limit,
      every: 50,
    });
  }

  async click(selector) {
    await this.untilThere(selector);
    await this.page.click(selector);
  }

  /** Settings of camera and microphone, as if they had been chosen before. */
  async choose(preset) {
    await this.page.evaluate((chosen) => {
      localStorage.setItem('tring.media', JSON.stringify({ preset: chosen }));
    }, preset);
  }

  untilConnected(limit) {
    return this.untilAttribute('#stage', 'data-state', 'connected', limit);
  }

  untilMediaFlows(options) {
    return untilMediaFlows(this.page, options);
  }

  hangUp() {
    return this.click('#hangup-button');
  }
}

export class Customer extends DeskPage {
  async open() {
    await this.page.goto(`${this.url}/customer/`);
    await this.untilState('idle');
  }

  untilState(state, limit) {
    return this.untilAttribute('#status', 'data-state', state, limit);
  }

  call() {
    return this.click('#call-button');
  }
}

export class Agent extends DeskPage {
  async open() {
    await this.page.goto(`${this.url}/agent/`);
    await this.untilPresence('offline');
  }

  untilPresence(state, limit) {
    return this.untilAttribute('#presence', 'data-state', state, limit);
  }

  async goAvailable(name) {
    await this.untilThere('#agent-name');
    await this.page.evaluate((text) => (document.querySelector('#agent-name').value = text), name);
    await this.click('#go-available');
    await this.untilPresence('available');
  }

  async accept() {
    await this.untilThere('#incoming');
    await this.click('#accept-button');
  }

  /** The newest row of the past calls. */
  untilRecording(state, limit = 60_000) {
    return this.untilAttribute('.call-row', 'data-recording', state, limit);
  }
}

/** Both pages open, the agent available. */
export async function openDesk(scope, tring, { customer = {}, agent = {}, name = 'Ann' } = {}) {
  const desk = {
    customer: new Customer(await scope.page(customer), tring.url),
    agent: new Agent(await scope.page(agent), tring.url),
  };
  await desk.agent.open();
  await desk.agent.goAvailable(name);
  await desk.customer.open();
  return desk;
}

/** From the press of Call until media flows both ways. */
export async function connect({ customer, agent }, media = {}) {
  await customer.call();
  await agent.accept();
  await Promise.all([customer.untilConnected(), agent.untilConnected()]);
  const [atCustomer, atAgent] = await Promise.all([
    customer.untilMediaFlows(media),
    agent.untilMediaFlows(media),
  ]);
  return { atCustomer, atAgent };
}
