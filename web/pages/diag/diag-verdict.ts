// The verdict in words, and what can be done with the report: a support code, copy, download.

import { html, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { PageElement } from '../shared/element.js';
import { downloadIcon } from '../shared/icons.js';
import { SendError, sendReport, spellCode, type Report, type SendFailure } from './report.js';
import type { Verdict } from './verdict.js';
import { adviceWords, noteWords, uncheckedWords, words } from './words.js';

@customElement('diag-verdict')
export class DiagVerdict extends PageElement {
  @property({ attribute: false }) verdict!: Verdict;
  /** Made anew for each report: what is found later belongs to it. */
  @property({ attribute: false }) makeReport!: () => Report;

  @state() private code = '';
  /** Something was found out after the report was sent. */
  @state() private stale = false;
  @state() private sending = false;
  @state() private failure: SendFailure | null = null;
  @state() private note = '';

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has('verdict')) return;
    // What was sent still has its code; what was found since is not in it.
    this.stale = this.code !== '';
    this.failure = null;
    this.note = '';
  }

  protected override render(): TemplateResult {
    const { grade, notes, advice } = this.verdict;
    const { title, text } = words.verdict.grades[grade];
    const unchecked = uncheckedWords(this.verdict);
    return html`<section
      class="card verdict"
      id="verdict"
      data-grade=${grade}
      aria-labelledby="verdict-title"
    >
      <h2 id="verdict-title" tabindex="-1">${title}</h2>
      <p>${text}</p>
      ${
        notes.length > 0
          ? html`<ul class="plain-list" id="verdict-notes">
              ${notes.map((note) => html`<li data-reason=${note.reason}>${noteWords(note)}</li>`)}
            </ul>`
          : ''
      }
      ${
        advice.length > 0
          ? html`<div id="verdict-advice">
              <p>${words.verdict.ask}</p>
              <ul>
                ${advice.map((one) => html`<li>${adviceWords(one)}</li>`)}
              </ul>
            </div>`
          : ''
      }
      ${unchecked ? html`<p class="muted">${unchecked}</p>` : ''} ${this.reportPart()}
    </section>`;
  }

  private reportPart(): TemplateResult {
    return html`<div class="report">
      <div class="buttons">
        ${
          this.code && !this.stale
            ? ''
            : html`<button
                type="button"
                class="button primary"
                id="send-report"
                aria-describedby="send-hint"
                ?disabled=${this.sending}
                @click=${() => void this.send()}
              >
                ${this.sending ? words.verdict.sending : this.code ? words.verdict.sendAgain : words.verdict.send}
              </button>`
        }
        <button
          type="button"
          class="button quiet"
          id="copy-report"
          @click=${() => void this.copy(this.text())}
        >
          ${words.verdict.copy}
        </button>
        <button
          type="button"
          class="button quiet"
          id="download-report"
          @click=${() => this.download()}
        >
          ${downloadIcon} ${words.verdict.download}
        </button>
      </div>
      <div aria-live="polite">
        ${this.code ? this.codePart() : ''}
        ${
          this.failure
            ? html`<p class="notice" id="send-failure">
                ${words.verdict.sendFailures[this.failure]}
              </p>`
            : ''
        }
        ${this.note ? html`<p id="copy-note">${this.note}</p>` : ''}
      </div>
      ${this.code ? '' : html`<p class="muted" id="send-hint">${words.verdict.sendHint}</p>`}
    </div>`;
  }

  private codePart(): TemplateResult {
    const spelled = spellCode(this.code);
    return html`<div class="code-part">
      <p>${words.verdict.code}</p>
      <p class="code" id="support-code">${spelled}</p>
      <p class="muted">${words.verdict.codeHint}</p>
      <button
        type="button"
        class="button small quiet"
        id="copy-code"
        @click=${() => void this.copy(spelled)}
      >
        ${words.verdict.copyCode}
      </button>
    </div>`;
  }

  private async send(): Promise<void> {
    this.sending = true;
    this.failure = null;
    try {
      this.code = await sendReport(this.makeReport());
      this.stale = false;
      void this.focusOn('copy-code');
    } catch (error) {
      this.failure = error instanceof SendError ? error.why : 'refused';
    } finally {
      this.sending = false;
    }
  }

  private text(): string {
    const code = this.code ? { code: spellCode(this.code) } : {};
    return JSON.stringify({ ...code, ...this.makeReport() }, null, 1);
  }

  private async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.note = words.verdict.copied;
    } catch {
      this.note = words.verdict.copyFailed;
    }
  }

  private download(): void {
    const url = URL.createObjectURL(new Blob([this.text()], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `connection-report${this.code ? `-${this.code}` : ''}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'diag-verdict': DiagVerdict;
  }
}
