import { html, type TemplateResult } from 'lit';
import type { MediaError, MediaWayOn } from '@tring/client';
import { mediaSentence, mediaWays } from './messages.js';
import { diagLink } from './parts.js';

/** A device error in words, with a button for each way on. */
export function mediaNotice(error: MediaError, take: (way: MediaWayOn) => void): TemplateResult {
  const { title, hint } = mediaSentence(error);
  return html`<div
    class="notice bad"
    id="media-error"
    role="alert"
    data-code=${error.code}
    data-constraint=${error.constraint ?? ''}
  >
    <p class="notice-title">${title}</p>
    <p>${hint}</p>
    <div class="buttons">
      ${error.waysOn.map(
        (way, index) =>
          html`<button
            type="button"
            class="button ${index === 0 ? 'primary' : 'quiet'}"
            id="way-${way}"
            @click=${() => take(way)}
          >
            ${mediaWays[way]}
          </button>`,
      )}
    </div>
    <p>${diagLink()}</p>
  </div>`;
}
