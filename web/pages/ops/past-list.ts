// The connections that are over, the last to end first.

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import { formatLength, formatWhen } from '../shared/format.js';
import { pluginName, toPast, type PastConnection } from './connections.js';
import { UNKNOWN, formatLoss, formatMs, formatPath } from './figures.js';
import { at, listOf, textOf } from './json.js';
import { Poller } from './poller.js';
import { Section } from './section.js';
import { words } from './words.js';

const EVERY_MS = 5000;
const PAGE_ROWS = 50;

@customElement('past-list')
export class PastList extends Section {
  /** Those of this call alone; '': all. */
  @property() call = '';
  @state() private rows: PastConnection[] | null = null;
  @state() private more = false;
  @state() private text = '';
  private readonly poller = new Poller(this, EVERY_MS, () => this.ask());

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('call') && changed.get('call') !== undefined) this.restart();
  }

  private restart(): void {
    this.rows = null;
    void this.poller.now();
  }

  private async fetchRows(before: string): Promise<PastConnection[]> {
    const query = { q: this.text.trim(), call: this.call, before, limit: String(PAGE_ROWS) };
    const answer = await this.api.get('past-connections', query);
    return listOf(at(answer, 'connections')).flatMap(toPast);
  }

  /** The newest page again; what is older stays. */
  private async ask(): Promise<void> {
    await this.attempt(async () => {
      const fresh = await this.fetchRows('');
      if (this.rows === null) this.more = fresh.length === PAGE_ROWS;
      const last = fresh.at(-1)?.endedMs ?? 0;
      const ids = new Set(fresh.map(({ id }) => id));
      const older = fresh.length < PAGE_ROWS ? [] : (this.rows ?? []);
      this.rows = [...fresh, ...older.filter(({ id, endedMs }) => endedMs <= last && !ids.has(id))];
    });
  }

  protected override render(): TemplateResult {
    const { past } = words;
    return html`<section aria-labelledby="past-title">
      <div class="ops-head">
        <h1 id="past-title">${this.call ? past.ofCall(this.call.slice(0, 8)) : past.title}</h1>
        ${this.call ? html`<a href="#/past">${past.all}</a>` : nothing}
      </div>
      ${this.troubleNotice()}
      <form class="ops-tools" role="search" @submit=${(e: Event) => e.preventDefault()}>
        <label class="field grow"
          ><span>${words.search}</span>
          <input
            id="past-search"
            type="search"
            autocomplete="off"
            placeholder=${past.placeholder}
            @input=${this.onSearch}
        /></label>
      </form>
      ${this.body()}
    </section>`;
  }

  private body(): TemplateResult {
    const { past } = words;
    if (this.rows === null) return html`<p class="empty">${words.loading}</p>`;
    if (this.rows.length === 0) {
      return this.text || this.call
        ? html`<p class="empty" id="past-none">${past.none}</p>`
        : html`<div class="empty" id="past-empty">
            <p class="empty-title">${past.empty}</p>
            <p>${past.emptyHint}</p>
          </div>`;
    }
    return html`<table class="table cards" aria-label=${past.title}>
        <thead>
          <tr>
            <th scope="col">${words.live.sorts.who}</th>
            ${Object.values(past.columns).map((name) => html`<th scope="col">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${repeat(
            this.rows,
            ({ id }) => id,
            (row) => pastRow(row),
          )}
        </tbody>
      </table>
      ${
        this.more
          ? html`<button type="button" class="button quiet" id="past-older" @click=${this.older}>
              ${past.older}
            </button>`
          : nothing
      }`;
  }

  private readonly older = async (): Promise<void> => {
    const last = this.rows?.at(-1);
    if (!last) return;
    await this.attempt(async () => {
      const rows = await this.fetchRows(last.id);
      this.more = rows.length === PAGE_ROWS;
      this.rows = [...(this.rows ?? []), ...rows];
    });
  };

  private readonly onSearch = (event: Event): void => {
    this.text = (event.target as HTMLInputElement).value;
    this.restart();
  };
}

function pastRow(row: PastConnection): TemplateResult {
  const { columns } = words.past;
  const about = [
    pluginName(row.plugin),
    words.live.roles[row.role] ?? row.role,
    row.room ? `${words.live.group.room} ${row.room}` : '',
    row.peer ? `${words.past.peer.toLowerCase()} ${row.peer}` : '',
  ].filter((part) => part !== '');
  const { loss_in_ppm: lossIn, loss_out_ppm: lossOut } = row.metrics;
  return html`<tr class="past-row" data-id=${row.id} data-plugin=${pluginName(row.plugin)}>
    <td class="who">
      <a href="#/past/${row.id}">${row.who || textOf(row.facts.opaque_id) || words.noName}</a>
      <span class="muted">${about.join(' · ')}</span>
    </td>
    <td class="figures" data-label=${columns.ended}>${formatWhen(row.endedMs)}</td>
    <td class="figures" data-label=${columns.length}>
      ${row.upMs === null ? words.past.never : formatLength(row.endedMs - row.upMs)}
    </td>
    <td data-label=${columns.reason}>${row.reason}</td>
    <td data-label=${columns.path}>
      ${row.path ? formatPath(row.path.type, row.path.protocol) : UNKNOWN}
    </td>
    <td class="figures" data-label=${columns.rtt}>${formatMs(row.metrics.rtt_us?.mean ?? null)}</td>
    <td class="figures" data-label=${columns.loss}>
      ${formatLoss(lossIn?.mean ?? null)} / ${formatLoss(lossOut?.mean ?? null)}
    </td>
  </tr>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'past-list': PastList;
  }
}
