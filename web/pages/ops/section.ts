// What the sections of the page have in common: they ask the server now and then, and say so when it
// cannot be reached.

import { html, nothing, type TemplateResult } from 'lit';
import { property, state } from 'lit/decorators.js';
import { PageElement } from '../shared/element.js';
import { Gone, Refused, TooMany, type OpsApi } from './ops-api.js';
import { words } from './words.js';

const RETRY_MS = 3000;

export class Section extends PageElement {
  @property({ attribute: false }) api!: OpsApi;
  @state() protected trouble: 'none' | 'unreachable' | 'gone' = 'none';
  private retry: ReturnType<typeof setTimeout> | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.retry);
  }

  /** For what is asked for once: again and again until the server answers, as the notice says. */
  protected async untilAnswered(ask: () => Promise<void>): Promise<void> {
    clearTimeout(this.retry);
    await this.attempt(ask);
    if (this.trouble !== 'unreachable' || !this.isConnected) return;
    this.retry = setTimeout(() => void this.untilAnswered(ask), RETRY_MS);
  }

  /** Does it; false when it failed, which is shown. */
  protected async attempt(run: () => Promise<void>): Promise<boolean> {
    try {
      await run();
      this.trouble = 'none';
      return true;
    } catch (error) {
      if (error instanceof Refused || error instanceof TooMany) {
        this.dispatchEvent(new CustomEvent('ops-refused', { bubbles: true }));
      }
      this.trouble = error instanceof Gone ? 'gone' : 'unreachable';
      return false;
    }
  }

  protected troubleNotice(): TemplateResult | typeof nothing {
    return this.trouble === 'unreachable'
      ? html`<p class="notice" id="trouble" role="status">${words.unreachable}</p>`
      : nothing;
  }
}
