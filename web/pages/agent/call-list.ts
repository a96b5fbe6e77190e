// Past calls: refreshed by itself, faster while something is moving, not at all in a hidden tab.

import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import { PageElement } from '../shared/element.js';
import { formatBytes, formatLength, formatWhen } from '../shared/format.js';
import { closeIcon, downloadIcon, playIcon } from '../shared/icons.js';
import { endReason, personName, t } from '../shared/messages.js';
import { CallsApi, KeyNeeded, isMoving, mergeRows, type CallRow } from './calls-api.js';

const MOVING_MS = 2000;
const IDLE_MS = 10_000;
const PAGE_ROWS = 50;
const KEY = 'tring.agentKey';

@customElement('call-list')
export class CallList extends PageElement {
  @state() private rows: CallRow[] | null = null;
  @state() private problem: 'none' | 'unavailable' | 'key' | 'key-wrong' = 'none';
  @state() private more = false;
  @state() private playing: { id: string; url: string } | null = null;
  @state() private playFailed = '';
  private readonly api = new CallsApi();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private refreshing = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.api.key = sessionStorage.getItem(KEY) ?? '';
    document.addEventListener('visibilitychange', this.onVisibility);
    void this.refresh();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.wait(null);
  }

  /** Asks the server now, e.g. because a call has just ended. */
  async refresh(): Promise<void> {
    if (this.refreshing) return;
    this.refreshing = true;
    this.wait(null);
    try {
      const fresh = await this.api.list(undefined, PAGE_ROWS);
      if (this.rows === null) this.more = fresh.length === PAGE_ROWS;
      this.rows = mergeRows(this.rows ?? [], fresh);
      this.problem = 'none';
    } catch (error) {
      this.failed(error);
    } finally {
      this.refreshing = false;
    }
    if (this.problem === 'none' || this.problem === 'unavailable') {
      this.wait(this.rows?.some(isMoving) ? MOVING_MS : IDLE_MS);
    }
  }

  protected override render(): TemplateResult {
    return html`<section class="calls" aria-labelledby="calls-title">
      <h2 id="calls-title">${t.calls.title}</h2>
      ${this.problem === 'key' || this.problem === 'key-wrong' ? this.keyForm() : this.list()}
    </section>`;
  }

  private list(): TemplateResult {
    const rows = this.rows;
    return html`${
      this.problem === 'unavailable'
        ? html`<p class="notice" id="calls-unavailable" role="status">${t.calls.unavailable}</p>`
        : ''
    }
    ${
      rows === null
        ? html`<p class="empty">${t.calls.loading}</p>`
        : rows.length === 0
          ? html`<div class="empty" id="calls-empty">
              <p class="empty-title">${t.calls.empty}</p>
              <p>${t.calls.emptyHint}</p>
            </div>`
          : html`<ul id="calls" class="rows">
              ${repeat(
                rows,
                (row) => row.id,
                (row) => this.row(row),
              )}
            </ul>`
    }
    ${
      this.more
        ? html`<button type="button" class="button quiet" id="older-button" @click=${this.older}>
            ${t.calls.older}
          </button>`
        : ''
    }`;
  }

  private row(row: CallRow): TemplateResult {
    const when = formatWhen(row.startedMs);
    return html`<li class="call-row" data-call-id=${row.id} data-recording=${row.recording.state}>
      <time class="call-when figures" datetime=${new Date(row.startedMs).toISOString()}
        >${when}</time
      >
      <span class="call-parties">
        <strong>${personName(row.caller)}</strong>
        <span class="muted">${personName(row.callee)}</span>
      </span>
      <span class="call-length figures">${lengthText(row)}</span>
      <span class="call-recording">${chip(row)}</span>
      <span class="call-actions">${this.actions(row, when)}</span>
      ${
        this.playing?.id === row.id
          ? html`<video
              class="recording-player"
              controls
              autoplay
              playsinline
              preload="metadata"
              aria-label=${t.calls.player(when)}
              src=${this.playing.url}
            ></video>`
          : ''
      }
      ${
        this.playFailed === row.id
          ? html`<p class="notice bad" role="alert">${t.calls.playFailed}</p>`
          : ''
      }
    </li>`;
  }

  private actions(row: CallRow, when: string): TemplateResult | string {
    if (row.recording.state !== 'ready') return '';
    const open = this.playing?.id === row.id;
    return html`<button
        type="button"
        class="button small ${open ? 'quiet' : ''} play-button"
        aria-expanded=${String(open)}
        aria-label="${open ? t.calls.close : t.calls.play}: ${t.calls.player(when)}"
        @click=${() => this.play(row.id)}
      >
        ${open ? closeIcon : playIcon}<span>${open ? t.calls.close : t.calls.play}</span>
      </button>
      <a
        class="button small quiet download-link"
        href=${row.recording.url ?? '#'}
        download="call-${row.id}.webm"
        aria-label="${t.calls.download}: ${t.calls.player(when)}"
        @click=${(event: Event) => this.download(event, row.id)}
        >${downloadIcon}<span
          >${row.recording.bytes ? formatBytes(row.recording.bytes) : t.calls.download}</span
        ></a
      >`;
  }

  private keyForm(): TemplateResult {
    return html`<form class="card key-form" id="key-form" @submit=${this.onKey}>
      <h3>${t.calls.keyTitle}</h3>
      <p class="muted">${t.calls.keyText}</p>
      <div class="inline">
        <label class="field grow">
          <span>${t.calls.key}</span>
          <input id="agent-key" type="password" autocomplete="off" required />
        </label>
        <button type="submit" class="button primary" id="key-save">${t.calls.keySave}</button>
      </div>
      ${
        this.problem === 'key-wrong'
          ? html`<p class="notice bad" role="alert">${t.calls.keyWrong}</p>`
          : ''
      }
    </form>`;
  }

  private readonly onKey = (event: Event): void => {
    event.preventDefault();
    this.api.key = this.querySelector<HTMLInputElement>('#agent-key')?.value.trim() ?? '';
    sessionStorage.setItem(KEY, this.api.key);
    void this.refresh();
  };

  private readonly onVisibility = (): void => {
    if (document.visibilityState === 'visible') void this.refresh();
    else this.wait(null);
  };

  private readonly older = async (): Promise<void> => {
    const last = this.rows?.at(-1);
    if (!last) return;
    try {
      const rows = await this.api.list(last.id, PAGE_ROWS);
      this.more = rows.length === PAGE_ROWS;
      this.rows = mergeRows(this.rows ?? [], rows);
    } catch (error) {
      this.failed(error);
    }
  };

  private async play(id: string): Promise<void> {
    this.playFailed = '';
    if (this.playing?.id === id) {
      this.playing = null;
      return;
    }
    const url = await this.link(id);
    if (url) this.playing = { id, url };
  }

  /** The link needs a signature, which is asked for at the click. */
  private async download(event: Event, id: string): Promise<void> {
    event.preventDefault();
    const url = await this.link(id);
    if (!url) return;
    const anchor = document.createElement('a');
    anchor.href = url;
    anchor.download = `call-${id}.webm`;
    anchor.click();
  }

  private async link(id: string): Promise<string | null> {
    try {
      return await this.api.recordingLink(id);
    } catch (error) {
      if (error instanceof KeyNeeded) this.failed(error);
      else this.playFailed = id;
      return null;
    }
  }

  private failed(error: unknown): void {
    if (error instanceof KeyNeeded) this.problem = this.api.key ? 'key-wrong' : 'key';
    else this.problem = 'unavailable';
  }

  private wait(ms: number | null): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (ms === null || document.visibilityState === 'hidden' || !this.isConnected) return;
    this.timer = setTimeout(() => void this.refresh(), ms);
  }
}

function lengthText(row: CallRow): string {
  if (row.endedMs === null) return t.calls.inProgress;
  if (row.answeredMs === null) return endReason(row.endReason);
  return formatLength(row.durationMs ?? row.endedMs - row.answeredMs);
}

function chip(row: CallRow): TemplateResult {
  const { state, progress, error } = row.recording;
  return html`<span class="chip chip-${state}">${t.calls.recording[state]}</span> ${
      state === 'processing'
        ? html`<progress
              max="100"
              value=${progress}
              aria-label=${t.calls.progress(progress)}
            ></progress
            ><span class="figures muted">${progress} %</span>`
        : ''
    }
    ${state === 'failed' && error ? html`<span class="chip-reason">${error}</span>` : ''}`;
}

declare global {
  interface HTMLElementTagNameMap {
    'call-list': CallList;
  }
}
