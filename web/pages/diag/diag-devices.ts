// Camera, microphone and speaker: choose, see, hear. Emits `finding` whenever something was found out.

import { html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import {
  MediaError,
  closeMedia,
  listDevices,
  openConstraints,
  toConstraints,
  watchDevices,
  type DeviceList,
  type MediaChoice,
  type Unsubscribe,
} from '@tring/client';
import { devicePicker } from '../shared/device-picker.js';
import { PageElement } from '../shared/element.js';
import { camIcon, micIcon, soundIcon } from '../shared/icons.js';
import { watchLevel } from '../shared/level.js';
import { mediaSentence } from '../shared/messages.js';
import { loadChoice, saveChoice } from '../shared/settings.js';
import { settingsWords } from './constraints.js';
import type { DeviceFindings } from './findings.js';
import { LevelJudge } from './level-words.js';
import { canChooseSpeaker, playTestSound } from './speaker.js';
import { words } from './words.js';

type Kind = 'camera' | 'microphone';

/** What is open of one kind: null nothing, 'opening' while the browser asks. */
type Open = MediaStream | 'opening' | null;

type SpeakerState = 'idle' | 'asking' | 'heard' | 'not-heard' | 'failed' | number;

@customElement('diag-devices')
export class DiagDevices extends PageElement {
  @state() private devices: DeviceList = { cameras: [], microphones: [], speakers: [] };
  @state() private choice: MediaChoice = loadChoice();
  @state() private speaker: string | undefined;
  @state() private camera: Open = null;
  @state() private microphone: Open = null;
  @state() private errors: Partial<Record<Kind, MediaError>> = {};
  @state() private speakerState: SpeakerState = 'idle';
  @state() private judge = new LevelJudge();
  private turns = { camera: 0, microphone: 0 };
  private stopWatching: Unsubscribe | null = null;
  private stopLevel: Unsubscribe | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.refresh();
    this.stopWatching = watchDevices((devices) => (this.devices = devices));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopWatching?.();
    this.close('camera');
    this.close('microphone');
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has('camera')) return;
    const video = this.querySelector<HTMLVideoElement>('#camera-video');
    if (video) video.srcObject = streamOf(this.camera);
  }

  protected override render(): TemplateResult {
    return html`<section class="card diag-devices" aria-labelledby="devices-title">
      <h2 id="devices-title">${words.devices.title}</h2>
      <p class="muted">${words.devices.lead}</p>
      <div class="device-cards">
        ${this.cameraCard()} ${this.microphoneCard()} ${this.speakerCard()}
      </div>
    </section>`;
  }

  private cameraCard(): TemplateResult {
    const stream = streamOf(this.camera);
    const settings = stream?.getVideoTracks()[0]?.getSettings();
    return html`<div class="device-card" id="camera-card" data-state=${this.stateOf('camera')}>
      <h3 class="with-icon">${camIcon} ${words.devices.camera}</h3>
      ${devicePicker({
        id: 'camera-select',
        label: words.devices.camera,
        labelHidden: true,
        devices: this.devices.cameras,
        chosen: this.choice.camera,
        changed: (id) => this.choose('camera', id),
      })}
      <div class="preview-picture">
        <video
          id="camera-video"
          class="mirrored"
          ?hidden=${!stream}
          aria-label=${words.devices.preview}
          autoplay
          muted
          playsinline
          .muted=${true}
        ></video>
        ${stream ? '' : html`<p>${words.devices.previewEmpty}</p>`}
      </div>
      <div aria-live="polite" id="camera-status">
        ${this.camera === 'opening' ? html`<p>${words.devices.opening}</p>` : ''}
        ${settings ? html`<p id="camera-gives">${words.devices.sends(settingsWords(settings))}</p>` : ''}
        ${this.errorOf('camera')}
      </div>
      ${this.toggle('camera', words.devices.startCamera, words.devices.stopCamera)}
    </div>`;
  }

  private microphoneCard(): TemplateResult {
    const stream = streamOf(this.microphone);
    return html`<div
      class="device-card"
      id="microphone-card"
      data-state=${this.stateOf('microphone')}
    >
      <h3 class="with-icon">${micIcon} ${words.devices.microphone}</h3>
      ${devicePicker({
        id: 'microphone-select',
        label: words.devices.microphone,
        labelHidden: true,
        devices: this.devices.microphones,
        chosen: this.choice.microphone,
        changed: (id) => this.choose('microphone', id),
      })}
      <label class="level">
        <span>${words.devices.level}</span>
        <meter id="microphone-level" min="0" max="1" value="0"></meter>
      </label>
      <div aria-live="polite" id="microphone-status">
        ${this.microphone === 'opening' ? html`<p>${words.devices.opening}</p>` : ''}
        ${
          stream
            ? html`<p id="microphone-word" data-level=${this.judge.word}>
                ${words.devices.levels[this.judge.word]}
              </p>`
            : ''
        }
        ${this.errorOf('microphone')}
      </div>
      ${this.toggle('microphone', words.devices.startMicrophone, words.devices.stopMicrophone)}
    </div>`;
  }

  private speakerCard(): TemplateResult {
    const { speakerState } = this;
    return html`<div class="device-card" id="speaker-card" data-state=${speakerState}>
      <h3 class="with-icon">${soundIcon} ${words.devices.speaker}</h3>
      ${this.speakerPicker()}
      <div aria-live="polite" id="speaker-status">${this.speakerWords()}</div>
      ${
        speakerState === 'asking'
          ? html`<div class="buttons">
              <button type="button" class="button" id="heard" @click=${() => this.heard(true)}>
                ${words.devices.heard}
              </button>
              <button
                type="button"
                class="button quiet"
                id="not-heard"
                @click=${() => this.heard(false)}
              >
                ${words.devices.notHeard}
              </button>
            </div>`
          : ''
      }
      <button
        type="button"
        class="button quiet"
        id="play-sound"
        ?disabled=${typeof speakerState === 'number'}
        @click=${() => void this.playSound()}
      >
        ${words.devices.play}
      </button>
    </div>`;
  }

  private speakerPicker(): TemplateResult {
    if (!canChooseSpeaker()) return html`<p class="muted">${words.devices.speakerFixed}</p>`;
    if (this.devices.speakers.length === 0 && selectAudioOutput()) {
      return html`<button
        type="button"
        class="button quiet"
        id="choose-speaker"
        @click=${() => void this.askForSpeaker()}
      >
        ${words.devices.chooseSpeaker}
      </button>`;
    }
    return devicePicker({
      id: 'speaker-select',
      label: words.devices.speaker,
      labelHidden: true,
      devices: this.devices.speakers,
      chosen: this.speaker,
      changed: (id) => (this.speaker = id),
    });
  }

  private speakerWords(): TemplateResult | string {
    const state = this.speakerState;
    if (typeof state === 'number') return html`<p>${words.devices.playing[state]}</p>`;
    switch (state) {
      case 'idle':
        return '';
      case 'asking':
        return html`<p>${words.devices.played}</p>`;
      case 'heard':
        return html`<p>${words.devices.heardGood}</p>`;
      case 'not-heard':
        return html`<p class="notice">${words.devices.heardBad}</p>`;
      case 'failed':
        return html`<p class="notice bad">${words.devices.speakerFailed}</p>`;
    }
  }

  private toggle(kind: Kind, start: string, stop: string): TemplateResult {
    const open = this[kind] !== null;
    return html`<button
      type="button"
      class="button quiet"
      id="${kind}-button"
      @click=${() => (open ? this.close(kind) : void this.open(kind))}
    >
      ${open ? stop : start}
    </button>`;
  }

  private errorOf(kind: Kind): TemplateResult | string {
    const error = this.errors[kind];
    if (!error) return '';
    const { title, hint } = mediaSentence(error);
    return html`<div class="notice bad" id="${kind}-error" data-code=${error.code}>
      <p class="notice-title">${title}</p>
      <p>${hint}</p>
    </div>`;
  }

  private stateOf(kind: Kind): string {
    if (this.errors[kind]) return 'error';
    const open = this[kind];
    if (open === 'opening') return 'opening';
    return open ? 'open' : 'off';
  }

  private choose(kind: Kind, id: string | undefined): void {
    this.choice = { ...this.choice, [kind]: id };
    saveChoice(this.choice);
    if (this[kind]) void this.open(kind);
  }

  private async open(kind: Kind): Promise<void> {
    this.close(kind);
    const turn = ++this.turns[kind];
    this[kind] = 'opening';
    try {
      const stream = await openConstraints(constraintsOf(kind, this.choice));
      if (turn !== this.turns[kind]) return closeMedia(stream);
      this[kind] = stream;
      if (kind === 'microphone') this.watchMicrophone(stream);
      this.find({ [kind]: 'ok' });
      this.refresh();
    } catch (error) {
      if (turn !== this.turns[kind] || !(error instanceof MediaError)) return;
      this[kind] = null;
      this.errors = { ...this.errors, [kind]: error };
      this.find({ [kind]: error.code });
    }
  }

  private close(kind: Kind): void {
    this.turns[kind]++;
    closeMedia(streamOf(this[kind]));
    this[kind] = null;
    const { [kind]: _gone, ...others } = this.errors;
    this.errors = others;
    if (kind !== 'microphone') return;
    this.stopLevel?.();
    this.stopLevel = null;
    this.showLevel(0);
  }

  private watchMicrophone(stream: MediaStream): void {
    const judge = (this.judge = new LevelJudge());
    this.stopLevel = watchLevel(stream, (level) => {
      this.showLevel(level);
      if (!judge.take(level)) return;
      this.requestUpdate();
      this.find({ microphoneHeard: judge.peak > 0.2 });
    });
  }

  private showLevel(level: number): void {
    const meter = this.querySelector<HTMLMeterElement>('#microphone-level');
    if (meter) meter.value = level;
  }

  private async playSound(): Promise<void> {
    this.speakerState = 0;
    try {
      await playTestSound(this.speaker, (part) => (this.speakerState = part));
      this.speakerState = 'asking';
      void this.focusOn('heard');
    } catch {
      this.speakerState = 'failed';
      this.find({ speaker: 'failed' });
    }
  }

  private heard(yes: boolean): void {
    this.speakerState = yes ? 'heard' : 'not-heard';
    this.find({ speaker: yes ? 'ok' : 'not-heard' });
    void this.focusOn('play-sound');
  }

  /** Firefox names a speaker only after it was chosen in a window of its own. */
  private async askForSpeaker(): Promise<void> {
    try {
      this.speaker = (await selectAudioOutput()?.())?.deviceId;
      this.refresh();
    } catch {
      // The window was closed without a choice: the one before stays.
    }
  }

  private refresh(): void {
    listDevices().then(
      (devices) => (this.devices = devices),
      () => undefined,
    );
  }

  private find(detail: Partial<DeviceFindings>): void {
    this.dispatchEvent(new CustomEvent<Partial<DeviceFindings>>('finding', { detail }));
  }
}

function streamOf(open: Open): MediaStream | null {
  return open === 'opening' ? null : open;
}

/** Asks gently: a check wants to see what there is, whatever picture size calls are set to. */
function constraintsOf(kind: Kind, choice: MediaChoice): MediaStreamConstraints {
  const { audio = false, video = false } = toConstraints({ ...choice, preset: '360p' });
  return kind === 'camera' ? { video } : { audio };
}

function selectAudioOutput(): (() => Promise<MediaDeviceInfo>) | null {
  const devices = navigator.mediaDevices as
    { selectAudioOutput?: () => Promise<MediaDeviceInfo> } | undefined;
  return devices?.selectAudioOutput?.bind(devices) ?? null;
}

declare global {
  interface HTMLElementTagNameMap {
    'diag-devices': DiagDevices;
  }
}
