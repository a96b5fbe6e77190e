// Debian's Firefox ESR with a fake camera and microphone, driven over WebDriver BiDi.

import { launch } from 'puppeteer-core';

const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true, // a machine that has no other network
  'media.gmp-manager.url': '',
  'media.gmp-provider.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

function launchFirefox({ profile, names }) {
  return launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    userDataDir: profile,
    extraPrefsFirefox: names ? { ...PREFERENCES, 'network.dns.forceResolve': names } : PREFERENCES,
  });
}

function watchFirefoxPage(page, tell) {
  page.on('console', (message) => {
    if (message.type() === 'error') tell(`${page.url()} ${message.text()}`);
  });
  page.on('pageerror', (error) => tell(`${page.url()} ${error.stack || error}`));
}

/**
 * A page in a Firefox of its own, which ends with the test. `profile`: its folder, if not a new one.
 * `names`: the address that all names are taken for.
 */
export async function firefoxPage(t, options = {}) {
  const firefox = await launchFirefox(options);
  t.atEnd(() => firefox.close());
  const page = await firefox.newPage();
  t.pages.push(page);
  watchFirefoxPage(page, (problem) => t.problems.push(problem));
  return page;
}
