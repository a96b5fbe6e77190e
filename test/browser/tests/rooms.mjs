// The video room pages of Debian's janus-demos, unmodified, with people in them.

import { firefoxPage } from '../lib/firefox.mjs';
import { check, test } from '../lib/harness.mjs';
import { ROOM, THREE_LAYERS, allSee, enterRoom, openRoom } from '../lib/room.mjs';
import { until } from '../lib/wait.mjs';

const PLAIN = 'videoroomtest.html'; // a connection for each one that it sees
const MULTI = 'mvideoroomtest.html'; // one connection for all of them

const SMALL = { width: 320, height: 240 };

/** What every page does: someone leaves and comes again, unpublishes and publishes again. */
async function comeAndGo(ann, bob, again) {
  await bob.unpublish();
  await ann.untilGone('bob');
  await bob.publish();
  await allSee([ann, bob]);
  await bob.leave();
  await ann.untilGone('bob');
  await bob.join(again);
  await allSee([ann, bob]);
}

test('rooms: videoroom page, two people', async (t) => {
  const room = await openRoom(t);
  const [ann, bob] = [
    await enterRoom(t, room, 'ann', PLAIN),
    await enterRoom(t, room, 'bob', PLAIN),
  ];
  await allSee([ann, bob]);
  await comeAndGo(ann, bob, room.address(PLAIN));
  return limitBitrate(ann, bob);
});

/** With the menu of bob's page; ann gets less, then more again. */
async function limitBitrate(ann, bob) {
  const choose = async (id) => {
    await bob.click('#bitrateset');
    await bob.page.click(`#bitrate a[id="${id}"]`);
  };
  const until_ = (what, ok) =>
    until(
      what,
      async () => {
        const rate = await ann.videoRate();
        if (ok(rate)) return rate;
        throw new Error(`${Math.round(rate / 1000)} kbit/s`);
      },
      { limit: 40_000 },
    );
  const fast = await until_('a good rate', (rate) => rate > 350_000);
  await choose(128);
  const slow = await until_('a low rate', (rate) => rate < 200_000);
  await choose(0);
  await until_('a good rate again', (rate) => rate > 300_000);
  return `${Math.round(fast / 1000)} -> ${Math.round(slow / 1000)} kbit/s`;
}

test('rooms: multistream page, two people, one with simulcast', async (t) => {
  const room = await openRoom(t, { bitrate: 2_000_000 });
  const layered = { simulcast: 'true' };
  const ann = await enterRoom(t, room, 'ann', MULTI, { camera: SMALL });
  const bob = await enterRoom(t, room, 'bob', MULTI, { camera: THREE_LAYERS, ...layered });
  await allSee([ann, bob]);
  await switchLayers(ann, 'bob');
  await comeAndGo(ann, bob, room.address(MULTI, layered));
});

/** The best layer comes by itself; then the buttons of the page: the least, and upwards again. */
async function switchLayers(one, name) {
  const box = await one.boxOf(name);
  const untilWide = (width) =>
    until(
      `a picture ${width} wide`,
      async () => {
        const now = (await one.picture(name)).width;
        if (now === width) return true;
        throw new Error(`it is ${now} wide`);
      },
      { limit: 30_000 },
    );
  await untilWide(THREE_LAYERS.width);
  for (const [layer, divisor] of [
    [0, 4],
    [1, 2],
    [2, 1],
  ]) {
    await one.click(`#sl${box}-${layer}`);
    await one.page.waitForSelector(`#sl${box}-${layer}.btn-success`);
    await untilWide(THREE_LAYERS.width / divisor);
    await one.untilSees(name);
  }
}

for (const [page, parameters] of [
  [PLAIN, { simulcast: 'true' }],
  [MULTI, { camera: SMALL }],
]) {
  const how = parameters.simulcast ? 'with simulcast' : 'without simulcast';
  test(`rooms: ${page}, four people ${how}`, async (t) => {
    const room = await openRoom(t);
    const people = await Promise.all(
      ['ann', 'bob', 'cas', 'dan'].map((name) => enterRoom(t, room, name, page, parameters)),
    );
    await allSee(people);
    const [ann, bob, cas, dan] = people;
    await dan.leave();
    await Promise.all([ann, bob, cas].map((one) => one.untilGone('dan')));
    await dan.join(room.address(page, parameters));
    await allSee(people);
  });
}

test('rooms: a screen is shared', async (t) => {
  t.allow(/play\(\) request was interrupted by a new load request/); // the page starts its video twice
  const { address } = await openRoom(t);
  const [sharer, viewer] = [await t.page(), await t.page()];
  for (const page of [sharer, viewer]) {
    await page.goto(address('screensharingtest.html'));
    await page.click('#start:not([disabled])');
  }
  await sharer.fill('#desc', 'what ann sees');
  await sharer.click('#create');
  await sharer.click('.bootbox button:has-text("OK")'); // tells the number of the session
  const session = await sharer.textContent('#session');
  await viewer.fill('#roomid', session);
  await viewer.click('#join');
  await viewer.waitForSelector('#title:has-text("what ann sees")');
  const played = () =>
    viewer.evaluate(() => document.querySelector('#screencapture video')?.currentTime ?? 0);
  const first = await until('a picture', played);
  const second = await until('a picture that moves', async () => {
    const now = await played();
    return now > first + 1 ? now : null;
  });
  check('time goes on', second > first);
  await sharer.close();
  await viewer.click('.bootbox:has-text("the publisher left") button');
});

test('rooms: Firefox on one page, Chromium on the other', async (t) => {
  const room = await openRoom(t);
  const ann = await enterRoom(t, room, 'ann', PLAIN, { camera: SMALL, room: ROOM });
  const options = { camera: SMALL, tab: await firefoxPage(t), simulcast: 'true' };
  const bob = await enterRoom(t, room, 'bob', MULTI, options);
  await allSee([ann, bob]);
  await comeAndGo(ann, bob, room.address(MULTI));
});
