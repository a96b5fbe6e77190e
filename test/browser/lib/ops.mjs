// The operators' page on the Admin port.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from './harness.mjs';
import { until } from './wait.mjs';

export function adminUrl(tring) {
  return `http://localhost:${tring.ports.admin}`;
}

export async function adminSecret(tring) {
  return (await readFile(join(tring.dataDir, 'admin.secret'), 'utf8')).trim();
}

/** The page of somebody who has the secret; options of the page as for a browser context. */
export async function openOps(t, tring, options) {
  const page = await t.page(options);
  const ops = new Ops(page, tring);
  await page.goto(`${adminUrl(tring)}/ops/`);
  await ops.enter(await adminSecret(tring));
  await page.waitForSelector('#live-title');
  return ops;
}

export class Ops {
  constructor(page, tring) {
    this.page = page;
    this.tring = tring;
  }

  async enter(secret) {
    await this.page.fill('#secret', secret);
    await this.page.click('#open');
  }

  text(selector) {
    return this.page.evaluate(
      (where) => document.querySelector(where)?.textContent.replace(/\s+/g, ' ').trim() ?? '',
      selector,
    );
  }

  count(selector) {
    return this.page.evaluate((where) => document.querySelectorAll(where).length, selector);
  }

  untilCount(selector, count) {
    return until(`${count} of ${selector}`, async () => {
      const now = await this.count(selector);
      if (now === count) return true;
      throw new Error(`there are ${now}`);
    });
  }

  untilText(selector, pattern, limit) {
    return until(
      `${selector} says ${pattern}`,
      async () => {
        const now = await this.text(selector);
        if (pattern.test(now)) return now;
        throw new Error(`it says ${now}`);
      },
      { limit },
    );
  }

  /** The value of a list of facts. */
  fact(name, within = 'main') {
    return this.page.evaluate(
      ([where, what]) => {
        const terms = [...document.querySelectorAll(`${where} dt`)];
        const term = terms.find(({ textContent }) => textContent === what);
        return term?.nextElementSibling.textContent.replace(/\s+/g, ' ').trim() ?? null;
      },
      [within, name],
    );
  }

  /** How many points the lines of the plots with this label have. */
  plotPoints(label) {
    return this.page.evaluate((what) => {
      const plots = [...document.querySelectorAll('time-plot')];
      const plot = plots.find(({ textContent }) => textContent.trim().startsWith(what));
      const lines = [...(plot?.querySelectorAll('.plot-line') ?? [])];
      return lines.map((line) => (line.getAttribute('d')?.match(/[ML]/g) ?? []).length);
    }, label);
  }

  /** Nothing is wider than the window, and what can be used has a name. */
  async checkForm(where) {
    const wide = await this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    check(`${where}: the page is ${wide} px too wide`, wide <= 0);
    const nameless = await this.page.evaluate(() =>
      [...document.querySelectorAll('main button, main a, main input, main select')]
        .filter((element) => {
          const labels = [...(element.labels ?? [])].map(({ textContent }) => textContent);
          const name = [element.getAttribute('aria-label'), element.textContent, ...labels];
          return !name.some((text) => text?.trim());
        })
        .map(({ outerHTML }) => outerHTML.slice(0, 80)),
    );
    check(`${where}: without a name: ${nameless}`, nameless.length === 0);
  }

  /** For people: OPS_PICTURES names a folder. */
  async picture(name) {
    const folder = process.env.OPS_PICTURES;
    if (folder)
      await this.page.screenshot({
        path: join(folder, `${name}.png`),
        fullPage: true,
      });
  }
}
