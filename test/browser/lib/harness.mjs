// A small runner. A test gets a scope: what it opens there is closed at its end, in reverse order, and
// what a page complains about there fails it. Some can run side by side, where there are cores for it.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium, watchPage } from './chromium.mjs';
import { Janus } from './janus.mjs';
import { Tring } from './tring.mjs';
import { within } from './wait.mjs';

export const OUT = fileURLToPath(new URL('../../../build/browser-failures/', import.meta.url));
const LIMIT = 90_000;
const LANES = Number(process.env.TEST_LANES ?? 1);

const tests = [];

/**
 * Adds a test; `limit` in milliseconds. `alone`: it measures time or a rate, so nothing may run beside
 * it; those come last.
 */
export function test(name, run, { limit = LIMIT, alone = false } = {}) {
  tests.push({ name, run, limit, alone });
}

/** Thrown by a test that cannot be run here. */
export class Skip extends Error {}

export function check(what, condition) {
  if (!condition) throw new Error(`not so: ${what}`);
}

class Scope {
  constructor(name, shared) {
    this.name = name;
    this.shared = shared;
    this.closers = [];
    this.problems = [];
    this.allowed = [];
    this.pages = [];
    this.children = [];
    this.report = [];
  }

  atEnd(close) {
    this.closers.push(close);
  }

  /** A server of this test's own; it must end well at the end. */
  async tring(options) {
    const tring = await Tring.start(options);
    this.children.push(tring);
    this.atEnd(() => tring.remove());
    this.atEnd(() => tring.stop());
    return tring;
  }

  /**
   * What the tests of the Janus API call: Tring, or with TEST_SERVER=janus Debian's Janus, which tells
   * a wrong test from a wrong server.
   */
  async server(options) {
    if (process.env.TEST_SERVER !== 'janus') return this.tring(options);
    const janus = await Janus.start({ lite: true }); // as Tring
    this.children.push(janus);
    this.atEnd(() => janus.remove());
    this.atEnd(() => janus.stop());
    return janus;
  }

  /** A new folder that goes with the test. */
  async folder() {
    const path = await mkdtemp(join(tmpdir(), 'tring-test-'));
    this.atEnd(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** The Chromium that the tests share, as long as they need no options of their own. */
  async chromium() {
    this.shared.chromium ??= await launchChromium();
    return this.shared.chromium;
  }

  /** A page in a new context: no storage is shared with another. */
  async page({ browser, ...options } = {}) {
    const context = await (browser ?? (await this.chromium())).newContext(options);
    this.atEnd(() => context.close());
    const page = await context.newPage();
    this.watch(page);
    return page;
  }

  watch(page) {
    this.pages.push(page);
    watchPage(page, (problem) => this.problems.push(problem));
  }

  /** Complaints of pages that this test provokes. */
  allow(...patterns) {
    this.allowed.push(...patterns);
  }

  /** Fails if a page complained until now. */
  checkPages() {
    const [first] = this.complaints();
    if (first) throw new Error(`a page complained: ${first}`);
  }

  complaints() {
    return this.problems.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }

  async close() {
    const errors = [];
    for (const close of this.closers.reverse()) {
      await within('closing', close(), 30_000).catch((error) => errors.push(error.message));
    }
    return errors;
  }

  /** What helps to understand a failure. */
  async evidence() {
    await mkdir(OUT, { recursive: true });
    for (const [index, page] of this.pages.entries()) {
      const path = join(OUT, `${this.name.replace(/\W+/g, '-')}-${index}.png`);
      const taken = await within('picture', page.screenshot({ path }), 5000).then(
        () => true,
        () => false,
      );
      if (taken) this.report.push(`    picture: ${path}`);
    }
    for (const { child } of this.children) {
      this.report.push(child.tail().replace(/^/gm, '    | '));
    }
  }
}

async function runOne({ name, run, limit }, shared) {
  const scope = new Scope(name, shared);
  const start = Date.now();
  const failures = [];
  let figure;
  try {
    figure = await within(name, run(scope), limit);
  } catch (error) {
    if (error instanceof Skip) {
      await scope.close();
      console.log(`skip ${name}: ${error.message}`);
      return 'skipped';
    }
    failures.push(error.stack);
  }
  failures.push(...scope.complaints().map((text) => `a page complained: ${text}`));
  if (failures.length > 0) await scope.evidence();
  failures.push(...(await scope.close()));
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  scope.report.push(
    `${failures.length ? 'FAIL' : 'ok  '} ${name} (${seconds} s)${figure ? `: ${figure}` : ''}`,
    ...failures.map((failure) => failure.replace(/^/gm, '    ')),
  );
  console.log(scope.report.join('\n')); // at once: another test may speak as well
  return failures.length ? 'failed' : 'passed';
}

/** Takes tests from the queue, one after the other, with a browser that they share. */
async function runLane(queue, counts) {
  const shared = { chromium: null };
  for (let one = queue.shift(); one; one = queue.shift()) {
    counts[await runOne(one, shared)]++;
    if (shared.chromium && !shared.chromium.isConnected()) shared.chromium = null;
  }
  await shared.chromium?.close();
}

/** Runs the tests whose name contains the filter; true when none failed. */
export async function runAll(filter = '') {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const chosen = tests.filter(({ name }) => name.includes(filter));
  const together = chosen.filter(({ alone }) => !alone);
  await Promise.all(Array.from({ length: LANES }, () => runLane(together, counts)));
  await runLane(
    chosen.filter(({ alone }) => alone),
    counts,
  );
  if (counts.skipped) console.log(`${counts.skipped} skipped`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && counts.passed > 0;
}
