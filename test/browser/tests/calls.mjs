// Calls between the customer page and the agent page, in every way that they begin and end.

import { launchChromium } from '../lib/chromium.mjs';
import { Agent, Customer, connect, openDesk } from '../lib/desk.mjs';
import { check, test } from '../lib/harness.mjs';
import { incoming, incomingDuring } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
/** "Seconds", as a person would say. */
const SOON_MS = 5000;

test('call: media both ways, the agent hangs up', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  const { atCustomer } = await connect(desk);
  await desk.agent.untilPresence('busy');
  check('the quality line has figures', /ms/.test(await untilQuality(desk.customer)));
  await desk.agent.hangUp();
  await desk.customer.untilState('ended', SOON_MS);
  check('it says who', /Ann hung up/.test(await desk.customer.text('#status-title')));
  await desk.agent.untilPresence('available');
  const [call] = await tring.calls();
  check('the call is listed', call.callee === 'agent:Ann' && call.ended_ms > call.answered_ms);
  return `${atCustomer.codec} ${atCustomer.width}x${atCustomer.height}, ${atCustomer.audioCodec}`;
});

test('call: the customer hangs up, and calls again', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await connect(desk);
  await desk.customer.hangUp();
  await desk.customer.untilState('ended', SOON_MS);
  await desk.agent.untilPresence('available', SOON_MS);
  check('the agent is told', /hung up/.test(await desk.agent.text('#note')));
  await desk.customer.click('#call-again-button');
  await desk.agent.accept();
  await Promise.all([desk.customer.untilMediaFlows(), desk.agent.untilMediaFlows()]);
  await desk.customer.hangUp();
  await desk.agent.untilPresence('available', SOON_MS);
  await until('two calls listed', async () => (await tring.calls()).length === 2);
});

test('call: in HD', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await desk.customer.choose('720p');
  await connect(desk);
  check('an HD camera', (await desk.customer.page.evaluate(ownWidth)) === 1280);
  // Chromium begins with a small picture, and enlarges it as it learns what the path can carry.
  const limit = 60_000;
  await until(
    'a picture that the standard setting cannot send',
    async () => (await incoming(desk.agent.page)).width > 640,
    { limit },
  );
});

/** Runs in the page. */
function ownWidth() {
  return document.querySelector('#local-video').videoWidth;
}

test('call: declined', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await desk.customer.call();
  await desk.customer.untilState('ringing');
  await desk.agent.click('#decline-button');
  await desk.customer.untilState('nobody', SOON_MS);
  await desk.agent.untilPresence('available');
  await desk.agent.untilThere('.call-row');
  check('listed as declined', /Declined/.test(await desk.agent.text('.call-length')));
});

test('call: the caller gives up', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await desk.customer.call();
  await desk.agent.untilThere('#incoming');
  await desk.customer.click('#cancel-button');
  await desk.customer.untilState('idle');
  await until(
    'no more ringing',
    async () => (await desk.agent.attribute('#incoming', 'id')) === null,
  );
  check('the agent is told', /gave up/.test(await desk.agent.text('#note')));
});

test('call: nobody is available', async (t) => {
  const tring = await t.tring();
  const customer = new Customer(await t.page(), tring.url);
  await customer.open();
  await customer.call();
  await customer.untilState('nobody');
  const agent = new Agent(await t.page(), tring.url);
  await agent.open();
  await agent.goAvailable('Ann');
  await customer.click('#retry-button');
  await customer.untilState('ringing');
  await agent.untilThere('#incoming');
});

test('call: the only agent is on another call', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  await connect(desk);
  const second = new Customer(await t.page(), tring.url);
  await second.open();
  await second.call();
  await second.untilState('busy');
  await desk.customer.untilMediaFlows(); // which nothing of this disturbs
});

test('call: the microphone and the camera are muted', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await connect(desk);
  const atAgent = () => incomingDuring(desk.agent.page, 1500);
  await desk.customer.click('#mute-mic');
  check('pressed', (await desk.customer.attribute('#mute-mic', 'aria-pressed')) === 'true');
  await until('no sound at the agent', async () => {
    const { audioPackets, frames } = await atAgent();
    return audioPackets === 0 && frames > 0;
  });
  await desk.customer.click('#mute-mic');
  await until('sound again', async () => (await atAgent()).audioEnergy > 0);
  await desk.customer.click('#mute-cam');
  await until('no picture at the agent', async () => {
    const { audioPackets, frames } = await atAgent();
    return audioPackets > 0 && frames === 0;
  });
  await desk.agent.untilThere('#no-picture');
  await desk.customer.click('#mute-cam');
  await desk.agent.untilMediaFlows();
  await until(
    'the picture is back',
    async () => (await desk.agent.attribute('#no-picture', 'id')) === null,
  );
});

test('call: who is muted has no poor connection', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await connect(desk);
  for (const button of ['#mute-mic', '#mute-cam']) {
    await desk.customer.click(button);
    await desk.agent.click(button);
  }
  const verdicts = new Set();
  let lines = 0;
  let before = '';
  await until('ten seconds without a byte', async () => {
    const line = await desk.agent.text('#quality');
    if (/↓ 0 kbit/.test(line)) verdicts.add(await desk.agent.attribute('#quality', 'data-verdict'));
    const now = await desk.agent.text('#call-duration');
    if (/↓ 0 kbit/.test(line) && now !== before) lines++;
    before = now;
    return lines > 10;
  });
  check(`it was ${[...verdicts]}`, !verdicts.has('poor'));
});

test('call: the page of the customer is closed in mid-call', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await connect(desk);
  await desk.customer.page.close({ runBeforeUnload: false });
  await desk.agent.untilPresence('available', SOON_MS);
});

test('call: the browser of the customer dies in mid-call', async (t) => {
  const tring = await t.tring({ env: { TRING_API_RECLAIM_SESSION_TIMEOUT: '2' } });
  const browser = await launchChromium();
  t.atEnd(() => browser.close());
  const desk = await openDesk(t, tring, { customer: { browser } });
  await connect(desk);
  await browser.close();
  await desk.agent.untilPresence('available', 12_000);
});

test('agent: the page is reloaded while it waits', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await desk.agent.page.reload();
  await desk.agent.untilPresence('available', 10_000);
  await connect(desk);
});

test('agent: the page is reloaded in mid-call', async (t) => {
  const desk = await openDesk(t, await t.tring());
  await connect(desk);
  await desk.agent.page.reload();
  await desk.customer.untilState('ended', SOON_MS);
  await desk.agent.untilPresence('available', 10_000);
  await desk.customer.click('#call-again-button');
  await desk.agent.accept();
  await Promise.all([desk.customer.untilMediaFlows(), desk.agent.untilMediaFlows()]);
});

test('agent: the name is taken', async (t) => {
  const tring = await t.tring();
  await openDesk(t, tring);
  const second = new Agent(await t.page(), tring.url);
  await second.open();
  await second.page.fill('#agent-name', 'Ann');
  await second.click('#go-available');
  await second.untilThere('#desk-error');
});

test('agent: answers with the keyboard alone', async (t) => {
  const tring = await t.tring();
  const desk = await openDesk(t, tring);
  const { keyboard } = desk.agent.page;
  await desk.customer.page.focus('#call-button');
  await desk.customer.page.keyboard.press('Enter');
  await desk.agent.untilThere('#incoming');
  await until('the focus is on Accept', () => focused(desk.agent, 'accept-button'));
  await keyboard.press('Enter');
  await Promise.all([desk.customer.untilMediaFlows(), desk.agent.untilMediaFlows()]);
  await until('the focus is on the first control', () => focused(desk.agent, 'mute-mic'));
  for (let i = 0; i < 2; i++) await keyboard.press('Tab');
  check('two steps to Hang up', await focused(desk.agent, 'hangup-button'));
  await keyboard.press('Enter');
  await desk.customer.untilState('ended', SOON_MS);
});

test('call: on phones', async (t) => {
  const desk = await openDesk(t, await t.tring(), { customer: PHONE, agent: PHONE });
  await connect(desk);
  for (const { page } of [desk.customer, desk.agent]) {
    const layout = await page.evaluate(() => {
      const button = document.querySelector('#hangup-button').getBoundingClientRect();
      const root = document.documentElement;
      return {
        over: root.scrollWidth - root.clientWidth,
        bottom: button.bottom,
        size: button.width,
      };
    });
    check(`no sideways scrolling (${layout.over} px)`, layout.over <= 0);
    check(`Hang up is in sight (${layout.bottom})`, layout.bottom <= PHONE.viewport.height);
    check(`Hang up is big enough (${layout.size})`, layout.size >= 44);
  }
  await desk.customer.page.tap('#hangup-button');
  await desk.agent.untilPresence('available', SOON_MS);
});

test('devices: the permission is denied, and the ways on', async (t) => {
  const tring = await t.tring();
  const browser = await launchChromium({ consent: false, args: ['--deny-permission-prompts'] });
  t.atEnd(() => browser.close());
  const agent = new Agent(await t.page(), tring.url);
  await agent.open();
  await agent.goAvailable('Ann');
  const customer = new Customer(await t.page({ browser }), tring.url);
  await customer.open();
  await customer.call();
  await customer.untilState('media-error');
  check(
    'its code',
    (await customer.attribute('#media-error', 'data-code')) === 'permission-denied',
  );
  check('its words', /may not use your camera/.test(await customer.text('#media-error')));
  check('the focus', (await customer.attribute(':focus', 'id')) === 'way-retry');
  await customer.page.context().grantPermissions(['camera', 'microphone']);
  await customer.click('#way-retry');
  await agent.accept();
  await Promise.all([customer.untilMediaFlows(), agent.untilMediaFlows()]);
});

/** What getUserMedia can throw, the sentence, and the way on that the test takes. */
const DEVICE_ERRORS = [
  { name: 'NotFoundError', code: 'not-found', words: /was found/, way: '#way-audio-only' },
  { name: 'NotReadableError', code: 'in-use', words: /Another program/, way: '#way-audio-only' },
  { name: 'OverconstrainedError', code: 'constraints', words: /width/, way: '#way-audio-only' },
];

test('devices: every error has its words, and audio only goes on', async (t) => {
  const tring = await t.tring();
  const agent = new Agent(await t.page(), tring.url);
  await agent.open();
  await agent.goAvailable('Ann');
  for (const { name, code, words, way } of DEVICE_ERRORS) {
    const customer = new Customer(await t.page(), tring.url);
    await customer.page.addInitScript(refuseCamera, name);
    await customer.open();
    await customer.call();
    await customer.untilState('media-error');
    check(code, (await customer.attribute('#media-error', 'data-code')) === code);
    check(`${words}`, words.test(await customer.text('#media-error')));
    await customer.click(way);
    await agent.accept();
    await agent.untilMediaFlows({ video: false });
    await customer.untilMediaFlows();
    await customer.hangUp();
    await agent.untilPresence('available');
  }
});

test('devices: a camera that cannot do HD', async (t) => {
  const tring = await t.tring();
  const customer = new Customer(await t.page(), tring.url);
  await customer.page.addInitScript(onlySmall);
  await customer.open();
  await customer.choose('1080p');
  await customer.call();
  await customer.untilState('media-error');
  check('its code', (await customer.attribute('#media-error', 'data-code')) === 'constraints');
  await customer.click('#way-other-settings');
  await customer.page.selectOption('#preset-select', '360p');
  await customer.call();
  await customer.untilState('nobody');
});

/** Runs in the page: every camera is refused, microphones are not. */
function refuseCamera(name) {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (constraints) => {
    if (!constraints.video) return real(constraints);
    return Promise.reject(
      name === 'OverconstrainedError'
        ? new OverconstrainedError('width', 'refused by the test')
        : new DOMException('refused by the test', name),
    );
  };
}

/** Runs in the page: asks the real getUserMedia for more than any camera has. */
function onlySmall() {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (constraints) => {
    const wanted = constraints.video?.width?.min ?? 0;
    if (wanted > 1280) constraints.video.width.min = wanted * 4;
    return real(constraints);
  };
}

async function focused(desk, id) {
  return (await desk.page.evaluate(() => document.activeElement?.id)) === id;
}

function untilQuality(desk) {
  return until('a verdict on the quality', async () => {
    const verdict = await desk.attribute('#quality', 'data-verdict');
    return verdict !== 'unknown' ? desk.text('#quality') : null;
  });
}
