// Debian's Chromium with a fake camera (a pacman) and a fake microphone (a beep a second).

import { chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--allow-loopback-in-peer-connection', // a machine that has no other network
  '--use-fake-device-for-media-stream',
];
const FAKE_CONSENT = '--use-fake-ui-for-media-stream';

/**
 * `consent: false`: nobody answers the question for the camera with yes. `program`: another one, which
 * becomes Chromium by exec. `home`: the folder of its user.
 */
export function launchChromium({ consent = true, args = [], program, home } = {}) {
  return chromium.launch({
    executablePath: program ?? process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...ARGS, ...(consent ? [FAKE_CONSENT] : []), ...args],
    env: home ? { ...process.env, HOME: home } : process.env,
  });
}

/** Tells console errors, exceptions, crashes, and requests that failed. */
export function watchPage(page, tell) {
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    tell(`${message.location().url}:${message.location().lineNumber} ${message.text()}`);
  });
  page.on('pageerror', (error) => tell(`${page.url()} ${error.stack || error}`));
  page.on('crash', () => tell(`${page.url()} crashed`));
}
