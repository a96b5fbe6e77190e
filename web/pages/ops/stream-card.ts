// One stream of a connection: its newest figures, and each of them over time.

import { html, nothing, type TemplateResult } from 'lit';
import { formatBytes } from '../shared/format.js';
import '../shared/time-plot.js';
import { formatCount, formatLoss, formatMs, formatRate } from './figures.js';
import { facts } from './parts.js';
import type { Route, Stream } from './samples.js';
import type { StreamHistory, StreamMetric } from './stream-history.js';
import { words } from './words.js';

export function streamCard(s: Stream, history: StreamHistory, spanMs: number): TemplateResult {
  const w = words.stream;
  const name = [s.kind, s.rid, `mid ${s.mid}`].filter((part) => part !== '').join(' · ');
  const lostOf = s.packets + s.lost > 0 ? (s.lost / (s.packets + s.lost)) * 1e6 : null;
  return html`<article class="card stream" data-way=${s.way} data-kind=${s.kind} aria-label=${name}>
    <h4>${name} <span class="chip">${s.codec}</span></h4>
    <time-plot
      .label=${w.bitrate}
      .format=${formatRate}
      .series=${[{ name: '', points: history.line(s, 'bitrate') }]}
      .spanMs=${spanMs}
    ></time-plot>
    ${facts([
      [w.packets, html`<span class="stream-packets">${formatCount(s.packets)}</span>`],
      [w.bytes, formatBytes(s.bytes)],
      [w.lost, `${formatCount(s.lost)} (${formatLoss(lostOf)})`],
      [w.jitter, formatMs(s.jitterUs)],
      [w.rtt, s.way === 'out' ? formatMs(s.rttUs) : null],
      [w.nacks, formatCount(s.nacks)],
      [w.keyframes, s.kind === 'video' ? `${s.plis} / ${s.firs}` : null],
      [w.again, formatCount(s.retransmitted)],
      [w.quiet, s.quietMs === null ? null : w.ago(`${Math.round(s.quietMs)} ms`)],
      [w.ssrc, String(s.ssrc)],
      [w.rtx, s.rtxSsrc > 0 ? String(s.rtxSsrc) : null],
    ])}
    ${s.way === 'out' ? routeFacts(s) : nothing} ${morePlots(s, history, spanMs)}
  </article>`;
}

interface Plot {
  label: string;
  lines: readonly { name: string; metric: StreamMetric }[];
  format: (value: number) => string;
}

function plotsOf(s: Stream): Plot[] {
  const w = words.stream;
  const whole = (value: number): string => String(Math.round(value));
  const asked = [{ name: s.kind === 'video' ? w.nacks : '', metric: 'nacks' } as const];
  return [
    { label: w.packetRate, lines: [{ name: '', metric: 'packets' }], format: whole },
    { label: w.loss, lines: [{ name: '', metric: 'loss' }], format: formatLoss },
    { label: w.jitter, lines: [{ name: '', metric: 'jitter' }], format: formatMs },
    { label: w.rtt, lines: [{ name: '', metric: 'rtt' }], format: formatMs },
    {
      label: s.kind === 'video' ? w.asked : w.nacks,
      lines: s.kind === 'video' ? [...asked, { name: w.plis, metric: 'plis' }] : asked,
      format: whole,
    },
    {
      label: w.layer,
      lines: [
        { name: w.spatial, metric: 'layer' },
        { name: w.inTime, metric: 'temporal' },
      ],
      format: whole,
    },
  ];
}

function morePlots(s: Stream, history: StreamHistory, spanMs: number): TemplateResult {
  const shown = plotsOf(s).filter(({ lines }) =>
    lines.some(({ metric }) => history.has(s, metric)),
  );
  return html`<details class="settings stream-plots">
    <summary>${words.stream.overTime}</summary>
    <div class="settings-body">
      ${shown.map(
        ({ label, lines, format }) =>
          html`<time-plot
            .label=${label}
            .format=${format}
            .series=${lines.map(({ name, metric }) => ({ name, points: history.line(s, metric) }))}
            .spanMs=${spanMs}
          ></time-plot>`,
      )}
    </div>
  </details>`;
}

// Layers

function routeFacts({ route, kind }: Stream): TemplateResult {
  const w = words.stream;
  if (!route) return html`<p class="muted">${w.notRouted}</p>`;
  const spatial = (layer: number): string =>
    layer < 0 ? w.none : layer >= 3 ? w.all : String(layer);
  return facts([
    [
      w.from,
      route.from
        ? html`<a href="#/live/${route.from.session}/${route.from.handle}">${route.from.handle}</a
            >${route.paused ? ` (${w.paused})` : ''}`
        : null,
    ],
    [w.layer, kind === 'video' ? layersText(route, spatial) : null],
    [
      w.temporal,
      kind === 'video' && route.temporal >= 0
        ? w.layers(
            spatial(route.temporal),
            spatial(route.temporalMax),
            spatial(route.temporalBound),
          )
        : null,
    ],
  ]);
}

function layersText(route: Route, name: (layer: number) => string): string {
  const w = words.stream;
  if (route.layers === 'none') return route.layerBound < 0 ? w.held : w.oneLayer;
  return w.layers(name(route.layer), name(route.layerMax), name(route.layerBound));
}
