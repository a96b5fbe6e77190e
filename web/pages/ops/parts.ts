// Small pieces of markup that the sections share.

import { html, nothing, type TemplateResult } from 'lit';
import { formatLoss, formatMs, formatRate } from './figures.js';
import type { PlotSeries } from '../shared/plot-shape.js';
import type { History, Metric } from './samples.js';
import { words } from './words.js';

type Content = TemplateResult | string | number | typeof nothing;

/** A list of names and values; a value of null or '' is left out. */
export function facts(rows: readonly (readonly [string, Content | null])[]): TemplateResult {
  return html`<dl class="facts">
    ${rows.map(([name, value]) =>
      value === null || value === ''
        ? nothing
        : html`<div>
            <dt>${name}</dt>
            <dd class="figures">${value}</dd>
          </div>`,
    )}
  </dl>`;
}

/** A table that becomes a list of cards on narrow windows, where each cell names itself. */
export function table(
  label: string,
  columns: readonly string[],
  rows: readonly (readonly Content[])[],
  /** `names`: the first cells are names, which make room for the figures. */
  options: { marked?: (index: number) => boolean; names?: boolean } = {},
): TemplateResult {
  return html`<div class="table-frame" role="region" tabindex="0" aria-label=${label}>
    <table class="table ${options.names ? 'names' : ''}">
      <thead>
        <tr>
          ${columns.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells, index) =>
            html`<tr class=${options.marked?.(index) ? 'marked' : ''}>
              ${cells.map((cell) => html`<td class="figures">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

export interface PlotOf {
  label: string;
  format: (value: number) => string;
  series: readonly PlotSeries[];
}

/** Plots over the same time. */
export function plotList(
  plots: readonly PlotOf[],
  spanMs: number,
  style = 'plots',
): TemplateResult {
  return html`<div class=${style}>
    ${plots.map(
      ({ label, format, series }) =>
        html`<time-plot
          .label=${label}
          .format=${format}
          .series=${series}
          .spanMs=${spanMs}
        ></time-plot>`,
    )}
  </div>`;
}

/** The plots of a connection, live or past. */
export function connectionPlots(history: History, spanMs: number): TemplateResult {
  const line = (name: string, metric: Metric) => ({ name, points: history.points(metric) });
  const { plots } = words;
  const all = [
    { label: plots.rtt, format: formatMs, series: [line('', 'rtt_us')] },
    {
      label: plots.loss,
      format: formatLoss,
      series: [line(plots.in, 'loss_in_ppm'), line(plots.out, 'loss_out_ppm')],
    },
    {
      label: plots.rateIn,
      format: formatRate,
      series: [line(plots.video, 'video_in_bps'), line(plots.audio, 'audio_in_bps')],
    },
    {
      label: plots.rateOut,
      format: formatRate,
      series: [
        line(plots.video, 'video_out_bps'),
        line(plots.audio, 'audio_out_bps'),
        line(plots.estimate, 'estimate_bps'),
      ],
    },
    {
      label: plots.jitter,
      format: formatMs,
      series: [line(plots.in, 'jitter_in_us'), line(plots.out, 'jitter_out_us')],
    },
    {
      label: plots.repair,
      format: (value: number) => String(Math.round(value)),
      series: [
        line(plots.in, 'nacks_in'),
        line(plots.out, 'nacks_out'),
        line(plots.again, 'retransmitted'),
      ],
    },
    {
      label: plots.keyframes,
      format: (value: number) => String(Math.round(value)),
      series: [line(plots.in, 'plis_in'), line(plots.out, 'plis_out')],
    },
  ];
  return plotList(all, spanMs);
}
