import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import {
  ConnectionError,
  Line,
  Session,
  closeMedia,
  fetchIceServers,
  openMedia,
  randomText,
  type MediaChoice,
  type MediaWayOn,
} from '@tring/client';
import '../shared/call-stage.js';
import type { ChoiceChange } from '../shared/device-settings.js';
import '../shared/device-settings.js';
import { debug } from '../shared/debug.js';
import { PageElement } from '../shared/element.js';
import { formatLength } from '../shared/format.js';
import { phoneIcon } from '../shared/icons.js';
import { mediaNotice } from '../shared/media-notice.js';
import { swapMedia } from '../shared/media-swap.js';
import { endSentence, personName, t } from '../shared/messages.js';
import { diagLink, pageHeader, rings } from '../shared/parts.js';
import { loadChoice } from '../shared/settings.js';
import { CustomerFlow, type FlowState, type OpenLine } from './flow.js';

@customElement('customer-page')
export class CustomerPage extends PageElement {
  @state() private flowState: FlowState = { name: 'idle' };
  @state() private signallingLost = false;
  @state() private callState = '';
  private swapping: Promise<void> = Promise.resolve();
  private readonly flow = new CustomerFlow({
    openMedia,
    openLine: () => this.openLine(),
    random: Math.random,
  });

  override connectedCallback(): void {
    super.connectedCallback();
    this.flow.on('change', (state) => this.changed(state));
    // A page that comes back from the browser's cache has lost its session: begin anew.
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) location.reload();
    });
  }

  protected override render(): TemplateResult {
    const inCall = this.flowState.name === 'call';
    return html`${pageHeader()}
      <main class="narrow ${inCall ? 'in-call' : ''}">
        <div
          id="status"
          class=${inCall ? 'visually-hidden' : 'status'}
          aria-live="polite"
          data-state=${this.stateName()}
        >
          ${this.statusText()}
        </div>
        ${this.body()} ${this.wentWrong() ? html`<p class="centred">${diagLink()}</p>` : ''}
        <device-settings
          ?hidden=${!SETTINGS_IN.has(this.flowState.name)}
          .inCall=${USES_DEVICES.has(this.flowState.name)}
          @choice=${this.onChoice}
        ></device-settings>
      </main>`;
  }

  private stateName(): string {
    if (this.flowState.name !== 'call') return this.flowState.name;
    return this.callState === 'connecting' ? 'answering' : this.callState;
  }

  private statusText(): TemplateResult {
    const { title, hint } = this.words();
    return html`<h1 id="status-title">${title}</h1>
      ${hint ? html`<p id="status-hint">${hint}</p>` : ''}`;
  }

  private words(): { title: string; hint?: string } {
    const state = this.flowState;
    const words = t.customer;
    switch (state.name) {
      case 'idle':
        return { title: words.title, hint: `${words.lead} ${words.recorded}` };
      case 'media':
        return { title: words.media, hint: words.mediaHint };
      case 'media-error':
        return { title: words.error };
      case 'connecting':
        return { title: words.connecting, hint: words.connectingHint };
      case 'ringing':
        return { title: words.ringing(personName(state.agent)), hint: words.ringingHint };
      case 'call':
        return { title: this.callWords(personName(state.agent)) };
      case 'busy':
        return { title: words.busy, hint: words.busyHint };
      case 'nobody':
        return { title: words.nobody, hint: words.nobodyHint };
      case 'ended':
        return {
          title: endSentence(state.end, personName(state.agent)),
          ...(state.lengthMs > 0 ? { hint: t.ended.lasted(formatLength(state.lengthMs)) } : {}),
        };
      case 'error':
        return { title: words.error, hint: errorHint(state.error) };
    }
  }

  private callWords(agent: string): string {
    if (this.callState === 'connecting') return t.customer.answering(agent);
    if (this.callState === 'reconnecting') return t.customer.reconnecting;
    return t.customer.connected(agent);
  }

  private body(): TemplateResult {
    const state = this.flowState;
    switch (state.name) {
      case 'idle':
        return this.action('call-button', t.customer.call);
      case 'media':
      case 'connecting':
      case 'ringing':
        return html`<div class="action ringing-${state.name}">
          ${rings(true)}
          <button
            type="button"
            class="button quiet"
            id="cancel-button"
            @click=${() => this.flow.cancel()}
          >
            ${t.cancel}
          </button>
        </div>`;
      case 'media-error':
        return html`${mediaNotice(state.error, (way) => this.takeWay(way))}`;
      case 'call':
        return html`<call-stage
          .call=${state.call}
          .local=${this.flow.local}
          .signallingLost=${this.signallingLost}
        ></call-stage>`;
      case 'busy':
      case 'nobody':
      case 'error':
        return this.action('retry-button', t.retry);
      case 'ended':
        return this.action('call-again-button', t.customer.callAgain);
    }
  }

  /** Whether it may have been the network: for a device error there is the notice. */
  private wentWrong(): boolean {
    const state = this.flowState;
    if (state.name === 'ended') return ['connection-lost', 'failed'].includes(state.end.code);
    return state.name === 'error';
  }

  private action(id: string, label: string): TemplateResult {
    return html`<div class="action">
      ${rings(false)}
      <button type="button" class="button primary big" id=${id} @click=${() => this.start()}>
        ${phoneIcon}<span>${label}</span>
      </button>
    </div>`;
  }

  private start(part: Partial<MediaChoice> = {}): void {
    this.signallingLost = false;
    void this.flow.start({ ...loadChoice(), ...part });
  }

  private takeWay(way: MediaWayOn): void {
    if (way === 'retry') return this.start();
    if (way === 'audio-only') return this.start({ preset: 'audio-only' });
    this.querySelector('device-settings')?.reveal();
  }

  /** Focus follows the one thing to do, so that a keyboard never has to look for it. */
  private changed(state: FlowState): void {
    const before = this.flowState.name;
    this.flowState = state;
    if (state.name === 'call') {
      this.callState = state.call.state;
      state.call.on('state', (callState) => (this.callState = callState));
    }
    if (before === state.name) return;
    // Who is choosing settings keeps the focus there.
    if (before === 'media-error' && state.name === 'idle') return;
    const target = focusIn(state);
    if (target) void this.focusOn(target);
  }

  private async openLine(): Promise<OpenLine> {
    const session = new Session();
    debug.session = session;
    session.on('state', (state) => (this.signallingLost = state === 'reconnecting'));
    try {
      await session.connect();
      const line = await Line.open(session, `customer-${randomText().slice(0, 8)}`, {
        iceServers: () => fetchIceServers(),
      });
      return { line, close: () => session.close() };
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  private readonly onChoice = (event: CustomEvent<ChoiceChange>): void => {
    this.flow.reset();
    this.swapping = this.swapping.then(() => this.swap(event.detail));
  };

  /** One change of devices after the other. */
  private async swap({ choice, before }: ChoiceChange): Promise<void> {
    const state = this.flowState;
    if (state.name !== 'call') return;
    const { stream, error } = await swapMedia(state.call, this.flow.local, choice, before);
    if (state.call.state === 'ended') return closeMedia(stream);
    this.flow.local = stream;
    this.requestUpdate();
    if (error) this.querySelector('device-settings')?.show(error);
  }
}

/** Not while somebody has to decide something else. */
const SETTINGS_IN: ReadonlySet<FlowState['name']> = new Set([
  'idle',
  'media-error',
  'call',
  'busy',
  'nobody',
  'ended',
  'error',
]);

/** A preview would get in the way of the call. */
const USES_DEVICES: ReadonlySet<FlowState['name']> = new Set([
  'media',
  'connecting',
  'ringing',
  'call',
]);

const FOCUS: Partial<Record<FlowState['name'], string>> = {
  media: 'cancel-button',
  call: 'mute-mic',
  busy: 'retry-button',
  nobody: 'retry-button',
  error: 'retry-button',
  ended: 'call-again-button',
  idle: 'call-button',
};

function focusIn(state: FlowState): string | undefined {
  if (state.name !== 'media-error') return FOCUS[state.name];
  const [way] = state.error.waysOn;
  return way ? `way-${way}` : 'diag-link';
}

function errorHint(error: Error): string {
  return error instanceof ConnectionError ? t.customer.unreachableHint : t.customer.errorHint;
}
