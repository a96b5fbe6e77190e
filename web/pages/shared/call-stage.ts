// The call itself: the other side big, oneself small, the controls under them, how good the
// connection is and how long it lasts. Used by both pages.

import { html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { watchQuality, type Call, type Quality, type Unsubscribe } from '@tring/client';
import { debug } from './debug.js';
import { PageElement } from './element.js';
import { formatLength } from './format.js';
import {
  camIcon,
  camOffIcon,
  hangupIcon,
  micIcon,
  micOffIcon,
  personIcon,
  soundIcon,
} from './icons.js';
import { personName, qualitySentence, t } from './messages.js';

/** So long without a frame, and the picture is said to be off. */
const NO_PICTURE_SECONDS = 2;

@customElement('call-stage')
export class CallStage extends PageElement {
  @property({ attribute: false }) call: Call | null = null;
  @property({ attribute: false }) local: MediaStream | null = null;
  /** True while the server can't be reached though the call itself is up. */
  @property({ type: Boolean }) signallingLost = false;

  @state() private quality: Quality | null = null;
  @state() private elapsedMs = 0;
  @state() private blocked = false;
  @state() private noFrames = 0;
  private bound: Unsubscribe[] = [];
  private timer: ReturnType<typeof setInterval> | null = null;
  private stopQuality: Unsubscribe | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => this.tick(), 500);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.release();
    if (this.timer !== null) clearInterval(this.timer);
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('call')) this.bind();
  }

  protected override updated(): void {
    this.attach('#local-video', this.local);
    this.attach('#remote-video', this.call?.remoteStream ?? null);
  }

  protected override render(): TemplateResult {
    const call = this.call;
    if (!call) return html``;
    const name = personName(call.peerName);
    const sends = this.hasCamera() && call.isSending('video');
    return html`<section class="stage" id="stage" data-state=${call.state}>
      <div class="screen">
        <video
          id="remote-video"
          autoplay
          playsinline
          aria-label=${t.call.remoteVideo(name)}
        ></video>
        ${this.cover(name)}
        <video
          id="local-video"
          class="mirrored ${sends ? '' : 'off'}"
          autoplay
          muted
          playsinline
          .muted=${true}
          aria-label=${t.call.localVideo}
        ></video>
        <p class="caption">
          <span id="peer-name">${name}</span>
          <span id="call-duration" class="figures" aria-label=${t.call.duration}
            >${formatLength(this.elapsedMs)}</span
          >
        </p>
        ${
          this.blocked
            ? html`<button class="button hear" id="hear-button" @click=${this.play}>
                ${soundIcon}${t.call.hear}
              </button>`
            : ''
        }
      </div>
      ${this.controls(call)}
      <p class="quality" id="quality" data-verdict=${this.quality?.verdict ?? 'unknown'}>
        ${this.quality ? qualitySentence(this.quality) : t.call.connecting}
      </p>
    </section>`;
  }

  private controls(call: Call): TemplateResult {
    const mic = call.isSending('audio');
    const cam = call.isSending('video') && this.hasCamera();
    return html`<div class="controls" role="group" aria-label=${t.call.controls}>
      <button
        type="button"
        class="round ${mic ? '' : 'off'}"
        id="mute-mic"
        aria-pressed=${String(!mic)}
        aria-label=${t.call.mute}
        title=${mic ? t.call.mute : t.call.unmute}
        @click=${() => this.toggle('audio')}
      >
        ${mic ? micIcon : micOffIcon}
      </button>
      <button
        type="button"
        class="round ${cam ? '' : 'off'}"
        id="mute-cam"
        aria-pressed=${String(!cam)}
        aria-label=${t.call.cameraOff}
        title=${!this.hasCamera() ? t.call.noCamera : cam ? t.call.cameraOff : t.call.cameraOn}
        ?disabled=${!this.hasCamera()}
        @click=${() => this.toggle('video')}
      >
        ${cam ? camIcon : camOffIcon}
      </button>
      <button
        type="button"
        class="round hangup"
        id="hangup-button"
        aria-label=${t.call.hangup}
        title=${t.call.hangup}
        @click=${() => this.call?.hangup()}
      >
        ${hangupIcon}
      </button>
    </div>`;
  }

  /** What lies over the picture: nothing, when all is well. */
  private cover(name: string): TemplateResult | string {
    const state = this.call?.state;
    if (state === 'reconnecting') return this.coverText(t.call.reconnecting);
    if (state !== 'connected') return this.coverText(t.call.connecting);
    if (this.signallingLost) return html`<p class="banner">${t.call.signalling}</p>`;
    if (this.noFrames < NO_PICTURE_SECONDS) return '';
    return html`<div class="cover quiet" id="no-picture">
      ${personIcon}
      <p>${t.call.noPicture(name)}</p>
    </div>`;
  }

  private coverText(text: string): TemplateResult {
    return html`<div class="cover"><p>${text}</p></div>`;
  }

  private bind(): void {
    this.release();
    this.quality = null;
    this.noFrames = 0;
    const call = this.call;
    debug.call = call;
    if (!call) return;
    this.bound.push(
      call.on('state', () => {
        this.watch();
        this.requestUpdate();
      }),
      call.on('stream', () => this.requestUpdate()),
    );
    this.watch();
  }

  /** Figures begin with the first connection and go on through reconnecting. */
  private watch(): void {
    const connection = this.call?.connection;
    if (!connection || this.stopQuality) return;
    if (this.call?.state !== 'connected') return;
    this.stopQuality = watchQuality(connection, (quality) => {
      this.quality = quality;
      this.noFrames = quality.fps === 0 ? this.noFrames + 1 : 0;
    });
  }

  private release(): void {
    this.stopQuality?.();
    this.stopQuality = null;
    for (const off of this.bound.splice(0)) off();
    if (debug.call?.state === 'ended') debug.call = null;
  }

  private tick(): void {
    const since = this.call?.answeredAt ?? null;
    if (since !== null) this.elapsedMs = performance.now() - since;
  }

  private toggle(kind: 'audio' | 'video'): void {
    this.call?.setSending(kind, !this.call.isSending(kind));
    this.requestUpdate();
  }

  private hasCamera(): boolean {
    return (this.local?.getVideoTracks().length ?? 0) > 0;
  }

  private attach(selector: string, stream: MediaStream | null): void {
    const video = this.querySelector<HTMLVideoElement>(selector);
    if (!video || video.srcObject === stream) return;
    video.srcObject = stream;
    if (selector === '#remote-video' && stream) this.play();
  }

  /** Browsers may refuse sound before the first click; then a button asks for one. */
  private readonly play = (): void => {
    const video = this.querySelector<HTMLVideoElement>('#remote-video');
    video?.play().then(
      () => (this.blocked = false),
      (error: Error) => {
        if (error.name === 'NotAllowedError') this.blocked = true;
      },
    );
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'call-stage': CallStage;
  }
}
