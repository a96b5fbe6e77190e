// Debian's janus-demos pages, unmodified, on this server.

import { DemoPages } from '../lib/demos.mjs';
import { check, test } from '../lib/harness.mjs';
import { incoming, incomingDuring, untilMediaFlows } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const VIDEO_CODECS = ['vp8', 'vp9', 'h264', 'av1'];
/** Where the page sends a stream a layer; of the others Chromium makes one stream with layers in it. */
const SIMULCAST_CODECS = ['vp8', 'h264'];

/** The addresses under which a server has the API. */
const SERVERS = {
  http: ({ ports }) => `http://localhost:${ports.http}/janus`,
  websocket: ({ ports }) => `ws://localhost:${ports.ws}`,
  'websocket on the web port': ({ ports }) => `ws://localhost:${ports.http}`,
};

async function demos(t) {
  const pages = await DemoPages.start();
  t.atEnd(() => pages.stop());
  // janus.js asks for statistics each second; an answer that comes after the hang-up finds no place.
  t.allow(/\(setting 'bsnow'\)/);
  return pages;
}

/** A demo page whose connection the test can reach: window.testPc. */
async function openDemo(t, address) {
  const page = await t.page();
  await page.addInitScript(() => {
    const Real = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
      constructor(...args) {
        super(...args);
        window.testPc = this;
      }
    };
  });
  await page.goto(address);
  return page;
}

async function startEcho(t, pages, server, parameters) {
  const page = await openDemo(t, pages.address('echotest.html', server, parameters));
  await page.click('#start:not([disabled])');
  return page;
}

/** The Stop button: the page leaves the server, and is back at its beginning. */
async function stopEcho(t, page) {
  t.checkPages();
  // Its long poll, which its own reload cuts off (before the reply or in it), or which crosses its
  // own destroy.
  t.allow(
    /Probably a network error/,
    /Failed to parse response body/,
    /Ooops: 458 No such session/,
  );
  await page.click('#start:has-text("Stop")');
  await page.waitForSelector('#start:has-text("Start")'); // it reloads itself when destroyed
}

for (const transport of ['http', 'websocket']) {
  for (const vcodec of VIDEO_CODECS) {
    test(`demos: echotest ${vcodec} over ${transport}`, async (t) => {
      const pages = await demos(t);
      const page = await startEcho(t, pages, SERVERS[transport](await t.tring()), { vcodec });
      const { codec, audioCodec } = await flows(page);
      check(`the codec is ${vcodec}`, codec.toLowerCase() === `video/${vcodec}`);
      check('sound in Opus', audioCodec === 'audio/opus');
      await stopEcho(t, page);
    });

    test(`demos: echotest ${vcodec} with simulcast over ${transport}`, async (t) => {
      const pages = await demos(t);
      const server = SERVERS[transport](await t.tring());
      const page = await startEcho(t, pages, server, { vcodec, simulcast: 'yes' });
      const { codec } = await flows(page);
      check(`the codec is ${vcodec}`, codec.toLowerCase() === `video/${vcodec}`);
      const layers = SIMULCAST_CODECS.includes(vcodec) ? await switchLayers(page) : '';
      await stopEcho(t, page);
      return layers;
    });
  }
}

async function flows(page) {
  return untilMediaFlows(page, { which: 'test' });
}

/** Down and up again with the buttons of the page: the picture becomes smaller, then bigger. */
async function switchLayers(page) {
  await page.waitForSelector('#sl-0');
  await page.click('#sl-0');
  const low = await until('the lowest layer', async () => {
    await page.waitForSelector('#sl-0.btn-success', { timeout: 100 });
    return (await sending(page)).find(({ width }) => width > 0)?.rid && incoming(page, 'test');
  });
  const small = await until('a small picture', async () => {
    const layer = (await sending(page)).find(({ rid }) => rid === 'l');
    const width = await remoteWidth(page);
    return layer?.width === width ? width : null;
  });
  await page.click('#sl-1');
  const bigger = await until('a bigger picture', async () => {
    const width = await remoteWidth(page);
    return width > small ? width : null;
  });
  check('it went on', (await flows(page)).frames > 0 && low.frames > 0);
  return `${small} -> ${bigger} pixels wide`;
}

/** The layers that the page sends: { rid, width, frames }. */
function sending(page) {
  return page.evaluate(async () => {
    const report = [...(await window.testPc.getStats()).values()];
    return report
      .filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video')
      .map(({ rid, frameWidth, framesSent }) => ({
        rid,
        width: frameWidth ?? 0,
        frames: framesSent,
      }));
  });
}

function remoteWidth(page) {
  return page.evaluate(() => document.querySelector('#videoright video')?.videoWidth ?? 0);
}

test('demos: echotest on the web port, other audio codecs', async (t) => {
  const pages = await demos(t);
  const server = SERVERS['websocket on the web port'](await t.tring());
  for (const acodec of ['pcma', 'opus']) {
    const page = await startEcho(t, pages, server, { acodec });
    const { audioCodec } = await flows(page);
    check(`sound in ${acodec}`, audioCodec.toLowerCase() === `audio/${acodec}`);
    await stopEcho(t, page);
  }
});

test('demos: echotest mutes, and limits the bitrate', async (t) => {
  const pages = await demos(t);
  const page = await startEcho(t, pages, SERVERS.websocket(await t.tring()), {});
  await flows(page);
  await page.click('#toggleaudio');
  await until(
    'no sound',
    async () => (await incomingDuring(page, 1000, 'test')).audioPackets === 0,
  );
  await page.click('#toggleaudio');
  await page.click('#togglevideo');
  await until('no picture', async () => (await incomingDuring(page, 1000, 'test')).frames === 0);
  await page.click('#togglevideo');
  await flows(page);
  const limits = await limitBitrate(page);
  await flows(page);
  await stopEcho(t, page);
  return limits;
});

async function limitBitrate(page) {
  const choose = async (label) => {
    await page.click('#bitrateset');
    await page.click(`#bitrate >> text="${label}"`);
  };
  const kbps = async () => ((await incomingDuring(page, 2000, 'test')).videoBytes * 8) / 2000;
  const fast = await until(
    'a good rate',
    async () => {
      const rate = await kbps();
      return rate > 400 ? rate : null;
    },
    { limit: 40_000 },
  );
  await choose('Cap to 128kbit');
  const slow = await until('a low rate', async () => {
    const rate = await kbps();
    return rate < 200 ? rate : null;
  });
  await choose('No limit');
  await until('a good rate again', async () => (await kbps()) > 300, { limit: 40_000 });
  return `${Math.round(fast)} -> ${Math.round(slow)} kbit/s`;
}

test('demos: echotest, a data channel', async (t) => {
  const pages = await demos(t);
  const page = await startEcho(t, pages, SERVERS.websocket(await t.server()), {});
  await flows(page);
  await sendData(page);
  await stopEcho(t, page);
});

/** What is typed comes back. */
async function sendData(page) {
  for (const text of ['hello', 'Grüße, 你好', 'x'.repeat(20_000)]) {
    await page.fill('#datasend:not([disabled])', text);
    await page.press('#datasend', 'Enter');
    await untilReceived(page, `Janus EchoTest here! You wrote: ${text}`);
  }
}

function untilReceived(page, text) {
  return until(`${text.slice(0, 100)} came`, async () => {
    const now = await page.inputValue('#datarecv');
    if (now === text) return true;
    throw new Error(`${now.length} characters: ${now.slice(0, 100)}`);
  });
}

test('demos: encrypted from end to end', async (t) => {
  t.allow(/RangeError: Offset is outside the bounds/); // its transform cannot take frames below 5 bytes
  const pages = await demos(t);
  const server = SERVERS.websocket(await t.server());
  const page = await openDemo(t, pages.address('e2etest.html', server, { vcodec: 'vp8' }));
  await page.click('#start:not([disabled])');
  await page.fill('.bootbox-input-text', 'mysecret');
  await page.click('.bootbox button:has-text("OK")');
  await flows(page); // decoded, so it is what was encrypted
  await sendData(page);
  await stopEcho(t, page);
});

test('demos: videocall between two pages', async (t) => {
  const pages = await demos(t);
  const tring = await t.tring();
  const ann = await register(t, pages, SERVERS.http(tring), 'ann');
  const bob = await register(t, pages, SERVERS.websocket(tring), 'bob');
  await callFromTo(ann, bob, 'bob');
  await ann.fill('#datasend:not([disabled])', 'hello bob');
  await ann.press('#datasend', 'Enter');
  await untilReceived(bob, 'hello bob');
  await bob.fill('#datasend:not([disabled])', 'hello ann');
  await bob.press('#datasend', 'Enter');
  await untilReceived(ann, 'hello ann');
  await bob.click('#call:has-text("Hangup")');
  await ann.waitForSelector('#call:has-text("Call"):not([disabled])');
  await bob.waitForSelector('#call:has-text("Call"):not([disabled])');
  await callFromTo(bob, ann, 'ann'); // the other way, on the same handles
  await bob.click('#call:has-text("Hangup")');
  await ann.waitForSelector('#call:has-text("Call"):not([disabled])');
});

async function register(t, pages, server, name) {
  const page = await openDemo(t, pages.address('videocalltest.html', server));
  await page.click('#start:not([disabled])');
  await page.fill('#username', name);
  await page.click('#register');
  await page.waitForSelector(`#youok:has-text("Registered as '${name}'")`);
  return page;
}

async function callFromTo(caller, callee, name) {
  await caller.fill('#peer', name);
  await caller.click('#call');
  await callee.click('button:has-text("Answer")');
  await Promise.all([flows(caller), flows(callee)]);
}

test('demos: videocall declined', async (t) => {
  const pages = await demos(t);
  const server = SERVERS.websocket(await t.tring());
  const ann = await register(t, pages, server, 'ann');
  const bob = await register(t, pages, server, 'bob');
  await ann.fill('#peer', 'bob');
  await ann.click('#call');
  await bob.click('button:has-text("Decline")');
  await ann.waitForSelector('#call:has-text("Call"):not([disabled])');
});
