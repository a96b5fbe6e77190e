// The page /diag: what it finds out about devices and network, and how it says so.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launchChromium } from '../lib/chromium.mjs';
import { firefoxPage } from '../lib/firefox.mjs';
import { check, test } from '../lib/harness.mjs';
import { until } from '../lib/wait.mjs';

const PHONE = {
  viewport: { width: 390, height: 780 },
  isMobile: true,
  hasTouch: true,
};

async function openDiag(t, tring, options) {
  const page = await t.page(options);
  t.allow(/ice-servers.* 404/); // a server without a relay
  await page.goto(`${tring.url}/diag/`);
  await page.waitForSelector('h1');
  return page;
}

const textOf = (page, selector) =>
  page.evaluate(
    (s) => document.querySelector(s)?.textContent.replace(/\s+/g, ' ').trim(),
    selector,
  );

/** How far the page can be moved sideways: on a phone it must not. */
const overhang = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('diag: the start page leads to it', async (t) => {
  const tring = await t.tring();
  const page = await t.page();
  await page.goto(tring.url);
  await page.click('#link-diag');
  await page.waitForSelector('diag-page h1');
});

test('diag: camera, microphone and speaker', async (t) => {
  const page = await openDiag(t, await t.tring());
  await page.click('#camera-button');
  await page.waitForSelector('#camera-card[data-state=open]');
  await until('a picture', () =>
    page.evaluate(() => document.querySelector('#camera-video').videoWidth > 0),
  );
  check('what the camera gives', /pixels/.test(await textOf(page, '#camera-gives')));
  await page.click('#microphone-button');
  await until('the meter moves', () =>
    page.evaluate(() => document.querySelector('#microphone-level').value > 0.2),
  );
  await until('and is told in words', async () =>
    /You are heard/.test(await textOf(page, '#microphone-word')),
  );
  const cameras = await page.evaluate(
    () => document.querySelectorAll('#camera-select option').length,
  );
  check('the cameras are listed', cameras >= 2);
  await page.click('#play-sound');
  await page.waitForSelector('#speaker-card[data-state=asking]');
  await until('the answer has the focus', () =>
    page.evaluate(() => document.activeElement?.id === 'heard'),
  );
  await page.keyboard.press('Enter');
  await page.waitForSelector('#speaker-card[data-state=heard]');
  await page.click('#camera-button');
  await page.waitForSelector('#camera-card[data-state=off]');
});

test('diag: a permission that is denied', async (t) => {
  const browser = await launchChromium({ consent: false });
  t.atEnd(() => browser.close());
  const page = await openDiag(t, await t.tring(), {
    browser,
    permissions: [],
  });
  await page.evaluate(refuseDevices);
  for (const kind of ['camera', 'microphone']) {
    await page.click(`#${kind}-button`);
    await page.waitForSelector(`#${kind}-error[data-code=permission-denied]`);
    const said = await textOf(page, `#${kind}-error`);
    check(`in words: ${said}`, said.includes(`may not use your ${kind}`) && /Allow it/.test(said));
  }
});

/** Runs in the page: as a person who says no (a headless browser never asks). */
function refuseDevices() {
  navigator.mediaDevices.getUserMedia = () =>
    Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
}

test('diag: constraints are tried out', async (t) => {
  const page = await openDiag(t, await t.tring());
  await page.click('#try-out-toggle');
  await page.click('#try-out-impossible');
  await page.click('#try-out-open');
  await page.waitForSelector('#try-out-error[data-code=constraints][data-constraint=width]');
  const said = await textOf(page, '#try-out-error');
  check(`what is impossible: ${said}`, /width of exactly 100,000 pixels/.test(said));
  check('and its name', /OverconstrainedError.*“width”/.test(said));

  await page.click('#try-out-clear');
  await page.click('#size-hd');
  await page.fill('#frameRate-max', '20');
  await page.click('#try-out-open');
  await page.waitForSelector('#try-out-got');
  check('the size', /1280 × 720 pixels/.test(await textOf(page, '#try-out-got')));
  const asked = await textOf(page, '#try-out-asked');
  check(
    `the constraints: ${asked}`,
    asked.includes('"width":{"exact":1280}') && asked.includes('"max":20'),
  );
  await page.click('#try-out-close');

  await page.fill('#width-min', 'wide');
  await page.press('#width-min', 'Enter');
  await page.waitForSelector('#try-out-invalid');
});

test('diag: on a phone', async (t) => {
  const page = await openDiag(t, await t.tring(), PHONE);
  await page.click('#try-out-toggle');
  await page.click('#camera-button');
  await page.waitForSelector('#camera-card[data-state=open]');
  check('nothing sticks out', (await overhang(page)) === 0);
});

/** Starts the check and waits for its verdict. */
async function runCheck(page) {
  await page.click('#start-check');
  await until('a verdict', () => page.evaluate(() => document.querySelector('#verdict') !== null), {
    limit: 80_000,
  });
  return page.evaluate(() => ({
    grade: document.querySelector('#verdict').dataset.grade,
    steps: Object.fromEntries(
      [...document.querySelectorAll('.step')].map(({ id, dataset }) => [
        id.replace('step-', ''),
        dataset.state,
      ]),
    ),
  }));
}

/** What the operators see of a report. */
async function readReport(tring, code) {
  const secret = await readFile(join(tring.dataDir, 'admin.secret'), 'utf8');
  const url = `http://127.0.0.1:${tring.ports.admin}/api/v1/diag-reports/${code}`;
  const response = await fetch(url, { headers: { Authorization: `Bearer ${secret.trim()}` } });
  check(`the report is there: ${response.status}`, response.ok);
  return response.json();
}

test('diag: a network that lets everything through', async (t) => {
  const tring = await t.tring();
  const page = await openDiag(t, tring);
  const { grade, steps } = await runCheck(page);
  check(`the verdict is ${grade}`, grade === 'good');
  for (const step of ['server', 'candidates', 'udp']) check(step, steps[step] === 'passed');
  for (const [step, state] of Object.entries(steps)) {
    check(`${step}: ${state}`, ['passed', 'not-offered'].includes(state));
  }
  const focused = await page.evaluate(() => document.activeElement?.id);
  check(`the focus is on ${focused}`, focused === 'verdict-title');
  const rows = await page.evaluate(() => document.querySelectorAll('.candidate').length);
  check('candidates are listed', rows > 0);
  const figures = await textOf(page, '#step-udp dl');
  check(`figures: ${figures}`, /Round trip \d+ ms.*Loss 0\.0 %.*Bit rate ↑/.test(figures));
  check(
    'plots',
    (await page.evaluate(() => document.querySelectorAll('#step-udp path.plot-line').length)) === 4,
  );

  await page.click('#send-report');
  await page.waitForSelector('#support-code');
  const code = await textOf(page, '#support-code');
  const { report, verdict } = await readReport(tring, code.toLowerCase());
  check('the report has the verdict', verdict === 'good' && report.verdict === 'good');
  check('and the echo call', report.echoes[0].way === 'udp' && report.echoes[0].samples.length > 3);
  const coming = page.waitForEvent('download');
  await page.click('#download-report');
  const download = await coming;
  const file = JSON.parse(await readFile(await download.path(), 'utf8'));
  check('the file is the same, and names the code', file.code === code && file.verdict === 'good');
  const own = report.gathering.candidates.filter(({ type }) => type !== 'relay');
  check(
    'own addresses are masked',
    own.every(({ address }) => /x|hidden/.test(address)),
  );
  return Object.entries(steps)
    .map(([step, state]) => `${step} ${state}`)
    .join(', ');
});

test('diag: the check is stopped, and begun again', async (t) => {
  const page = await openDiag(t, await t.tring());
  await page.click('#start-check');
  await page.waitForSelector('#step-udp[data-state=running]');
  const begun = await page.evaluate(() => document.activeElement?.id);
  check(`the focus is on ${begun}`, begun === 'stop-check');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#step-udp[data-state=skipped]');
  check('it says so', /stopped/.test(await textOf(page, '#check-status')));
  const focused = await page.evaluate(() => document.activeElement?.id);
  check(`the focus is on ${focused}`, focused === 'start-check');
  check('no verdict', (await page.evaluate(() => document.querySelector('#verdict'))) === null);
  await page.click('#start-check');
  await page.waitForSelector('#step-tcp:is([data-state=running], [data-state=not-offered])');
});

test('diag: no way for media', async (t) => {
  const page = await openDiag(t, await t.tring());
  await page.evaluate(blockMedia);
  const { grade, steps } = await runCheck(page);
  check(`the verdict is ${grade}`, grade === 'fails' && steps.udp === 'failed');
  check('why', (await textOf(page, '#verdict-notes')).includes('no calls'));
  check('what to open', /Allow UDP to \S+:\d+/.test(await textOf(page, '#verdict-advice')));
});

/** Runs in the page: as a firewall, the browser gets addresses where nobody listens. */
function blockMedia(directOnly = false) {
  const real = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const relayed = this.getConfiguration().iceTransportPolicy === 'relay';
    if (directOnly && relayed) return real.call(this, description);
    const sdp = description.sdp.replace(/^(a=candidate:\S+ 1 \S+ \d+ \S+) \d+/gm, '$1 1');
    return real.call(this, { type: description.type, sdp });
  };
}

test('diag: only the relay gets through', async (t) => {
  const page = await openDiag(t, await t.tring());
  await page.evaluate(blockMedia, true);
  const { grade, steps } = await runCheck(page);
  check(`the verdict is ${grade}`, grade === 'relay');
  check('the steps', steps.udp === 'failed' && steps['relay-udp'] === 'passed');
  check('why', (await textOf(page, '#verdict-notes')).includes('blocks the direct way'));
  check('what to open', /Allow UDP to \S+:\d+/.test(await textOf(page, '#verdict-advice')));
  const relays = await page.evaluate(
    () => document.querySelectorAll('.candidate[data-type=relay]').length,
  );
  check('relay candidates', relays > 0);
});

test('diag: the server goes away', async (t) => {
  const tring = await t.tring();
  const page = await openDiag(t, tring);
  t.allow(/Failed to load resource/, /ERR_CONNECTION_REFUSED/, /WebSocket connection/);
  await tring.kill();
  const { grade, steps } = await runCheck(page);
  check(`the verdict is ${grade}`, grade === 'fails');
  check('the step', steps.server === 'failed' && steps.udp === 'skipped');
  await page.click('#send-report');
  await page.waitForSelector('#send-failure');
  await tring.launch();
});

test('diag: in Firefox', async (t) => {
  const tring = await t.tring();
  const page = await firefoxPage(t);
  t.allow(/ice-servers.* 404/);
  await page.goto(`${tring.url}/diag/`);
  await page.waitForSelector('#start-check');
  const { grade, steps } = await runCheck(page);
  check(`the verdict is ${grade}`, grade === 'good');
  check('the direct way', steps.udp === 'passed');
  check(
    'candidates',
    (await page.evaluate(() => document.querySelectorAll('.candidate').length)) > 0,
  );
  await page.click('#camera-button');
  await page.waitForSelector('#camera-card[data-state=open]');
  return textOf(page, '#step-udp dl');
});

test('diag: reports are bounded', async (t) => {
  const tring = await t.tring();
  const send = (body, type = 'application/json') =>
    fetch(`${tring.url}/api/v1/diag-reports`, {
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    }).then(({ status }) => status);
  const good = JSON.stringify({ verdict: 'good' });
  const large = JSON.stringify({ verdict: 'good', x: 'x'.repeat(70_000) });
  check('too large', (await send(large)) === 413);
  check('as a form of another site could', (await send(good, 'text/plain')) === 415);
  check('no report', (await send('[')) === 400);
  const answers = await Promise.all(Array.from({ length: 40 }, () => send(good)));
  const kept = answers.filter((status) => status === 201).length;
  check(`${kept} of a flood are kept`, kept > 0 && kept < 10);
  check(
    'the others are refused',
    answers.every((status) => [201, 429].includes(status)),
  );
  const url = `http://127.0.0.1:${tring.ports.admin}/api/v1/diag-reports`;
  check('not for everybody', (await fetch(url)).status === 403);
  check('nor on the main port', (await fetch(`${tring.url}/api/v1/diag-reports`)).status === 405);
});

test('diag: a device error leads to it', async (t) => {
  const tring = await t.tring();
  const page = await t.page();
  await page.goto(`${tring.url}/customer/`);
  await page.evaluate(refuseDevices);
  await page.click('#call-button');
  await page.waitForSelector('#media-error #diag-link[href="/diag/"]');
});

test('diag: a relay whose certificate nobody trusts', async (t) => {
  const [cert, key] = await selfSigned(t);
  const env = { TRING_TURN_TLS_CERT: cert, TRING_TURN_TLS_KEY: key };
  const page = await openDiag(t, await t.tring({ env }));
  const { grade, steps } = await runCheck(page);
  check(`TLS ${steps['relay-tls']}`, steps['relay-tls'] === 'failed');
  check('it names the cause', /certificate/.test(await textOf(page, '#step-relay-tls')));
  check(`the verdict is ${grade} all the same`, grade === 'good');
  check('the server is listed', /turns:/.test(await textOf(page, '#gather-errors')));
});

async function selfSigned(t) {
  const folder = await t.folder();
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const options = '-x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'.split(
    ' ',
  );
  const names = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert];
  await promisify(execFile)('openssl', ['req', ...options, ...names]);
  return [cert, key];
}
