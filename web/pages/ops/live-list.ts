// The connections of now: counts, search, order, groups.

import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import {
  SORTS,
  bitrateOf,
  filterRows,
  groupRows,
  pluginName,
  sortRows,
  toLiveList,
  type Connection,
  type Group,
  type LiveList as List,
  type Sort,
} from './connections.js';
import { UNKNOWN, formatLoss, formatMs, formatRate, formatSince } from './figures.js';
import { Poller } from './poller.js';
import { Section } from './section.js';
import { words } from './words.js';

const EVERY_MS = 2000;
const ROWS = 1000;

@customElement('live-list')
export class LiveList extends Section {
  @state() private list: List | null = null;
  @state() private text = '';
  @state() private sort: Sort = 'age';
  @state() private down = false;
  @state() private grouped = true;
  private readonly poller = new Poller(this, EVERY_MS, () => this.ask());

  private async ask(): Promise<void> {
    await this.attempt(async () => {
      // The server searches only where it did not send all.
      const partial = this.list !== null && this.list.matching > this.list.rows.length;
      const q = partial || (this.text && !this.list) ? this.text.trim() : '';
      this.list = toLiveList(await this.api.get('connections', { limit: String(ROWS), q }));
    });
  }

  protected override render(): TemplateResult {
    const { live } = words;
    return html`<section aria-labelledby="live-title">
      <div class="ops-head">
        <h1 id="live-title">${live.title}</h1>
        <p class="muted figures" id="live-counts" role="status">
          ${this.list ? live.counts(this.list.peers, this.list.handles, this.list.sessions) : words.loading}
        </p>
      </div>
      ${this.troubleNotice()} ${this.tools()} ${this.list ? this.body(this.list) : nothing}
    </section>`;
  }

  private tools(): TemplateResult {
    const { live } = words;
    return html`<form class="ops-tools" role="search" @submit=${(e: Event) => e.preventDefault()}>
      <label class="field grow"
        ><span>${words.search}</span>
        <input
          id="live-search"
          type="search"
          autocomplete="off"
          placeholder=${live.placeholder}
          @input=${this.onSearch}
      /></label>
      <label class="field"
        ><span>${live.sort}</span>
        <select id="live-sort" @change=${this.onSort}>
          ${SORTS.map(
            (name) =>
              html`<option value=${name} ?selected=${name === this.sort}>
                ${live.sorts[name]}
              </option>`,
          )}
        </select></label
      >
      <label class="ops-check"
        ><input
          type="checkbox"
          id="live-grouped"
          .checked=${this.grouped}
          @change=${this.onGrouped}
        /><span>${live.grouped}</span></label
      >
    </form>`;
  }

  private body(list: List): TemplateResult {
    const { live } = words;
    const rows = sortRows(filterRows(list.rows, this.text), this.sort, this.down);
    if (list.rows.length === 0 && !this.text) {
      return html`<div class="empty" id="live-empty">
        <p class="empty-title">${live.empty}</p>
        <p>${live.emptyHint}</p>
      </div>`;
    }
    if (rows.length === 0) return html`<p class="empty" id="live-none">${live.none}</p>`;
    return html`${
      list.matching > list.rows.length
        ? html`<p class="notice">${live.more(list.rows.length, list.matching)}</p>`
        : nothing
    }
    ${
      this.grouped
        ? repeat(
            groupRows(rows),
            ({ key }) => key,
            (group) => this.group(group, list.nowMs),
          )
        : this.table(rows, list.nowMs, live.title)
    }`;
  }

  private group({ kind, name, rows }: Group, nowMs: number): TemplateResult {
    const { live } = words;
    const title = `${live.group[kind]}${kind === 'other' ? ':' : ''} ${name}`;
    return html`<section class="ops-group" data-kind=${kind} aria-label=${title}>
      <h2>
        <span class="chip">${live.group[kind]}</span> ${name}
        <span class="muted figures">${live.members(rows.length)}</span>
      </h2>
      ${this.table(rows, nowMs, title)}
    </section>`;
  }

  private table(rows: readonly Connection[], nowMs: number, label: string): TemplateResult {
    const { columns } = words.live;
    return html`<table class="table cards" aria-label=${label}>
      <thead>
        <tr>
          ${this.header('who', words.live.sorts.who)} ${this.header('state', columns.state)}
          ${this.header('rtt', columns.rtt)} ${this.header('loss', columns.loss)}
          ${this.header('in', columns.rate)} ${this.header('age', columns.age)}
        </tr>
      </thead>
      <tbody>
        ${repeat(
          rows,
          ({ handle }) => handle,
          (row) => this.row(row, nowMs),
        )}
      </tbody>
    </table>`;
  }

  private header(sort: Sort, name: string): TemplateResult {
    const on = this.sort === sort;
    return html`<th scope="col" aria-sort=${on ? (this.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" @click=${() => this.sortBy(sort)}>
        ${name}<span aria-hidden="true">${on ? (this.down ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>`;
  }

  private row(row: Connection, nowMs: number): TemplateResult {
    const { live } = words;
    const { latest } = row;
    const about = [
      pluginName(row.plugin),
      live.roles[row.role] ?? row.role,
      row.room && !this.grouped ? `${live.group.room} ${row.room}` : '',
      row.client,
    ].filter((part) => part !== '');
    return html`<tr class="live-row" data-handle=${row.handle} data-state=${row.state}>
      <td class="who">
        <a href="#/live/${row.session}/${row.handle}">${row.who || row.opaqueId || words.noName}</a>
        <span class="muted">${about.join(' · ')}</span>
      </td>
      <td data-label=${live.columns.state}>
        <span class="chip chip-${row.state}">${live.states[row.state]}</span>
      </td>
      <td class="figures" data-label=${live.columns.rtt}>${formatMs(latest?.rtt_us ?? null)}</td>
      <td class="figures" data-label=${live.columns.loss}>
        ${latest ? `${formatLoss(latest.loss_in_ppm)} / ${formatLoss(latest.loss_out_ppm)}` : UNKNOWN}
      </td>
      <td class="figures" data-label=${live.columns.rate}>
        ${latest ? `${formatRate(bitrateOf(latest, 'in'))} / ${formatRate(bitrateOf(latest, 'out'))}` : UNKNOWN}
      </td>
      <td class="figures" data-label=${live.columns.age}>
        ${formatSince(row.upMs ?? row.createdMs, nowMs)}
      </td>
    </tr>`;
  }

  private sortBy(sort: Sort): void {
    this.down = this.sort === sort ? !this.down : sort !== 'who' && sort !== 'age';
    this.sort = sort;
  }

  private readonly onSearch = (event: Event): void => {
    this.text = (event.target as HTMLInputElement).value;
    if (this.list && this.list.matching > this.list.rows.length) void this.poller.now();
  };

  private readonly onSort = (event: Event): void => {
    this.sortBy((event.target as HTMLSelectElement).value as Sort);
  };

  private readonly onGrouped = (event: Event): void => {
    this.grouped = (event.target as HTMLInputElement).checked;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'live-list': LiveList;
  }
}
