// The reports of /diag, by the support code that a person tells.

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { formatWhen } from '../shared/format.js';
import { at, listOf, numberOf, objectOf, textOf, type Json } from './json.js';
import { facts } from './parts.js';
import { Section } from './section.js';
import { words } from './words.js';

@customElement('reports-view')
export class ReportsView extends Section {
  @property() code = '';
  @state() private list: Json[] | null = null;
  @state() private report: Json | null = null;

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('code')) void this.ask();
  }

  private async ask(): Promise<void> {
    this.report = null;
    await this.untilAnswered(async () => {
      if (this.code) {
        this.report = objectOf(await this.api.get(`diag-reports/${encodeURIComponent(this.code)}`));
      } else {
        this.list = listOf(at(await this.api.get('diag-reports'), 'reports')).map(objectOf);
      }
    });
  }

  protected override render(): TemplateResult {
    const w = words.reports;
    return html`<section aria-labelledby="reports-title">
      <div class="ops-head"><h1 id="reports-title">${w.title}</h1></div>
      <p class="muted">${w.lead}</p>
      ${this.troubleNotice()}
      <form class="inline" @submit=${this.onFind}>
        <label class="field grow"
          ><span>${w.code}</span>
          <input
            id="report-code"
            autocomplete="off"
            autocapitalize="characters"
            maxlength="16"
            required
        /></label>
        <button type="submit" class="button primary" id="report-find">${w.find}</button>
      </form>
      ${this.code ? this.one() : this.all()}
    </section>`;
  }

  private one(): TemplateResult {
    const w = words.reports;
    return html`<p><a href="#/reports">‹ ${w.back}</a></p>
      ${
        this.trouble === 'gone'
          ? html`<p class="notice" id="report-none" role="status">${w.none}</p>`
          : nothing
      }
      ${this.report ? content(this.report) : this.trouble === 'none' ? words.loading : nothing}`;
  }

  private all(): TemplateResult {
    const w = words.reports;
    if (this.trouble === 'gone') return html`<p class="notice">${w.unavailable}</p>`;
    if (this.list === null) return html`${this.trouble === 'none' ? words.loading : nothing}`;
    if (this.list.length === 0) return html`<p class="empty" id="reports-empty">${w.empty}</p>`;
    return html`<ul class="rows">
      ${this.list.map(
        (row) =>
          html`<li class="report-row">
            <a class="figures" href="#/reports/${textOf(row.code)}">${textOf(row.code)}</a>
            <span>${textOf(row.verdict)}</span>
            <span class="muted">${w.from(textOf(row.source))}</span>
            <span class="muted figures">${formatWhen(numberOf(row.at_ms) ?? 0)}</span>
          </li>`,
      )}
    </ul>`;
  }

  private readonly onFind = (event: Event): void => {
    event.preventDefault();
    const code = this.querySelector<HTMLInputElement>('#report-code')?.value.trim() ?? '';
    if (code) location.hash = `#/reports/${encodeURIComponent(code)}`;
  };
}

function content(report: Json): TemplateResult {
  return html`<h2 id="report-title" class="figures">${textOf(report.code)}</h2>
    ${facts([
      [words.reports.at, formatWhen(numberOf(report.at_ms) ?? 0)],
      [words.reports.network, textOf(report.source)],
      [words.reports.verdict, textOf(report.verdict)],
    ])}
    <pre class="raw" tabindex="0" role="region" aria-label=${words.reports.title}>
${JSON.stringify(report.report, null, 2)}</pre>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'reports-view': ReportsView;
  }
}
