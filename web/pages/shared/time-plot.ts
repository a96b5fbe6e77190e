// A small plot of figures over time: lines in an SVG, with the newest figure in words below. Who
// cannot see it reads the same there: the newest figure, and the range of each line.

import { html, svg, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { PageElement } from './element.js';
import { plotLines, plotRange, plotTop, type PlotSeries } from './plot-shape.js';

const WIDTH = 300;
const HEIGHT = 80;

@customElement('time-plot')
export class TimePlot extends PageElement {
  /** What is plotted, e.g. "Round-trip time". */
  @property() label = '';
  @property() unit = '';
  /** One line each, at most three: they differ by colour and by dashes. */
  @property({ attribute: false }) series: readonly PlotSeries[] = [];
  /** How much time the plot shows; the newest point is at its right end. */
  @property({ type: Number }) spanMs = 30_000;
  @property({ attribute: false }) format: (value: number) => string = (value) =>
    value < 10 ? value.toFixed(1) : String(Math.round(value));

  protected override render(): TemplateResult {
    const lines = plotLines(this.series, this.spanMs, WIDTH, HEIGHT);
    const top = plotTop(this.series, this.spanMs);
    return html`<figure class="plot">
      <figcaption>
        <span class="plot-label"
          >${this.label}${this.series.length > 1 ? html` <span class="muted">${this.unit}</span>` : ''}</span
        >
        <span class="plot-figures figures"
          >${this.series.map((line, n) => this.figure(line, n))}</span
        >
      </figcaption>
      <div class="plot-picture">
        <span class="plot-top figures" aria-hidden="true">${this.format(top)} ${this.unit}</span>
        <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
          ${[0.5, HEIGHT / 2, HEIGHT - 0.5].map(
            (y) => svg`<line class="plot-grid" x1="0" x2=${WIDTH} y1=${y} y2=${y} />`,
          )}
          ${lines.map((d, n) => svg`<path class="plot-line plot-line-${n}" d=${d} />`)}
        </svg>
      </div>
    </figure>`;
  }

  private figure(line: PlotSeries, n: number): TemplateResult {
    const newest = line.points.at(-1)?.value ?? null;
    const range = plotRange(line, this.spanMs);
    const text = (value: number): string => `${this.format(value)} ${this.unit}`;
    return html`<span class="plot-figure">
      ${line.name ? html`<i class="plot-key plot-key-${n}" aria-hidden="true"></i>${line.name} ` : ''}
      <strong
        >${newest === null ? '–' : this.series.length > 1 ? this.format(newest) : text(newest)}</strong
      >
      ${
        range
          ? html`<span class="visually-hidden"
              >, between ${text(range.low)} and ${text(range.high)} in the last
              ${Math.round(this.spanMs / 1000)} seconds</span
            >`
          : ''
      }
    </span>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'time-plot': TimePlot;
  }
}
