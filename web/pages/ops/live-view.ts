// One connection, now: what the server knows of it, once a second, and plots. The past of the plots is
// what the server has kept; from when the page was opened on it is what the page has seen.

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import {
  UNKNOWN,
  formatCount,
  formatLoss,
  formatMs,
  formatPath,
  formatRate,
  formatSince,
} from './figures.js';
import { at, countOf, listOf, numberOf, objectOf, textOf } from './json.js';
import { pluginName } from './connections.js';
import { connectionPlots, facts, table } from './parts.js';
import { Poller } from './poller.js';
import { History, fromColumns, measure, streamsOf, type Stream } from './samples.js';
import { Section } from './section.js';
import { streamCard } from './stream-card.js';
import { StreamHistory } from './stream-history.js';
import { words } from './words.js';
import { formatBytes } from '../shared/format.js';
import '../shared/time-plot.js';

const EVERY_MS = 1000;
/** 0: all that there is. */
const SPANS = [0, 60_000, 300_000, 600_000];
const SPAN_LEAST = 30_000;
const SPAN_MOST = 600_000;
const STREAM_SPAN = 60_000;

@customElement('live-view')
export class LiveView extends Section {
  /** SESSION/HANDLE */
  @property() connection = '';
  @state() private info: unknown = null;
  @state() private call = '';
  @state() private span = 0;
  private history = new History();
  private streams: Stream[] = [];
  private readonly streamHistory = new StreamHistory();
  private readonly poller = new Poller(this, EVERY_MS, () => this.ask());

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('connection') || changed.get('connection') === undefined) return;
    this.history = new History();
    this.streams = [];
    this.streamHistory.clear();
    this.info = null;
    this.trouble = 'none';
    void this.poller.now();
  }

  private async ask(): Promise<void> {
    const path = `connections/${this.connection}`;
    if (this.trouble === 'gone') return;
    await this.attempt(async () => {
      if (this.history.length === 0) {
        this.history.prepend(fromColumns(await this.api.get(`${path}/samples`)));
      }
      this.take(await this.api.get(path));
    });
  }

  private take(answer: unknown): void {
    const info = at(answer, 'info');
    const atMs = numberOf(at(answer, 'now_ms')) ?? Date.now();
    const streams = streamsOf(info);
    if (streams.length > 0) {
      this.history.add({ atMs, values: measure(info, streams, this.streams) });
    }
    this.streamHistory.add(atMs, streams);
    this.streams = streams;
    this.call = textOf(at(answer, 'call'));
    this.info = info;
  }

  protected override render(): TemplateResult {
    const { view } = words;
    return html`<section aria-labelledby="view-title">
      <p><a href="#/live" id="view-back">‹ ${view.back}</a></p>
      ${
        this.trouble === 'gone'
          ? html`<div class="notice" id="view-gone" role="status">
              <p class="notice-title">${view.gone}</p>
              <p><a href="#/past">${view.goneLink}</a></p>
            </div>`
          : this.troubleNotice()
      }
      ${this.info === null ? (this.trouble === 'none' ? words.loading : nothing) : this.body(this.info)}
    </section>`;
  }

  private body(info: unknown): TemplateResult {
    const { view } = words;
    const webrtc = objectOf(at(info, 'webrtc'));
    const hasPeer = Object.keys(webrtc).length > 0;
    return html`${this.head(info)} ${hasPeer ? nothing : html`<p class="notice">${view.noPeer}</p>`}
    ${hasPeer ? html`${this.plots()}${this.streamCards()}${paths(info)}` : nothing}
    ${candidates(info)}
    ${
      hasPeer
        ? html`<div class="ops-columns">
            ${security(webrtc)}${bandwidth(webrtc)}${drops(webrtc)}
          </div>`
        : nothing
    }
    ${more(info)}`;
  }

  private head(info: unknown): TemplateResult {
    const plugin = objectOf(at(info, 'plugin_specific'));
    const who = [plugin.username, plugin.display, plugin.id, at(info, 'opaque_id')].find(
      (v) => v !== undefined && v !== null,
    );
    const nowUs = countOf(at(info, 'current_time'));
    const ice = textOf(at(info, 'webrtc', 'ice', 'state'));
    const connected = countOf(at(info, 'webrtc', 'ice', 'connected'));
    const { past } = words;
    return html`<div class="ops-head">
        <h1 id="view-title">
          ${who === undefined ? words.noName : String(who as string | number)}
        </h1>
        ${ice ? html`<span class="chip chip-${ice}" id="ice-state">ICE: ${ice}</span>` : nothing}
      </div>
      ${facts([
        [past.plugin, pluginName(textOf(at(info, 'plugin')))],
        [past.room, plugin.room === undefined ? null : String(plugin.room as string | number)],
        [past.role, textOf(plugin.type)],
        [past.peer, textOf(plugin.peer)],
        [past.opaque, textOf(at(info, 'opaque_id'))],
        [past.session, String(countOf(at(info, 'session_id')))],
        [past.handle, String(countOf(at(info, 'handle_id')))],
        [words.view.transport, textOf(at(info, 'session_transport')).split('.').at(-1) ?? ''],
        [past.up, connected > 0 ? formatSince(0, (nowUs - connected) / 1000) : null],
        [
          words.view.ofCall,
          this.call ? html`<a href="#/past/of/${this.call}">${this.call.slice(0, 8)}…</a>` : null,
        ],
      ])}`;
  }

  private plots(): TemplateResult {
    const { view } = words;
    return html`<div class="ops-subhead">
        <h2 class="visually-hidden">${words.past.plots}</h2>
        <label class="field span-field"
          ><span class="visually-hidden">${view.span}</span>
          <select id="view-span" @change=${this.onSpan}>
            ${SPANS.map(
              (ms) =>
                html`<option value=${ms} ?selected=${ms === this.span}>${view.spans[ms]}</option>`,
            )}
          </select></label
        >
      </div>
      ${connectionPlots(this.history, this.shown())}`;
  }

  private shown(): number {
    if (this.span > 0) return this.span;
    return Math.min(SPAN_MOST, Math.max(SPAN_LEAST, this.history.spanMs));
  }

  private streamCards(): TemplateResult {
    const { view } = words;
    const span = Math.min(this.shown(), STREAM_SPAN);
    return html`<section aria-labelledby="streams-title">
      <h2 id="streams-title">${view.streams}</h2>
      ${(['in', 'out'] as const).map((way) => {
        const streams = this.streams.filter((stream) => stream.way === way);
        return streams.length === 0
          ? nothing
          : html`<h3>${way === 'in' ? view.streamsIn : view.streamsOut}</h3>
              <div class="streams">
                ${streams.map((stream) => streamCard(stream, this.streamHistory, span))}
              </div>`;
      })}
    </section>`;
  }

  private readonly onSpan = (event: Event): void => {
    this.span = Number((event.target as HTMLSelectElement).value);
  };
}

// Paths and candidates

function paths(info: unknown): TemplateResult {
  const { view } = words;
  const nowUs = countOf(at(info, 'current_time'));
  const ice = objectOf(at(info, 'webrtc', 'ice'));
  const pairs = listOf(ice.checklist);
  const types = new Map(
    listOf(at(info, 'candidates', 'remote')).map((line) => {
      const parts = textOf(line).split(' ');
      return [addressOf(parts), parts[7] ?? ''];
    }),
  );
  return html`<section aria-labelledby="paths-title">
    <h2 id="paths-title">${view.paths}</h2>
    <p class="muted">${view.pathsHint}</p>
    ${
      pairs.length === 0
        ? html`<p>${view.noPaths}</p>`
        : table(
            view.paths,
            [
              'Local',
              'Remote',
              'Type',
              'State',
              'Nominated',
              'Last heard',
              'Round trip',
              'Priority',
            ],
            pairs.map((pair) => {
              const remote = textOf(at(pair, 'remote'));
              const heard = countOf(at(pair, 'last-heard'));
              return [
                textOf(at(pair, 'local')),
                remote,
                formatPath(types.get(remote) ?? 'prflx', textOf(at(pair, 'protocol'))),
                at(pair, 'selected') === true
                  ? html`<strong>selected</strong>`
                  : textOf(at(pair, 'state')),
                at(pair, 'nominated') === true ? 'yes' : 'no',
                heard > 0 ? `${Math.max(0, Math.round((nowUs - heard) / 1000))} ms ago` : UNKNOWN,
                formatMs(countOf(at(pair, 'rtt-us')) || null),
                textOf(at(pair, 'priority')),
              ];
            }),
            { marked: (index) => at(pairs[index], 'selected') === true },
          )
    }
    ${facts([
      ['Role', textOf(ice.role)],
      ['Worker', String(numberOf(ice.worker) ?? UNKNOWN)],
      [view.checks, formatCount(countOf(ice.checks))],
      [
        'Checks refused',
        `${countOf(ice['checks-refused'])} (malformed ${countOf(ice['checks-malformed'])}, unauthenticated ${countOf(ice['checks-unauthenticated'])})`,
      ],
      [words.past.switches, `${countOf(ice.switches)} / ${countOf(ice.restarts)}`],
      ['Paths dropped', String(countOf(ice['paths-dropped']))],
    ])}
  </section>`;
}

/** "192.0.2.1:5000" or "[2001:db8::1]:5000" of the parts of a candidate line. */
function addressOf(parts: readonly string[]): string {
  const [host = '', port = ''] = [parts[4], parts[5]];
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Each once: browsers tell them again for every m-line. The words of the lines. */
function candidatesOf(info: unknown, side: string): string[][] {
  const seen = new Map<string, string[]>();
  for (const line of listOf(at(info, 'candidates', side))) {
    const parts = textOf(line).split(' ');
    const key = `${parts[2]} ${parts[7]} ${addressOf(parts)}`;
    if (parts.length >= 8 && !seen.has(key)) seen.set(key, parts);
  }
  return [...seen.values()].sort((a, b) => Number(b[3]) - Number(a[3]));
}

function candidates(info: unknown): TemplateResult {
  const { view } = words;
  const list = (name: string, lines: readonly string[][]): TemplateResult =>
    html`<h3>${name}</h3>
      ${
        lines.length === 0
          ? html`<p class="muted">${view.noneTold}</p>`
          : table(
              `${view.candidates}: ${name}`,
              ['Type', 'Protocol', 'Address', 'Priority', 'Related'],
              lines.map((parts) => {
                const related = parts.indexOf('raddr');
                return [
                  parts[7] ?? '',
                  (parts[2] ?? '').toLowerCase(),
                  addressOf(parts),
                  parts[3] ?? '',
                  related > 0 ? `${parts[related + 1]}:${parts[related + 3]}` : UNKNOWN,
                ];
              }),
            )
      }`;
  return html`<section aria-labelledby="candidates-title">
    <h2 id="candidates-title">${view.candidates}</h2>
    ${list(view.ours, candidatesOf(info, 'local'))}
    ${list(view.theirs, candidatesOf(info, 'remote'))}
  </section>`;
}

// The rest

function security(webrtc: unknown): TemplateResult {
  const dtls = objectOf(at(webrtc, 'dtls'));
  return html`<section>
    <h2>${words.view.security}</h2>
    ${facts([
      ['DTLS', `${textOf(dtls['dtls-state'])}, as ${textOf(dtls['dtls-role'])}`],
      ['Version', textOf(dtls.version)],
      ['Cipher', textOf(dtls.cipher)],
      ['SRTP', textOf(dtls['srtp-profile'])],
      ['Retransmissions', String(countOf(dtls.retransmissions))],
      ['Fingerprint of the client', html`<code>${textOf(dtls['remote-fingerprint'])}</code>`],
    ])}
  </section>`;
}

function bandwidth(webrtc: unknown): TemplateResult {
  const bwe = objectOf(at(webrtc, 'bwe'));
  const rate = (name: string): string => formatRate(numberOf(bwe[name]) || null);
  const known = bwe.estimate !== undefined;
  return html`<section>
    <h2>${words.view.bandwidth}</h2>
    ${facts([
      ['Estimate', rate('estimate')],
      ['By delay / by loss', known ? `${rate('by-delay')} / ${rate('by-loss')}` : null],
      ['Sent / arrived', known ? `${rate('sent')} / ${rate('received')}` : null],
      ['Loss', known ? formatLoss((numberOf(bwe.loss) ?? 0) * 1e6) : null],
      [
        'Told by',
        known ? (bwe['transport-cc'] === true ? 'transport-cc' : 'REMB and reports') : null,
      ],
      ['REMB from it', countOf(bwe.remb) > 0 ? rate('remb') : 'none'],
      ['REMB to it', countOf(bwe['remb-sent']) > 0 ? rate('remb-sent') : 'none'],
      ['transport-cc to it', bwe['transport-cc-sent'] === true ? 'yes' : 'no'],
      ['Overuses', known ? String(countOf(bwe.overuses)) : null],
      ['Probes / of use', known ? `${countOf(bwe.probes)} / ${countOf(bwe['probes-good'])}` : null],
    ])}
  </section>`;
}

function drops(webrtc: unknown): TemplateResult {
  const stats = objectOf(at(webrtc, 'dtls', 'stats'));
  const dropped = Object.entries(objectOf(stats.dropped));
  const traffic = (way: string): string =>
    `${formatCount(countOf(at(stats, way, 'packets')))}, ${formatBytes(countOf(at(stats, way, 'bytes')))}`;
  return html`<section>
    <h2>${words.view.drops}</h2>
    ${
      dropped.length === 0
        ? html`<p class="muted">${words.view.noDrops}</p>`
        : facts(
            dropped.map(([cause, count]) => [
              cause.replaceAll('_', ' '),
              formatCount(countOf(count)),
            ]),
          )
    }
    ${facts([
      ['Datagrams in', traffic('in')],
      ['Datagrams out', traffic('out')],
    ])}
  </section>`;
}

function more(info: unknown): TemplateResult {
  const { view } = words;
  const json = (value: unknown): string => JSON.stringify(value, null, 2);
  const folded = (name: string, text: string): TemplateResult =>
    html`<details class="settings">
      <summary>${name}</summary>
      <pre class="raw" tabindex="0" role="region" aria-label=${name}>${text}</pre>
    </details>`;
  const sdp = (side: string): string => textOf(at(info, 'sdps', side));
  return html`<div class="folded">
    ${folded(view.plugin, json(at(info, 'plugin_specific')))}
    ${sdp('local') ? folded(`${view.sdp}: ${view.local}`, sdp('local')) : nothing}
    ${sdp('remote') ? folded(`${view.sdp}: ${view.remote}`, sdp('remote')) : nothing}
    ${folded(view.raw, json(info))}
  </div>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'live-view': LiveView;
  }
}
