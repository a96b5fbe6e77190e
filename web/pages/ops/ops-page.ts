// The page for operators: a gate for the secret, then four sections. The section stands in the address
// behind '#', so that the back button and bookmarks work; the secret never does.

import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { PageElement } from '../shared/element.js';
import { pageHeader } from '../shared/parts.js';
import { OpsApi, Refused, TooMany } from './ops-api.js';
import { words } from './words.js';
import './live-list.js';
import './live-view.js';
import './past-list.js';
import './past-view.js';
import './reports-view.js';
import './server-view.js';

/** `opening`: with the secret that this tab has. */
type Gate =
  'asking' | 'opening' | 'checking' | 'wrong' | 'tooMany' | 'elsewhere' | 'unreachable' | 'open';

const SECTIONS = ['live', 'past', 'server', 'reports'] as const;
const ADMIN_PORT = 7088;
const RETRY_MS = 3000;

@customElement('ops-page')
export class OpsPage extends PageElement {
  @state() private gate: Gate = 'asking';
  @state() private route: string[] = [];
  private readonly api = new OpsApi();
  private retry: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('hashchange', this.onHash);
    this.addEventListener('ops-refused', this.onRefused);
    this.onHash();
    void this.begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener('hashchange', this.onHash);
    clearTimeout(this.retry);
  }

  protected override render(): TemplateResult {
    return html`${pageHeader(
        this.gate === 'open'
          ? html`<button type="button" class="button small quiet" id="lock" @click=${this.lock}>
              ${words.lock}
            </button>`
          : '',
      )}
      <main class="ops" data-gate=${this.gate} tabindex="-1">
        ${this.gate === 'open' ? this.open() : this.door()}
      </main>`;
  }

  private open(): TemplateResult {
    const [section = 'live'] = this.route;
    return html`<nav class="ops-nav" aria-label=${words.title}>
        ${SECTIONS.map(
          (name) =>
            html`<a
              href="#/${name}"
              id="section-${name}"
              aria-current=${name === section ? 'page' : 'false'}
              >${words.sections[name]}</a
            >`,
        )}
      </nav>
      ${this.section(section)}`;
  }

  private section(name: string): TemplateResult {
    const [, first, second] = this.route;
    if (name === 'past') {
      return first && first !== 'of'
        ? html`<past-view .api=${this.api} .connection=${first}></past-view>`
        : html`<past-list .api=${this.api} .call=${second ?? ''}></past-list>`;
    }
    if (name === 'server') return html`<server-view .api=${this.api}></server-view>`;
    if (name === 'reports') {
      return html`<reports-view .api=${this.api} .code=${first ?? ''}></reports-view>`;
    }
    return first && second
      ? html`<live-view .api=${this.api} .connection=${`${first}/${second}`}></live-view>`
      : html`<live-list .api=${this.api}></live-list>`;
  }

  private door(): TemplateResult {
    if (this.gate === 'elsewhere') return elsewhere();
    if (this.gate === 'opening') return html`<p class="empty">${words.loading}</p>`;
    const { gate } = words;
    return html`<form class="card ops-gate" id="gate" @submit=${this.onSecret}>
      <h1>${gate.title}</h1>
      <p class="muted">${gate.lead}</p>
      <div class="inline">
        <label class="field grow">
          <span>${gate.secret}</span>
          <input id="secret" type="password" autocomplete="off" spellcheck="false" required />
        </label>
        <button type="submit" class="button primary" id="open">${gate.open}</button>
      </div>
      <p role="alert" id="gate-problem" class=${this.problem() ? 'notice bad' : ''}>
        ${this.problem()}
      </p>
    </form>`;
  }

  private problem(): string {
    if (this.gate === 'wrong') return words.gate.wrong;
    if (this.gate === 'tooMany') return words.gate.tooMany;
    return this.gate === 'unreachable' ? words.unreachable : '';
  }

  /** On the main port nobody is asked for the secret. */
  private async begin(): Promise<void> {
    if (this.api.hasSecret) this.gate = 'opening';
    const here = await this.api.isHere().catch(() => true);
    if (!here) this.gate = 'elsewhere';
    else if (this.api.hasSecret) await this.check();
  }

  private async check(): Promise<void> {
    clearTimeout(this.retry);
    try {
      await this.api.get('server');
      this.gate = 'open';
      void this.keepFocus();
    } catch (error) {
      if (error instanceof Refused) {
        this.api.forget();
        this.gate = 'wrong';
        void this.focusOn('secret');
      } else if (error instanceof TooMany) this.gate = 'tooMany';
      else {
        this.gate = 'unreachable';
        this.retry = setTimeout(() => void this.check(), RETRY_MS);
      }
    }
  }

  private readonly onSecret = (event: Event): void => {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>('#secret');
    if (!input) return;
    this.api.use(input.value.trim());
    input.value = '';
    this.gate = 'checking';
    void this.check();
  };

  private readonly lock = (): void => {
    clearTimeout(this.retry);
    this.api.forget();
    this.gate = 'asking';
    void this.focusOn('secret');
  };

  /** The secret was changed, or somebody else at this address tries wrong ones. */
  private readonly onRefused = (): void => {
    this.gate = 'checking';
    void this.check();
  };

  private readonly onHash = (): void => {
    this.route = location.hash
      .replace(/^#\/?/, '')
      .split('/')
      .filter((part) => part !== '')
      .map(decoded);
    window.scrollTo(0, 0);
    void this.keepFocus();
  };

  /** When what had the focus has gone with its section, the new one is where to go on. */
  private async keepFocus(): Promise<void> {
    await this.updateComplete;
    if (document.activeElement !== document.body) return;
    this.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
  }
}

/** A part of the address; somebody may have typed it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function elsewhere(): TemplateResult {
  const url = `http://localhost:${ADMIN_PORT}/ops/`;
  return html`<div class="card ops-gate" id="elsewhere">
    <h1>${words.gate.title}</h1>
    <p>${words.gate.elsewhere}</p>
    <p><a href=${url}>${url}</a></p>
    <p class="muted">${words.gate.tunnel}</p>
    <pre><code>ssh -L ${ADMIN_PORT}:localhost:${ADMIN_PORT} ${location.hostname}</code></pre>
  </div>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'ops-page': OpsPage;
  }
}
