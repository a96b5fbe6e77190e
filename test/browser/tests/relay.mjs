// The relay as browsers use it: they may take nothing else (iceTransportPolicy), by each transport.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launchChromium } from '../lib/chromium.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { Skip, check, test } from '../lib/harness.mjs';
import { installEcho } from '../lib/layers.mjs';
import { LOOPBACK, OWN_ADDRESS as ADDRESS, freeTcpPort } from '../lib/ports.mjs';
import { until } from '../lib/wait.mjs';

const TRANSPORTS = {
  udp: /^turn:.*transport=udp/,
  tcp: /^turn:.*transport=tcp/,
  tls: /^turns:.*transport=tcp/,
};
const FRAMES = 20;
const PACKETS = 50;

async function certificate(folder) {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', '/CN=relay', '-addext', `subjectAltName=IP:${ADDRESS}`],
    ...['-keyout', key, '-out', cert],
  ]);
  return { key, cert };
}

async function serverWithRelay(t) {
  const { key, cert } = await certificate(await t.folder());
  return t.tring({
    env: {
      TRING_TURN_BIND: ADDRESS,
      TRING_TURN_HOST: ADDRESS,
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

async function chromiumPage(t) {
  const browser = await launchChromium({ args: ['--ignore-certificate-errors'] });
  t.atEnd(() => browser.close());
  return t.page({ browser });
}

async function echo(t, page, transport) {
  const tring = await serverWithRelay(t);
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

for (const transport of Object.keys(TRANSPORTS)) {
  test(`relay: Chromium over ${transport}`, async (t) => echo(t, await chromiumPage(t), transport));
}

// Firefox takes no certificate that it does not know, and cannot be told to.
for (const transport of ['udp', 'tcp']) {
  test(`relay: Firefox over ${transport}`, async (t) => {
    if (ADDRESS === LOOPBACK) throw new Skip('Firefox takes no relay at a loopback address');
    return echo(t, await firefoxPage(t), transport);
  });
}
