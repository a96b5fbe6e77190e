import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import {
  Line,
  MediaError,
  Session,
  closeMedia,
  fetchIceServers,
  openMedia,
  type Call,
  type MediaChoice,
  type MediaWayOn,
} from '@tring/client';
import '../shared/call-stage.js';
import type { ChoiceChange } from '../shared/device-settings.js';
import '../shared/device-settings.js';
import './call-list.js';
import { debug } from '../shared/debug.js';
import { PageElement } from '../shared/element.js';
import { bellIcon, hangupIcon, personIcon, phoneIcon } from '../shared/icons.js';
import { mediaNotice } from '../shared/media-notice.js';
import { swapMedia } from '../shared/media-swap.js';
import { endSentence, mediaSentence, personName, t } from '../shared/messages.js';
import { pageHeader, rings } from '../shared/parts.js';
import { Ringer } from '../shared/ring.js';
import { loadChoice } from '../shared/settings.js';
import { AgentDesk, cleanName, type DeskError, type DeskLine } from './desk.js';

const NAME_KEY = 'tring.agentName';
/** In the session storage: this tab is available under that name, also after a reload. */
const AVAILABLE_KEY = 'tring.available';
/** The list shows a call a moment after it ended. */
const LIST_DELAY_MS = 500;

@customElement('agent-page')
export class AgentPage extends PageElement {
  @state() private call: Call | null = null;
  @state() private local: MediaStream | null = null;
  @state() private mediaError: MediaError | null = null;
  @state() private mediaWarning: MediaError | null = null;
  @state() private note = '';
  @state() private nameMissing = false;
  @state() private ringBlocked = false;
  @state() private notifications = notificationState();
  private swapping: Promise<void> = Promise.resolve();
  private readonly ringer = new Ringer();
  private readonly desk = new AgentDesk({ open: (username) => openDeskLine(username) });
  private releaseLock: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.on('change', () => this.deskChanged());
    this.desk.on('incoming', (call) => this.incoming(call));
    document.addEventListener('pointerdown', this.onGesture);
    document.addEventListener('keydown', this.onGesture);
    window.addEventListener('pagehide', () => this.desk.suspend());
    window.addEventListener('pageshow', (event) => {
      if (event.persisted) location.reload();
    });
    const name = sessionStorage.getItem(AVAILABLE_KEY);
    if (name) void this.desk.goAvailable(name, true);
  }

  protected override render(): TemplateResult {
    const presence = this.presence();
    return html`${pageHeader(
        html`<p
          class="presence"
          id="presence"
          data-state=${presence.state}
          role="status"
          aria-live="polite"
        >
          <span class="dot"></span>${presence.label}
        </p>`,
      )}
      <main class="desk">
        <h1 class="visually-hidden">${t.agent.title}</h1>
        ${this.call ? this.callPart(this.call) : this.deskPart(presence.hint)}
        ${
          this.mediaError && this.call
            ? mediaNotice(this.mediaError, (way) => this.takeWay(way))
            : ''
        }
        <p class="note" id="note" role="status" ?hidden=${!this.note}>${this.note}</p>
        <device-settings .inCall=${this.call !== null} @choice=${this.onChoice}></device-settings>
        <call-list></call-list>
      </main>`;
  }

  private presence(): { state: string; label: string; hint: string } {
    const words = t.agent;
    if (this.call && this.call.state !== 'incoming') {
      return { state: 'busy', label: words.onCall, hint: '' };
    }
    const presence = this.desk.signallingLost ? 'reconnecting' : this.desk.presence;
    const hints = {
      offline: words.offlineHint,
      connecting: '',
      available: words.availableHint(this.desk.name),
      reconnecting: words.reconnectingHint,
      reclaiming: words.reclaimingHint,
    };
    return { state: presence, label: words[presence], hint: hints[presence] };
  }

  private deskPart(hint: string): TemplateResult {
    const wanted = this.desk.presence !== 'offline';
    return html`<section class="card presence-card">
      <form @submit=${this.onAvailable}>
        <div class="inline">
          <label class="field grow">
            <span>${t.agent.name}</span>
            <input
              id="agent-name"
              maxlength="40"
              autocomplete="nickname"
              placeholder=${t.agent.namePlaceholder}
              ?disabled=${wanted}
              aria-describedby="desk-hint"
              .value=${this.desk.name || loadName()}
            />
          </label>
          ${
            wanted
              ? html`<button
                  type="button"
                  class="button quiet"
                  id="go-offline"
                  @click=${() => this.goOffline()}
                >
                  ${t.agent.goOffline}
                </button>`
              : html`<button type="submit" class="button primary" id="go-available">
                  ${t.agent.goAvailable}
                </button>`
          }
        </div>
      </form>
      <p class="muted" id="desk-hint">${hint || t.agent.nameHint}</p>
      ${this.problems()} ${wanted ? this.notifyButton() : ''}
    </section>`;
  }

  private problems(): TemplateResult {
    const text = this.nameMissing ? t.agent.nameMissing : deskErrorText(this.desk.error);
    const warning = this.mediaWarning;
    return html`${text ? html`<p class="notice bad" id="desk-error" role="alert">${text}</p>` : ''}
    ${
      warning
        ? html`<p class="notice bad" id="media-warning" role="alert">
            ${t.agent.mediaWarning} ${mediaSentence(warning).title}. ${mediaSentence(warning).hint}
          </p>`
        : ''
    }
    ${
      this.ringBlocked
        ? html`<p class="notice" id="ring-blocked" role="status">${t.agent.ringBlocked}</p>`
        : ''
    }`;
  }

  private notifyButton(): TemplateResult | string {
    if (this.notifications === 'unsupported' || this.notifications === 'denied') return '';
    if (this.notifications === 'granted') {
      return html`<p class="muted with-icon" id="notifications-on">
        ${bellIcon}${t.agent.notifyOn}
      </p>`;
    }
    return html`<button
      type="button"
      class="button small quiet"
      id="notifications-button"
      @click=${this.onNotifications}
    >
      ${bellIcon}<span>${t.agent.notify}</span>
    </button>`;
  }

  private callPart(call: Call): TemplateResult {
    if (call.state === 'incoming') return this.incomingPart(call);
    return html`<call-stage
      .call=${call}
      .local=${this.local}
      .signallingLost=${this.desk.signallingLost}
    ></call-stage>`;
  }

  private incomingPart(call: Call): TemplateResult {
    return html`<section
      class="card incoming"
      id="incoming"
      role="alertdialog"
      aria-labelledby="incoming-title"
      aria-describedby="incoming-caller"
    >
      <div class="incoming-picture">${rings(true)}${personIcon}</div>
      <div class="incoming-text">
        <p id="incoming-title">${t.agent.incoming}</p>
        <p id="incoming-caller">${personName(call.peerName)}</p>
      </div>
      <div class="buttons">
        <button
          type="button"
          class="button accept"
          id="accept-button"
          @click=${() => this.accept(loadChoice())}
        >
          ${phoneIcon}<span>${t.agent.accept}</span>
        </button>
        <button
          type="button"
          class="button decline"
          id="decline-button"
          @click=${() => call.decline()}
        >
          ${hangupIcon}<span>${t.agent.decline}</span>
        </button>
      </div>
    </section>`;
  }

  private incoming(call: Call): void {
    this.call = call;
    this.note = '';
    this.mediaError = null;
    this.ringer.start(personName(call.peerName));
    call.on('state', () => this.requestUpdate());
    call.on('ended', () => this.callEnded(call));
    void this.focusOn('accept-button');
  }

  private async accept(choice: MediaChoice): Promise<void> {
    const call = this.call;
    if (!call || call.state !== 'incoming') return;
    this.ringer.stop();
    this.mediaError = null;
    try {
      const local = await openMedia(choice);
      if (this.call !== call || call.state !== 'incoming') return closeMedia(local);
      this.local = local;
    } catch (error) {
      if (error instanceof MediaError && this.call === call) this.mediaError = error;
      return;
    }
    const accepting = call.accept(this.local);
    void this.focusOn('mute-mic');
    await accepting;
  }

  private takeWay(way: MediaWayOn): void {
    if (way === 'retry') void this.accept(loadChoice());
    else if (way === 'audio-only') void this.accept({ ...loadChoice(), preset: 'audio-only' });
    else this.querySelector('device-settings')?.reveal();
  }

  private callEnded(call: Call): void {
    this.ringer.stop();
    closeMedia(this.local);
    if (this.call === call) {
      this.call = null;
      this.local = null;
      this.mediaError = null;
    }
    const name = personName(call.peerName);
    const missed = call.end?.code === 'cancelled' && call.answeredAt === null;
    if (missed) this.note = t.agent.missed(name);
    else if (call.end && call.end.code !== 'declined')
      this.note = `${endSentence(call.end, name)}.`;
    if (this.contains(document.activeElement) || document.activeElement === document.body) {
      void this.focusOn('go-offline');
    }
    setTimeout(() => void this.querySelector('call-list')?.refresh(), LIST_DELAY_MS);
  }

  private readonly onAvailable = (event: Event): void => {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>('#agent-name');
    const name = cleanName(input?.value ?? '');
    this.nameMissing = !name;
    if (!name) return input?.focus();
    store(localStorage, NAME_KEY, name);
    this.note = '';
    this.ringer.unlock();
    void this.desk.goAvailable(name, sessionStorage.getItem(AVAILABLE_KEY) === name);
    void this.probe();
  };

  private async goOffline(): Promise<void> {
    sessionStorage.removeItem(AVAILABLE_KEY);
    this.mediaWarning = null;
    await this.desk.goOffline();
    await this.focusOn('go-available');
  }

  /** Asks for the devices now, so that the question does not come with the first customer waiting. */
  private async probe(): Promise<void> {
    this.mediaWarning = null;
    try {
      closeMedia(await openMedia(loadChoice()));
      this.querySelector('device-settings')?.refresh();
    } catch (error) {
      if (error instanceof MediaError) this.mediaWarning = error;
    }
  }

  private deskChanged(): void {
    if (this.desk.presence === 'available') {
      store(sessionStorage, AVAILABLE_KEY, this.desk.name);
      this.ringBlocked = !this.ringer.audible && !navigator.userActivation?.hasBeenActive;
      this.holdLock();
    } else if (this.desk.presence === 'offline') {
      if (this.desk.error) sessionStorage.removeItem(AVAILABLE_KEY);
      this.releaseLock?.();
      this.releaseLock = null;
    }
    this.requestUpdate();
  }

  /** Browsers do not freeze a hidden page that holds a lock: a frozen page would miss its calls. */
  private holdLock(): void {
    if (this.releaseLock || !('locks' in navigator)) return;
    const held = new Promise<void>((resolve) => (this.releaseLock = resolve));
    navigator.locks
      .request(`tring-available-${crypto.randomUUID()}`, () => held)
      .catch(() => undefined);
  }

  private readonly onGesture = (): void => {
    if (this.desk.presence === 'offline') return;
    this.ringer.unlock();
    this.ringBlocked = false;
  };

  private readonly onNotifications = async (): Promise<void> => {
    await Notification.requestPermission();
    this.notifications = notificationState();
  };

  private readonly onChoice = (event: CustomEvent<ChoiceChange>): void => {
    this.swapping = this.swapping.then(() => this.swap(event.detail));
  };

  /** One change of devices after the other. */
  private async swap({ choice, before }: ChoiceChange): Promise<void> {
    const call = this.call;
    if (!call || call.state === 'incoming') return;
    const { stream, error } = await swapMedia(call, this.local, choice, before);
    if (this.call !== call) return closeMedia(stream);
    this.local = stream;
    if (error) this.querySelector('device-settings')?.show(error);
  }
}

async function openDeskLine(username: string): Promise<DeskLine> {
  const session = new Session();
  debug.session = session;
  try {
    await session.connect();
    const line = await Line.open(session, username, { iceServers: () => fetchIceServers() });
    return {
      onIncoming: (listener) => void line.on('incoming', listener),
      onSignalling: (listener) =>
        void session.on('state', (state) => listener(state === 'reconnecting')),
      onClosed: (listener) => void line.on('closed', listener),
      close: async () => {
        await line.close();
        await session.close();
      },
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

function deskErrorText(error: DeskError | null): string {
  if (!error) return '';
  return error.code === 'name-taken'
    ? t.agent.nameTaken(error.name)
    : t.agent.refused(error.reason);
}

function notificationState(): NotificationPermission | 'unsupported' {
  return 'Notification' in window ? Notification.permission : 'unsupported';
}

function loadName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}

function store(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {
    // A browser that stores nothing only asks for the name again.
  }
}
