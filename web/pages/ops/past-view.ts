// The summary of one connection.

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { formatBytes, formatLength } from '../shared/format.js';
import { personName } from '../shared/messages.js';
import { pluginName, toPast, type PastConnection } from './connections.js';
import { formatCount, formatLoss, formatMs, formatPath, formatRate } from './figures.js';
import { countOf, textOf } from './json.js';
import { connectionPlots, facts, table } from './parts.js';
import { History, METRICS, type Metric } from './samples.js';
import { Section } from './section.js';
import { words } from './words.js';
import '../shared/time-plot.js';

@customElement('past-view')
export class PastView extends Section {
  @property() connection = '';
  @state() private found: PastConnection | null = null;

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('connection')) void this.ask();
  }

  private async ask(): Promise<void> {
    this.found = null;
    await this.untilAnswered(async () => {
      const answer = await this.api.get(`past-connections/${encodeURIComponent(this.connection)}`);
      this.found = toPast(answer)[0] ?? null;
    });
  }

  protected override render(): TemplateResult {
    const { past } = words;
    return html`<section aria-labelledby="past-view-title">
      <p><a href="#/past" id="past-back">‹ ${past.back}</a></p>
      ${this.troubleNotice()}
      ${this.trouble === 'gone' ? html`<p class="notice">${past.gone}</p>` : nothing}
      ${this.found ? summary(this.found) : this.trouble === 'none' ? words.loading : nothing}
    </section>`;
  }
}

function summary(c: PastConnection): TemplateResult {
  const { past } = words;
  const history = new History();
  history.prepend(c.series);
  return html`<div class="ops-head">
      <h1 id="past-view-title">${c.who || textOf(c.facts.opaque_id) || words.noName}</h1>
    </div>
    ${c.ofCall ? callNotice(c.ofCall) : nothing}
    <h2>${past.facts}</h2>
    ${factsOf(c)}
    <h2>${past.plots}</h2>
    ${
      history.length > 0
        ? connectionPlots(history, Math.max(10_000, history.spanMs))
        : html`<p class="muted" id="no-samples">${past.noSamples}</p>`
    }
    <div class="ops-columns">
      <section>
        <h2>${past.figures}</h2>
        ${table(
          past.figures,
          ['', past.mean, past.worst],
          METRICS.filter((name) => c.metrics[name]).map((name) => {
            const { mean = 0, max = 0 } = c.metrics[name] ?? {};
            return [past.metrics[name], figure(name, mean), figure(name, max)];
          }),
          { names: true },
        )}
      </section>
      <section>
        <h2>${past.totals}</h2>
        ${table(
          past.totals,
          ['', words.server.total],
          [...Object.entries(c.totals), ...Object.entries(c.drops).map(dropRow)].map(
            ([name, count]) => [
              name.replaceAll('_', ' '),
              name.startsWith('bytes') ? formatBytes(count) : formatCount(count),
            ],
          ),
          { names: true },
        )}
      </section>
    </div>`;
}

function dropRow([cause, count]: [string, number]): [string, number] {
  return [`${words.server.drops.toLowerCase()}: ${cause}`, count];
}

function callNotice(call: NonNullable<PastConnection['ofCall']>): TemplateResult {
  const { past } = words;
  return html`<div class="note" id="of-call">
    ${past.callOf(personName(call.caller), personName(call.callee))} · ${past.recording}:
    ${call.recording} · <a href="#/past/of/${call.id}">${past.siblings}</a>
  </div>`;
}

function factsOf(c: PastConnection): TemplateResult {
  const { past } = words;
  const text = (name: string): string => textOf(c.facts[name]);
  const count = (name: string): number => countOf(c.facts[name]);
  const when = (ms: number): string =>
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' }).format(ms);
  return facts([
    [past.started, when(c.startedMs)],
    [past.up, c.upMs === null ? past.never : when(c.upMs)],
    [past.ended, when(c.endedMs)],
    [past.columns.length, c.upMs === null ? null : formatLength(c.endedMs - c.upMs)],
    [past.reason, c.reason],
    [past.plugin, pluginName(c.plugin)],
    [past.room, c.room],
    [past.role, c.role],
    [past.peer, c.peer],
    [
      past.path,
      c.path
        ? `${formatPath(c.path.type, c.path.protocol)}, ${c.path.remote} to ${c.path.local}`
        : null,
    ],
    [past.codecs, c.codecs],
    [past.security, [text('dtls_cipher'), text('srtp_profile')].filter((v) => v).join(', ')],
    [past.switches, `${count('ice_switches')} / ${count('ice_restarts')}`],
    [past.layers, String(count('layer_changes'))],
    [past.silent, `${count('video_silent_s')} s`],
    [past.client, text('client')],
    [past.opaque, text('opaque_id')],
    [past.session, String(count('session_id'))],
    [past.handle, String(count('handle_id'))],
  ]);
}

function figure(name: Metric, value: number): string {
  if (name.endsWith('_us')) return formatMs(value);
  if (name.endsWith('_ppm')) return formatLoss(value);
  return name.endsWith('_bps') ? formatRate(value) : formatCount(value);
}

declare global {
  interface HTMLElementTagNameMap {
    'past-view': PastView;
  }
}
