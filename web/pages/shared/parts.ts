import { html, type TemplateResult } from 'lit';
import { logo } from './icons.js';
import { t } from './messages.js';

/** The top of every page; `side` is what stands at its end. */
export function pageHeader(side: TemplateResult | string = ''): TemplateResult {
  return html`<header class="top">
    <a class="brand" href="/">${logo}<span>${t.brand}</span></a>
    ${side}
  </header>`;
}

/** To the page that finds out what is wrong, in a tab of its own: here things may be going on. */
export function diagLink(): TemplateResult {
  return html`<a class="link" id="diag-link" href="/diag/" target="_blank" rel="noopener"
    >${t.diag}</a
  >`;
}

/** The page's picture: rings that spread when something rings. */
export function rings(active: boolean): TemplateResult {
  return html`<svg class="rings ${active ? 'active' : ''}" viewBox="0 0 320 320" aria-hidden="true">
    <circle cx="160" cy="160" r="60" />
    <circle cx="160" cy="160" r="95" />
    <circle cx="160" cy="160" r="130" />
    <circle cx="160" cy="160" r="158" />
  </svg>`;
}
