// The network part: the steps of the check as they run, the figures of each echo call, and the
// candidates. What is found is in `state`; the page owns the check.

import { html, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { decodePriority } from '@tring/client';
import { PageElement } from '../shared/element.js';
import type { PlotSeries } from '../shared/plot-shape.js';
import '../shared/time-plot.js';
import { STEPS, type CheckState, type StepId } from './check.js';
import type { EchoResult, EchoSample, Gathering, TimedCandidate } from './findings.js';
import { echoFigures, errorWords, protocolWords, words } from './words.js';

const PLOT_MS = 6000;

@customElement('diag-network')
export class DiagNetwork extends PageElement {
  @property({ attribute: false }) state!: CheckState;

  protected override render(): TemplateResult {
    const { gathering } = this.state;
    return html`<section class="card" aria-labelledby="network-title">
        <h2 id="network-title">${words.network.title}</h2>
        ${this.progress()}
        <ol class="steps" id="steps">
          ${STEPS.map((id) => this.step(id))}
        </ol>
      </section>
      ${gathering ? candidatePart(gathering) : ''}`;
  }

  private progress(): TemplateResult {
    const { running, finished, steps } = this.state;
    const current = STEPS.find((id) => steps[id] === 'running');
    const done = STEPS.filter((id) => !['waiting', 'running'].includes(steps[id])).length;
    const stopped = !running && !finished && done > 0;
    return html`<div class="check-progress" ?hidden=${!running && !stopped}>
      <progress
        id="check-progress"
        max=${STEPS.length}
        .value=${done}
        aria-label=${words.network.title}
      ></progress>
      <p class="muted" id="check-status" role="status">
        ${
          current
            ? `${words.network.progress(done + 1, STEPS.length)}. ${words.network.steps[current]}`
            : stopped
              ? words.network.stopped
              : ''
        }
      </p>
    </div>`;
  }

  private step(id: StepId): TemplateResult {
    const state = this.state.steps[id];
    return html`<li class="step" id="step-${id}" data-state=${state}>
      <span class="step-mark" aria-hidden="true"></span>
      <div class="step-body">
        <div class="step-title">
          <h3>${words.network.steps[id]}</h3>
          <p class="step-state">${words.network.states[state]}</p>
        </div>
        ${this.details(id)}
      </div>
    </li>`;
  }

  private details(id: StepId): TemplateResult | string {
    const { signalling, gathering, echoes } = this.state;
    if (id === 'server') return signalling ? html`<p>${serverWords(signalling)}</p>` : '';
    if (id === 'candidates') return gathering ? html`<p>${gatherWords(gathering)}</p>` : '';
    const echo = echoes[id];
    return echo ? echoPart(echo) : '';
  }
}

function serverWords({ ok, transport, ms }: NonNullable<CheckState['signalling']>): string {
  return ok ? words.network.reached(transport, ms) : words.network.unreachable;
}

function gatherWords({ candidates, ms, complete }: Gathering): string {
  if (candidates.length === 0) return complete ? words.network.foundNone : '';
  return words.network.found(candidates.length, (ms / 1000).toFixed(1));
}

function echoPart(echo: EchoResult): TemplateResult {
  const figures = echoFigures(echo);
  return html`${echo.failure ? html`<p>${words.network.failures[echo.failure]}</p>` : ''}
  ${
    echo.failure && echo.targets.length > 0
      ? html`<p class="muted">${words.network.tried(echo.targets.join(', '))}</p>`
      : ''
  }
  ${
    figures.length > 0
      ? html`<dl class="figure-list figures">
          ${figures.map(
            ({ name, value }) =>
              html`<div>
                <dt>${name}</dt>
                <dd>${value}</dd>
              </div>`,
          )}
        </dl>`
      : ''
  }
  ${echo.samples.length > 1 ? plots(echo.samples) : ''}`;
}

function plots(samples: readonly EchoSample[]): TemplateResult {
  const line = (key: keyof EchoSample, name = '', scale = 1): PlotSeries => ({
    name,
    points: samples.map(({ atMs, [key]: value }) => ({
      atMs,
      value: value === null ? null : value * scale,
    })),
  });
  const { rtt, loss, rate, up, down } = words.network;
  const rates = [line('upKbps', up, 0.001), line('downKbps', down, 0.001)];
  const plot = (label: string, unit: string, series: PlotSeries[]): TemplateResult =>
    html`<time-plot
      .label=${label}
      .unit=${unit}
      .spanMs=${PLOT_MS}
      .series=${series}
    ></time-plot>`;
  return html`<div class="plots">
    ${plot(rtt, 'ms', [line('rttMs')])} ${plot(loss, '%', [line('lossPct')])}
    ${plot(rate, 'Mbit/s', rates)}
  </div>`;
}

function candidatePart({ candidates, errors, complete }: Gathering): TemplateResult {
  const { columns } = words.network;
  const answered = new Set(candidates.map(({ server }) => server));
  return html`<details class="settings" id="candidates" open>
    <summary><span>${words.network.candidates} (${candidates.length})</span></summary>
    <div class="settings-body">
      <p class="muted" id="candidates-hint">${words.network.candidatesHint}</p>
      <table class="candidates" role="table" aria-describedby="candidates-hint">
        <thead role="rowgroup">
          <tr role="row">
            ${Object.values(columns).map(
              (name) => html`<th scope="col" role="columnheader">${name}</th>`,
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${candidates.map(candidateRow)}
        </tbody>
      </table>
      ${complete || errors.length === 0 ? '' : html`<p>${words.network.cut}</p>`}
      ${
        errors.length > 0
          ? html`<div id="gather-errors">
              <h3>${words.network.errors}</h3>
              <ul class="plain-list">
                ${errors.map((error) => html`<li>${errorWords(error, answered.has(error.url))}</li>`)}
              </ul>
            </div>`
          : ''
      }
    </div>
  </details>`;
}

function candidateRow({ atMs, candidate, server }: TimedCandidate): TemplateResult {
  const { columns, hidden } = words.network;
  const { type, address, port, priority } = candidate;
  const { type: typePart, local, component } = decodePriority(priority);
  const cell = (name: string, value: unknown): TemplateResult =>
    html`<td role="cell" data-label=${name} class=${value === null ? 'none' : ''}>
      ${value ?? '–'}
    </td>`;
  return html`<tr role="row" class="candidate" data-type=${type}>
    ${cell(columns.time, `${(atMs / 1000).toFixed(3)} s`)}
    ${cell(columns.type, html`<strong>${type}</strong> <span class="muted">${words.types[type]}</span>`)}
    ${cell(columns.protocol, protocolWords(candidate))}
    ${cell(columns.address, address.endsWith('.local') ? html`<span class="muted">${hidden}</span>` : address)}
    ${cell(columns.port, port)}
    ${cell(columns.priority, html`${typePart} | ${local} | ${component} <span class="muted">= ${priority}</span>`)}
    ${cell(columns.server, server)}
  </tr>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'diag-network': DiagNetwork;
  }
}
