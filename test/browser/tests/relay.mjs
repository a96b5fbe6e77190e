// The relay as browsers use it: they may take nothing else (iceTransportPolicy), by each transport.

import { launchChromium } from '../lib/chromium.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { Skip, check, test } from '../lib/harness.mjs';
import { installEcho } from '../lib/layers.mjs';
import { LOOPBACK, OWN_ADDRESS as ADDRESS, freeTcpPort } from '../lib/ports.mjs';
import { Authority } from '../lib/trust.mjs';
import { until } from '../lib/wait.mjs';

const TRANSPORTS = {
  udp: /^turn:.*transport=udp/,
  tcp: /^turn:.*transport=tcp/,
  tls: /^turns:.*transport=tcp/,
};
const NAME = 'relay.test';
const FRAMES = 20;
const PACKETS = 50;

async function newAuthority(t) {
  return Authority.create(await t.folder());
}

/** `authority`: who issues its certificate. `host`: what clients are told to go to. */
async function serverWithRelay(t, authority, host = ADDRESS) {
  const { key, cert } = await authority.issue(`IP:${ADDRESS}`, `DNS:${NAME}`);
  return t.tring({
    env: {
      TRING_TURN_BIND: ADDRESS,
      TRING_TURN_HOST: host,
      TRING_TURN_PORT: String(await freeTcpPort()),
      TRING_TURN_TLS_PORT: String(await freeTcpPort()),
      TRING_TURN_TLS_CERT: cert,
      TRING_TURN_TLS_KEY: key,
    },
  });
}

/** What this server offers, without all other ways to it. */
async function only(tring, wanted) {
  const { iceServers } = await tring.api('/api/v1/ice-servers');
  const found = iceServers
    .map((one) => ({ ...one, urls: [one.urls].flat().filter((url) => wanted.test(url)) }))
    .filter(({ urls }) => urls.length > 0);
  check(`a URL like ${wanted} in ${JSON.stringify(iceServers)}`, found.length === 1);
  return found;
}

/** A page of somebody who trusts this authority. */
async function trustingPage(t, authority) {
  const browser = await launchChromium({ home: await authority.home() });
  t.atEnd(() => browser.close());
  return t.page({ browser });
}

/** In the page: the candidates that it finds by these servers alone. */
async function gather(iceServers) {
  const pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
  const found = [];
  pc.createDataChannel('any');
  const done = new Promise((resolve) => {
    pc.onicecandidate = ({ candidate }) =>
      candidate ? found.push(candidate.candidate) : resolve();
  });
  await pc.setLocalDescription();
  await done;
  pc.close();
  return found;
}

async function echo(t, page, transport, authority, host) {
  const tring = await serverWithRelay(t, authority, host);
  const rtc = { iceServers: await only(tring, TRANSPORTS[transport]), iceTransportPolicy: 'relay' };
  await page.goto(tring.url);
  await page.evaluate(installEcho);
  const call = {
    codec: 'vp8',
    encodings: [{}],
    size: { width: 320, height: 240 },
    audio: true,
    rtc,
  };
  await page.evaluate(
    ([a, c]) => window.startEcho(a, c),
    [`ws://localhost:${tring.ports.ws}`, call],
  );
  const {
    in: video,
    audio,
    pair,
  } = await until('media both ways', async () => {
    const stats = await page.evaluate(() => window.echo.stats());
    const enough = stats.in?.framesDecoded >= FRAMES && stats.audio?.packetsReceived >= PACKETS;
    return enough && stats.pair && stats;
  });
  check(`by the relay, over ${transport}: ${JSON.stringify(pair)}`, pair.type === 'relay');
  check(`by the relay, over ${transport}: ${JSON.stringify(pair)}`, pair.protocol === transport);
  return `${video.framesDecoded} frames, ${audio.packetsReceived} packets of sound`;
}

for (const transport of ['udp', 'tcp']) {
  test(`relay: Chromium over ${transport}`, async (t) =>
    echo(t, await t.page(), transport, await newAuthority(t)));
}

test('relay: Chromium over tls, with a certificate that it trusts', async (t) => {
  const authority = await newAuthority(t);
  return echo(t, await trustingPage(t, authority), 'tls', authority);
});

test('relay: Chromium over tls, with one that it does not trust', async (t) => {
  const tring = await serverWithRelay(t, await newAuthority(t));
  const page = await trustingPage(t, await newAuthority(t));
  await page.goto(tring.url);
  const candidates = await page.evaluate(gather, await only(tring, TRANSPORTS.tls));
  check(`no relay: ${JSON.stringify(candidates)}`, candidates.length === 0);
});

for (const transport of ['udp', 'tcp', 'tls']) {
  test(`relay: Firefox over ${transport}`, async (t) => {
    if (ADDRESS === LOOPBACK) throw new Skip('Firefox takes no relay at a loopback address');
    const authority = await newAuthority(t);
    const profile = await authority.profile();
    // It takes no turns: of an address, and asks no name server in a test.
    const page = await firefoxPage(t, { profile, names: ADDRESS });
    return echo(t, page, transport, authority, NAME);
  });
}
