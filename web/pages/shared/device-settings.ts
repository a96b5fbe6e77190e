// "Camera and microphone settings": picture size, devices, and a preview with a level meter. Emits
// `choice` when something was changed; during a call the page applies it at once.

import { html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import {
  MediaError,
  VIDEO_PRESETS,
  closeMedia,
  listDevices,
  openMedia,
  watchDevices,
  type DeviceList,
  type MediaChoice,
  type MediaDevice,
  type Unsubscribe,
  type VideoPreset,
} from '@tring/client';
import { devicePicker } from './device-picker.js';
import { PageElement } from './element.js';
import { slidersIcon } from './icons.js';
import { watchLevel } from './level.js';
import { mediaSentence, t } from './messages.js';
import { loadChoice, saveChoice } from './settings.js';

/** What the `choice` event tells. */
export interface ChoiceChange {
  choice: MediaChoice;
  before: MediaChoice;
}

@customElement('device-settings')
export class DeviceSettings extends PageElement {
  /** True while a call uses the devices: then there is no preview. */
  @property({ type: Boolean }) inCall = false;

  @state() private choice: MediaChoice = loadChoice();
  @state() private devices: DeviceList = { cameras: [], microphones: [], speakers: [] };
  @state() private preview: MediaStream | null = null;
  @state() private error: MediaError | null = null;
  private stopWatching: Unsubscribe | null = null;
  private stopLevel: Unsubscribe | null = null;
  private opening = 0;

  /** Opens the settings and moves the focus to the first of them. */
  reveal(): void {
    const details = this.querySelector('details');
    if (details) details.open = true;
    this.querySelector('select')?.focus();
  }

  /** Says why a choice could not be followed; a call goes on with what it had. */
  show(error: MediaError): void {
    this.error = error;
  }

  /** Reads the names of the devices again: the browser tells them only after the permission. */
  refresh(): void {
    listDevices().then(
      (devices) => (this.devices = devices),
      () => undefined,
    );
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.refresh();
    this.stopWatching = watchDevices((devices) => (this.devices = devices));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopWatching?.();
    this.closePreview();
  }

  protected override updated(changed: PropertyValues): void {
    if (this.inCall && this.preview) this.closePreview();
    const video = this.querySelector<HTMLVideoElement>('#preview-video');
    if (video && changed.has('preview')) video.srcObject = this.preview;
  }

  protected override render(): TemplateResult {
    const { preset, camera, microphone } = this.choice;
    return html`<details class="settings" id="settings">
      <summary id="settings-toggle">${slidersIcon}<span>${t.settings.title}</span></summary>
      <div class="settings-body">
        <div class="fields">
          <label class="field">
            <span>${t.settings.picture}</span>
            <select id="preset-select" @change=${this.onPreset}>
              ${VIDEO_PRESETS.map(
                (name) =>
                  html`<option value=${name} ?selected=${name === preset}>
                    ${t.settings.presets[name]}
                  </option>`,
              )}
            </select>
          </label>
          ${this.picker('camera', t.settings.camera, this.devices.cameras, camera)}
          ${this.picker('microphone', t.settings.microphone, this.devices.microphones, microphone)}
        </div>
        ${this.inCall ? '' : this.previewPart()}
        ${
          this.error
            ? html`<p class="notice bad" id="preview-error" role="alert">
                ${mediaSentence(this.error).title}. ${mediaSentence(this.error).hint}
              </p>`
            : ''
        }
      </div>
    </details>`;
  }

  private picker(
    kind: 'camera' | 'microphone',
    label: string,
    devices: MediaDevice[],
    chosen: string | undefined,
  ): TemplateResult {
    return devicePicker({
      id: `${kind}-select`,
      label,
      disabled: kind === 'camera' && this.choice.preset === 'audio-only',
      devices,
      chosen,
      changed: (id) => this.choose({ [kind]: id }),
    });
  }

  private previewPart(): TemplateResult {
    const open = this.preview !== null;
    const audioOnly = this.choice.preset === 'audio-only';
    return html`<div class="preview">
      <div class="preview-picture">
        <video
          id="preview-video"
          class="mirrored"
          ?hidden=${!open || audioOnly}
          aria-label=${t.settings.previewVideo}
          autoplay
          muted
          playsinline
          .muted=${true}
        ></video>
        ${
          open && !audioOnly
            ? ''
            : html`<p>${audioOnly ? t.settings.previewAudioOnly : t.settings.previewEmpty}</p>`
        }
      </div>
      ${
        open
          ? html`<label class="level"
              ><span>${t.settings.level}</span
              ><meter id="mic-level" min="0" max="1" value="0"></meter
            ></label>`
          : ''
      }
      <button
        type="button"
        class="button quiet"
        id="preview-button"
        @click=${() => (open ? this.closePreview() : void this.openPreview())}
      >
        ${open ? t.settings.stopPreview : t.settings.preview}
      </button>
    </div>`;
  }

  private readonly onPreset = (event: Event): void => {
    this.choose({ preset: (event.target as HTMLSelectElement).value as VideoPreset });
  };

  private choose(part: Partial<MediaChoice>): void {
    const before = this.choice;
    this.choice = { ...before, ...part };
    saveChoice(this.choice);
    this.error = null;
    if (this.preview) void this.openPreview();
    const detail: ChoiceChange = { choice: this.choice, before };
    this.dispatchEvent(new CustomEvent('choice', { detail }));
  }

  private async openPreview(): Promise<void> {
    this.closePreview();
    const turn = ++this.opening;
    this.error = null;
    try {
      const stream = await openMedia(this.choice);
      if (turn !== this.opening || this.inCall) return closeMedia(stream);
      this.preview = stream;
      this.stopLevel = watchLevel(stream, (level) => {
        const meter = this.querySelector<HTMLMeterElement>('#mic-level');
        if (meter) meter.value = level;
      });
      this.refresh();
    } catch (error) {
      if (error instanceof MediaError && turn === this.opening) this.error = error;
    }
  }

  private closePreview(): void {
    this.opening++;
    this.stopLevel?.();
    this.stopLevel = null;
    closeMedia(this.preview);
    this.preview = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'device-settings': DeviceSettings;
  }
}
