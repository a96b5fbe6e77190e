// The constraint try-out of the camera: fields, presets, and what the browser makes of them.

import { html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { closeMedia, openConstraints, type MediaError } from '@tring/client';
import { PageElement } from '../shared/element.js';
import { slidersIcon } from '../shared/icons.js';
import { mediaSentence } from '../shared/messages.js';
import { loadChoice } from '../shared/settings.js';
import {
  BOUNDS,
  NOTHING_ASKED,
  QUANTITIES,
  RATE_PRESETS,
  SIZE_PRESETS,
  askedFor,
  impossible,
  readField,
  settingsWords,
  toVideoConstraints,
  withBound,
  withSize,
  type Bound,
  type Facing,
  type Quantity,
  type TryOut,
} from './constraints.js';
import { words } from './words.js';

@customElement('diag-try-out')
export class DiagTryOut extends PageElement {
  @state() private tryOut: TryOut = NOTHING_ASKED;
  @state() private stream: MediaStream | null = null;
  @state() private opening = false;
  @state() private error: MediaError | null = null;
  /** The fields as they were when the error came. */
  private failed: TryOut = NOTHING_ASKED;
  @state() private invalid = '';
  private turn = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.close();
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has('stream')) return;
    const video = this.querySelector<HTMLVideoElement>('#try-out-video');
    if (video) video.srcObject = this.stream;
  }

  protected override render(): TemplateResult {
    return html`<details class="settings try-out" id="try-out">
      <summary id="try-out-toggle">${slidersIcon}<span>${words.tryOut.title}</span></summary>
      <form class="settings-body" novalidate @submit=${this.onSubmit}>
        <p class="muted">${words.tryOut.lead}</p>
        ${this.presets()} ${this.fields()} ${this.facing()}
        <div class="buttons">
          <button type="submit" class="button primary" id="try-out-open" ?disabled=${this.opening}>
            ${words.tryOut.open}
          </button>
          <button
            type="button"
            class="button quiet"
            id="try-out-impossible"
            @click=${() => this.set(impossible())}
          >
            ${words.tryOut.impossible}
          </button>
          <button
            type="button"
            class="button quiet"
            id="try-out-clear"
            @click=${() => this.set(NOTHING_ASKED)}
          >
            ${words.tryOut.clear}
          </button>
        </div>
        ${this.result()}
      </form>
    </details>`;
  }

  private presets(): TemplateResult {
    return html`<div class="preset-rows">
      <div role="group" aria-labelledby="sizes-label" class="preset-row">
        <span id="sizes-label">${words.tryOut.sizes}</span>
        ${SIZE_PRESETS.map(
          ({ id, name, width, height }) =>
            html`<button
              type="button"
              class="button small quiet"
              id="size-${id}"
              @click=${() => this.set(withSize(this.tryOut, width, height))}
            >
              ${name} <span class="muted">${width}×${height}</span>
            </button>`,
        )}
      </div>
      <div role="group" aria-labelledby="rates-label" class="preset-row">
        <span id="rates-label">${words.tryOut.rates}</span>
        ${RATE_PRESETS.map(
          (rate) =>
            html`<button
              type="button"
              class="button small quiet"
              id="rate-${rate}"
              @click=${() => this.set(withBound(this.tryOut, 'frameRate', 'exact', rate))}
            >
              ${words.tryOut.rate(rate)}
            </button>`,
        )}
      </div>
    </div>`;
  }

  private fields(): TemplateResult {
    return html`<div class="bounds">
      ${QUANTITIES.map(
        (quantity) =>
          html`<fieldset>
            <legend>${words.tryOut.quantities[quantity]}</legend>
            ${BOUNDS.map((bound) => this.field(quantity, bound))}
          </fieldset>`,
      )}
    </div>`;
  }

  private field(quantity: Quantity, bound: Bound): TemplateResult {
    return html`<label class="field">
      <span>${words.tryOut.bounds[bound]}</span>
      <input
        id="${quantity}-${bound}"
        inputmode="decimal"
        autocomplete="off"
        .value=${String(this.tryOut.quantities[quantity][bound] ?? '')}
        @change=${(event: Event) => this.onField(quantity, bound, event)}
      />
    </label>`;
  }

  private facing(): TemplateResult {
    const { facing } = this.tryOut;
    const chosen = facing ? `${facing.bound} ${facing.mode}` : '';
    return html`<label class="field facing">
      <span>${words.tryOut.facing}</span>
      <select id="facing-select" @change=${this.onFacing}>
        <option value="" ?selected=${chosen === ''}>${words.tryOut.facingAny}</option>
        ${Object.entries(words.tryOut.facings).map(
          ([value, text]) =>
            html`<option value=${value} ?selected=${value === chosen}>${text}</option>`,
        )}
      </select>
    </label>`;
  }

  private result(): TemplateResult {
    const settings = this.stream?.getVideoTracks()[0]?.getSettings();
    return html`<div class="try-out-result">
      <div aria-live="polite">
        ${this.invalid ? html`<p class="notice" id="try-out-invalid">${this.invalid}</p>` : ''}
        ${this.opening ? html`<p>${words.devices.opening}</p>` : ''} ${this.errorPart()}
        ${settings ? html`<p id="try-out-got">${words.tryOut.got} ${settingsWords(settings)}.</p>` : ''}
      </div>
      <video
        id="try-out-video"
        ?hidden=${!this.stream}
        aria-label=${words.tryOut.preview}
        autoplay
        muted
        playsinline
        .muted=${true}
      ></video>
      ${
        this.stream
          ? html`<button
              type="button"
              class="button quiet"
              id="try-out-close"
              @click=${() => this.close()}
            >
              ${words.tryOut.close}
            </button>`
          : ''
      }
      <p class="asked">
        <span class="muted">${words.tryOut.asked}</span>
        <code id="try-out-asked">${JSON.stringify({ video: this.constraints() })}</code>
      </p>
    </div>`;
  }

  private errorPart(): TemplateResult | string {
    const { error } = this;
    if (!error) return '';
    const { title, hint } = mediaSentence(error);
    const asked = error.constraint ? askedFor(this.failed, error.constraint) : null;
    return html`<div
      class="notice bad"
      id="try-out-error"
      data-code=${error.code}
      data-constraint=${error.constraint ?? ''}
    >
      <p class="notice-title">${asked ? words.tryOut.noDevice(asked) : title}</p>
      <p>${asked && error.constraint ? words.tryOut.named(error.constraint) : hint}</p>
    </div>`;
  }

  private constraints(): MediaTrackConstraints | true {
    return toVideoConstraints(this.tryOut, loadChoice().camera);
  }

  private set(tryOut: TryOut): void {
    this.tryOut = tryOut;
    this.invalid = '';
  }

  private onField(quantity: Quantity, bound: Bound, event: Event): void {
    const value = readField((event.target as HTMLInputElement).value);
    if (value === undefined) {
      const { quantities, bounds } = words.tryOut;
      this.invalid = words.tryOut.invalid(`${quantities[quantity]}, ${bounds[bound]}`);
      return;
    }
    this.set(withBound(this.tryOut, quantity, bound, value));
  }

  private readonly onFacing = (event: Event): void => {
    const [bound, mode] = (event.target as HTMLSelectElement).value.split(' ');
    const facing = mode ? { bound: bound as 'ideal' | 'exact', mode: mode as Facing } : null;
    this.set({ ...this.tryOut, facing });
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    if (!this.invalid) void this.open();
  };

  private async open(): Promise<void> {
    this.close();
    const turn = ++this.turn;
    const asked = this.tryOut;
    this.opening = true;
    try {
      const stream = await openConstraints({ video: this.constraints() });
      if (turn !== this.turn) return closeMedia(stream);
      this.stream = stream;
    } catch (error) {
      if (turn !== this.turn) return;
      this.failed = asked;
      this.error = error as MediaError;
    } finally {
      if (turn === this.turn) this.opening = false;
    }
  }

  private close(): void {
    this.turn++;
    this.opening = false;
    closeMedia(this.stream);
    this.stream = null;
    this.error = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'diag-try-out': DiagTryOut;
  }
}
