// The page for operators: who may see it, and whether what it shows is so.

import { DemoPages } from '../lib/demos.mjs';
import { connect, openDesk } from '../lib/desk.mjs';
import { check, test } from '../lib/harness.mjs';
import { untilMediaFlows } from '../lib/media.mjs';
import { Ops, adminSecret, adminUrl, openOps } from '../lib/ops.mjs';
import { THREE_LAYERS, enterRoom, openRoom } from '../lib/room.mjs';
import { until } from '../lib/wait.mjs';

/** Browsers that encode, on a machine that has others to serve. */
const LIMIT = { limit: 180_000 };
const PHONE = {
  viewport: { width: 390, height: 844 },
  isMobile: true,
  hasTouch: true,
};
const REFUSED = /Failed to load resource.*(403|404)/;
/** The answer to the question that comes after the end: the browser tells of it by itself. */
const ENDED = /connections\/\d+\/\d+.*404/;

async function startEcho(t, tring) {
  const pages = await DemoPages.start();
  t.atEnd(() => pages.stop());
  const page = await t.page();
  await page.addInitScript(() => {
    const Real = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
      constructor(...args) {
        super(...args);
        (window.tringDebug ??= {}).pc = this;
      }
    };
  });
  await page.goto(pages.address('echotest.html', `ws://localhost:${tring.ports.ws}`));
  await page.click('#start:not([disabled])');
  await untilMediaFlows(page);
  return page;
}

test('ops: only who has the secret gets in', async (t) => {
  t.allow(REFUSED);
  const tring = await t.tring();
  const page = await t.page();
  const ops = new Ops(page, tring);
  const secret = await adminSecret(tring);
  await page.goto(`${adminUrl(tring)}/ops/`);
  await page.waitForSelector('#gate');
  await ops.checkForm('gate');
  await ops.enter('a wrong secret');
  await ops.untilText('#gate-problem', /not accept/);
  await ops.enter(secret);
  await page.waitForSelector('#live-empty');
  await page.reload(); // the tab remembers it
  await page.waitForSelector('#live-empty');
  const kept = await page.evaluate(() => ({
    url: location.href,
    local: { ...localStorage },
    cookie: document.cookie,
  }));
  check('the secret is kept nowhere else', !JSON.stringify(kept).includes(secret));
  check('nor logged', !tring.child.tail().includes(secret));
  await page.click('#lock');
  await page.waitForSelector('#gate');
  await page.reload();
  await page.waitForSelector('#gate');
  check('no figures are left', (await ops.count('live-list')) === 0);

  await page.goto(`${tring.url}/ops/`); // on the main port there is nothing to see
  await page.waitForSelector('#elsewhere');
  for (const path of ['/api/v1/server', '/api/v1/connections']) {
    const { status } = await fetch(tring.url + path);
    check(`${path} on the main port gives ${status}`, status === 404);
  }
});

test(
  'ops: an echo call, now and when it is over',
  async (t) => {
    t.allow(ENDED);
    const tring = await t.tring();
    const echo = await startEcho(t, tring);
    const ops = await openOps(t, tring);
    await ops.untilText('.live-row[data-state=up]', /\d ms.*bit\/s/);
    await ops.checkForm('list');
    await ops.picture('live-list');

    // By keyboard alone.
    await ops.page.focus('.live-row a');
    await ops.page.keyboard.press('Enter');
    await ops.untilText('#ice-state', /connected/);
    const focus = () => ops.page.evaluate(() => document.activeElement.tagName);
    check(`the focus is at ${await focus()}`, (await focus()) === 'MAIN');
    const packets = () =>
      ops.page.evaluate(() =>
        [...document.querySelectorAll('.stream-packets')].map(({ textContent }) =>
          Number(textContent.replaceAll(',', '')),
        ),
      );
    const before = await until('four streams', async () => {
      const counts = await packets();
      return counts.length === 4 && counts;
    });
    await until('the packets of every stream move', async () => {
      const now = await packets();
      return now.length === 4 && now.every((count, index) => count > before[index]);
    });
    const labels = ['Bitrate in', 'Bitrate out', 'Loss', 'Jitter', 'Round trip'];
    labels.push('Key frames asked for', 'Packets a second');
    for (const label of labels) {
      await until(`the plot ${label} draws`, async () => {
        const points = await ops.plotPoints(label);
        return points.some((count) => count >= 4);
      });
    }
    check('the path', /127\.0\.0\.1|:\d+/.test(await ops.text('.table .marked')));
    check('the SRTP profile', /GCM|AES/.test(await ops.fact('SRTP')));
    check('the DTLS version', (await ops.fact('Version')) === 'DTLS 1.2');
    check('candidates of both', (await ops.count('[aria-label^="Candidates"]')) === 2);
    await ops.untilText('[data-way=out][data-kind=video] dl:last-of-type', /Comes from/);
    await ops.checkForm('view');
    await ops.picture('live-view');

    await echo.close();
    await ops.page.waitForSelector('#view-gone');
    await ops.page.click('#section-past');
    await ops.untilText('.past-row', /echotest.*host udp|echotest.*prflx udp/);
    await ops.picture('past-list');
    await ops.page.click('.past-row a');
    await ops.page.waitForSelector('#past-view-title');
    check('codecs', /opus/i.test(await ops.fact('Codecs')));
    await until('its plots draw', async () => (await ops.plotPoints('Bitrate in'))[0] >= 2);
    await ops.picture('past-view');
  },
  LIMIT,
);

test(
  'ops: a room',
  async (t) => {
    const room = await openRoom(t, { bitrate: 2_000_000 });
    const page = 'mvideoroomtest.html';
    await enterRoom(t, room, 'ann', page, {
      camera: { width: 320, height: 240 },
    });
    await enterRoom(t, room, 'bob', page, {
      camera: THREE_LAYERS,
      simulcast: 'true',
    });
    const ops = await openOps(t, room.server);
    await ops.untilCount('.ops-group[data-kind=room] .live-row', 4); // each sends and receives
    await ops.untilText('.ops-group[data-kind=room] h2', /Room 1234 4 connections/);
    await ops.untilCount('.live-row[data-state=up]', 4);
    await ops.page.waitForFunction(
      () =>
        [...document.querySelectorAll('.live-row')].filter((r) => /bit\/s/.test(r.textContent))
          .length === 4,
    );
    await ops.picture('live-room');
    await ops.page.fill('#live-search', 'bob');
    await ops.untilCount('.live-row', 2); // as a subscriber he has a name as well
    await ops.page.fill('#live-search', 'publisher');
    await ops.untilCount('.live-row', 2);
    await ops.page.click('.live-row a:text("bob")');
    // Its three layers, each a stream of its own.
    await ops.untilCount('[data-way=in][data-kind=video]', 3);
    await ops.picture('live-publisher');
    await ops.page.goBack();
    await ops.page.fill('#live-search', 'subscriber');
    await ops.untilCount('.live-row', 2);
    const layers = { ann: /Layer.*wants.*bandwidth allows/, bob: /Layer the only one/ }; // the other's
    for (const [name, pattern] of Object.entries(layers)) {
      await ops.page.click(`.live-row a:text("${name}")`);
      await ops.untilText('[data-way=out][data-kind=video]', pattern);
      await ops.picture(`live-subscriber-${name}`);
      await ops.page.click('#view-back');
      await ops.page.fill('#live-search', 'subscriber');
      await ops.untilCount('.live-row', 2);
    }
    await ops.page.click('#section-server');
    await ops.untilText('[aria-label="Media workers"] tbody', /\d\/s.*bit\/s/);
    check('memory', /MiB|GiB/.test(await ops.fact('Memory')));
    await until('its plots draw', async () => (await ops.plotPoints('Packets'))[0] >= 3);
    await ops.checkForm('server');
    await ops.picture('server');
  },
  LIMIT,
);

test(
  'ops: a call of the support desk names both connections',
  async (t) => {
    t.allow(ENDED);
    const tring = await t.tring();
    const desk = await openDesk(t, tring);
    await connect(desk);
    const ops = await openOps(t, tring, PHONE);
    await ops.untilCount('.ops-group[data-kind=call] .live-row', 2);
    await ops.untilText('.live-row', /bit\/s/);
    await ops.checkForm('list on a phone');
    await ops.picture('phone-list');
    await ops.page.click('.live-row a');
    await ops.untilText('#ice-state', /connected/);
    await until('its plots draw', async () => (await ops.plotPoints('Bitrate in'))[0] >= 3);
    await ops.checkForm('view on a phone');
    await ops.picture('phone-view');
    await desk.agent.hangUp();
    await ops.page.waitForSelector('#view-gone');
    await ops.page.click('#section-past');
    await ops.untilCount('.past-row', 2);
    await ops.checkForm('past on a phone');
    await ops.page.click('.past-row a');
    await ops.untilText('#of-call', /Call of Customer .* with Ann/);
    await ops.checkForm('summary on a phone');
    await ops.picture('phone-summary');
    await ops.page.click('#of-call a');
    await ops.untilCount('.past-row', 2);
    await ops.page.click('#section-reports');
    await ops.page.waitForSelector('#reports-empty');
    await ops.page.click('#section-server');
    await ops.untilText('[aria-label="Media workers"] tbody', /\d/);
    await ops.checkForm('server on a phone');
    await ops.picture('phone-server');
  },
  LIMIT,
);

test('ops: a page that waits for the server goes on when it is back', async (t) => {
  t.allow(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/, REFUSED);
  const tring = await t.tring();
  const ops = await openOps(t, tring);
  const gate = new Ops(await t.page(), tring);
  await gate.page.goto(`${adminUrl(tring)}/ops/`);
  await gate.page.waitForSelector('#gate');
  await tring.stop();
  await gate.enter(await adminSecret(tring));
  await gate.untilText('#gate-problem', /cannot be reached/);
  await ops.page.click('#section-reports');
  await ops.untilText('#trouble', /cannot be reached/);
  await tring.launch();
  await ops.page.waitForSelector('#reports-empty');
  await gate.page.waitForSelector('#live-empty');

  await gate.page.evaluate(() => (location.hash = '#/past/%'));
  await gate.page.waitForSelector('#past-back'); // not an address that anybody was given
});
