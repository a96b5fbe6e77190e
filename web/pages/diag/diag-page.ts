import { html, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import { PageElement } from '../shared/element.js';
import { pageHeader } from '../shared/parts.js';
import './diag-devices.js';
import './diag-try-out.js';
import { words } from './words.js';

@customElement('diag-page')
export class DiagPage extends PageElement {
  protected override render(): TemplateResult {
    return html`${pageHeader()}
      <main class="diag">
        <div class="diag-head">
          <h1>${words.title}</h1>
          <p class="lead">${words.lead}</p>
        </div>
        <diag-devices></diag-devices>
        <diag-try-out></diag-try-out>
      </main>`;
  }
}
