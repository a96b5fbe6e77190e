import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { PageElement } from '../shared/element.js';
import { arrowIcon, checkIcon, headsetIcon, phoneIcon } from '../shared/icons.js';
import { t } from '../shared/messages.js';
import { pageHeader, rings } from '../shared/parts.js';

type ServerState = 'checking' | 'ready' | 'notReady' | 'unreachable';

const CHECK_MS = 5000;

@customElement('start-page')
export class StartPage extends PageElement {
  @state() private server: ServerState = 'checking';
  private timer: ReturnType<typeof setInterval> | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.check();
    this.timer = setInterval(() => void this.check(), CHECK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.timer !== null) clearInterval(this.timer);
  }

  protected override render(): TemplateResult {
    return html`${pageHeader(
        html`<p
          class="presence"
          id="server-state"
          data-state=${this.server}
          role="status"
          aria-live="polite"
        >
          <span class="dot"></span>${t.start[this.server]}
        </p>`,
      )}
      <main class="start">
        <div class="hero">
          ${rings(false)}
          <h1>${t.start.title}</h1>
          <p class="lead">${t.start.lead}</p>
        </div>
        <nav class="doors">
          ${door('link-customer', '/customer/', phoneIcon, t.start.customerTitle, t.start.customerText)}
          ${door('link-agent', '/agent/', headsetIcon, t.start.agentTitle, t.start.agentText)}
          ${door('link-diag', '/diag/', checkIcon, t.start.diagTitle, t.start.diagText)}
        </nav>
        <p class="tip">${t.start.tip}</p>
      </main>`;
  }

  private async check(): Promise<void> {
    if (document.visibilityState === 'hidden') return;
    try {
      const response = await fetch('/readyz', { cache: 'no-store' });
      this.server = response.ok ? 'ready' : 'notReady';
    } catch {
      this.server = 'unreachable';
    }
  }
}

function door(
  id: string,
  href: string,
  icon: TemplateResult,
  title: string,
  text: string,
): TemplateResult {
  return html`<a class="door" id=${id} href=${href}>
    <span class="door-icon">${icon}</span>
    <span class="door-text"><strong>${title}</strong><span class="muted">${text}</span></span>
    <span class="door-arrow">${arrowIcon}</span>
  </a>`;
}
