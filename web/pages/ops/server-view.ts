// The server as a whole: what it does now, worker by worker, and why it drops what it drops.

import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { PlotPoint } from '../shared/plot-shape.js';
import { formatCount, formatMemory, formatPerSecond, formatRate, formatUptime } from './figures.js';
import { at, countOf, listOf, numberOf, objectOf, textOf, type Json } from './json.js';
import { parseMetrics, ratesOf, type MetricRow } from './metrics-text.js';
import { facts, plotList, table } from './parts.js';
import { Poller } from './poller.js';
import { Section } from './section.js';
import { words } from './words.js';
import '../shared/time-plot.js';

const EVERY_MS = 2000;
const SPAN_MS = 300_000;
const POINTS = SPAN_MS / EVERY_MS;

/** The counters of one reading, flat: "media.rtp_in", "workers.0.bytes_in", "drops.dtls". */
type Counters = Record<string, number>;

export function countersOf(server: unknown): Counters {
  const counters: Counters = {};
  const add = (prefix: string, values: unknown): void => {
    for (const [name, value] of Object.entries(objectOf(values))) {
      if (typeof value === 'number') counters[`${prefix}.${name}`] = value;
    }
  };
  add('media', at(server, 'media'));
  add('drops', at(server, 'media', 'drops'));
  for (const [index, worker] of listOf(at(server, 'workers')).entries())
    add(`workers.${index}`, worker);
  return counters;
}

@customElement('server-view')
export class ServerView extends Section {
  @state() private server: Json | null = null;
  @state() private metrics: MetricRow[] = [];
  @state() private rates: Counters = {};
  private reading: { counters: Counters; atMs: number } | null = null;
  private readonly lines = new Map<string, PlotPoint[]>();
  protected readonly poller = new Poller(this, EVERY_MS, () => this.ask());

  private async ask(): Promise<void> {
    await this.attempt(async () => {
      const server = objectOf(await this.api.get('server'));
      this.metrics = parseMetrics(await this.api.metrics());
      this.take(server);
    });
  }

  private take(server: Json): void {
    const atMs = numberOf(server.now_ms) ?? Date.now();
    const counters = countersOf(server);
    if (this.reading) {
      this.rates = ratesOf(counters, this.reading.counters, atMs - this.reading.atMs);
      const drops = Object.entries(this.rates).filter(([name]) => name.startsWith('drops.'));
      this.plot('datagrams in', atMs, this.rates['media.datagrams_in']);
      this.plot('datagrams out', atMs, this.rates['media.datagrams_out']);
      this.plot('bits in', atMs, bits(this.rates['media.bytes_in']));
      this.plot('bits out', atMs, bits(this.rates['media.bytes_out']));
      this.plot(
        'drops',
        atMs,
        drops.reduce((sum, [, rate]) => sum + rate, 0),
      );
    }
    this.plot('memory', atMs, countOf(server.memory_bytes));
    this.reading = { counters, atMs };
    this.server = server;
  }

  private plot(name: string, atMs: number, value: number | null | undefined): void {
    const points = this.lines.get(name) ?? [];
    this.lines.set(name, [...points, { atMs, value: value ?? null }].slice(-POINTS));
  }

  protected override render(): TemplateResult {
    return html`<section aria-labelledby="server-title">
      <div class="ops-head"><h1 id="server-title">${words.server.title}</h1></div>
      ${this.troubleNotice()} ${this.server ? this.body(this.server) : words.loading}
    </section>`;
  }

  private body(server: Json): TemplateResult {
    const w = words.server;
    return html`${overview(server)} ${this.plots()}
      <h2>${w.workers}</h2>
      ${this.workers(server)}
      <div class="ops-columns">
        <section>
          <h2>${w.dropsTitle}</h2>
          ${this.drops(server)}
        </section>
        ${this.relay()}
      </div>
      <details class="settings">
        <summary>${w.all}</summary>
        <div class="settings-body">${counterTable(w.all, this.metrics)}</div>
      </details>`;
  }

  private plots(): TemplateResult {
    const w = words.server;
    const { plots } = words;
    const line = (name: string, key: string) => ({ name, points: this.lines.get(key) ?? [] });
    const all = [
      {
        label: w.packets,
        format: formatPerSecond,
        series: [line(plots.in, 'datagrams in'), line(plots.out, 'datagrams out')],
      },
      {
        label: w.traffic,
        format: formatRate,
        series: [line(plots.in, 'bits in'), line(plots.out, 'bits out')],
      },
      { label: w.drops, format: formatPerSecond, series: [line('', 'drops')] },
      { label: w.memory, format: formatMemory, series: [line('', 'memory')] },
    ];
    return plotList(all, SPAN_MS, 'plots plots-four');
  }

  private workers(server: Json): TemplateResult {
    const w = words.server;
    const rate = (index: number, name: string): number | null =>
      this.rates[`workers.${index}.${name}`] ?? null;
    return table(
      w.workers,
      [
        w.worker,
        w.peersOf,
        w.routes,
        `${w.packets} in`,
        `${w.packets} out`,
        `${w.traffic} in / out`,
        w.buffers,
      ],
      listOf(server.workers).map((worker, index) => [
        index,
        formatCount(countOf(at(worker, 'peers'))),
        formatCount(countOf(at(worker, 'routes'))),
        formatPerSecond(rate(index, 'datagrams_in')),
        formatPerSecond(rate(index, 'datagrams_out')),
        `${formatRate(bits(rate(index, 'bytes_in')))} / ${formatRate(bits(rate(index, 'bytes_out')))}`,
        formatCount(countOf(at(worker, 'packets_in_use'))),
      ]),
    );
  }

  private drops(server: Json): TemplateResult {
    const w = words.server;
    const rows = Object.entries(objectOf(at(server, 'media', 'drops')))
      .map(([cause, count]) => [cause, countOf(count)] as const)
      .filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a);
    if (rows.length === 0) return html`<p class="muted">${w.dropsNone}</p>`;
    return table(
      w.dropsTitle,
      ['', w.now, w.total],
      rows.map(([cause, count]) => [
        cause.replaceAll('_', ' '),
        formatPerSecond(this.rates[`drops.${cause}`] ?? null),
        formatCount(count),
      ]),
      { names: true },
    );
  }

  /** What /metrics has of the TURN relay, when this server has one. */
  private relay(): TemplateResult | typeof nothing {
    const rows = this.metrics
      .filter(({ name }) => /^tring_(turn|relay)/.test(name))
      // Of the refusals only those that there were.
      .filter(({ name, value }) => value > 0 || !name.includes('{'));
    if (rows.length === 0) return nothing;
    return html`<section>
      <h2>${words.server.relay}</h2>
      ${counterTable(words.server.relay, rows)}
    </section>`;
  }
}

function bits(bytes: number | null | undefined): number | null {
  return bytes === null || bytes === undefined ? null : bytes * 8;
}

function counterTable(label: string, rows: readonly MetricRow[]): TemplateResult {
  const w = words.server;
  return table(
    label,
    [w.counter, w.total],
    rows.map(({ name, value }) => [
      html`<code>${name.replace(/^tring_/, '')}</code>`,
      formatCount(value),
    ]),
    { names: true },
  );
}

function overview(server: Json): TemplateResult {
  const w = words.server;
  const watching = objectOf(server.watching);
  return facts([
    [w.version, textOf(server.version)],
    [w.uptime, formatUptime(numberOf(server.uptime_s))],
    [w.memory, formatMemory(numberOf(server.memory_bytes))],
    [w.peers, formatCount(countOf(server.peers))],
    [w.handles, formatCount(countOf(server.handles))],
    [w.sessions, formatCount(countOf(server.sessions))],
    [w.accepting, server.accepting === false ? w.no : w.yes],
    [w.wrong, formatCount(countOf(server.auth_failures))],
    [w.measured, w.measuring(countOf(watching.peers), countOf(watching.interval_ms) / 1000)],
    [
      w.summaries,
      `${formatCount(countOf(watching.written))} / ${formatCount(countOf(watching.lost))}`,
    ],
  ]);
}

declare global {
  interface HTMLElementTagNameMap {
    'server-view': ServerView;
  }
}
