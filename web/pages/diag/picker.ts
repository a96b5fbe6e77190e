// A list to choose a device from, with a name for those that the browser does not name yet.

import { html, type TemplateResult } from 'lit';
import type { MediaDevice } from '@tring/client';
import { words } from './words.js';

export interface Picker {
  id: string;
  label: string;
  devices: readonly MediaDevice[];
  chosen: string | undefined;
  changed(id: string | undefined): void;
}

export function picker({ id, label, devices, chosen, changed }: Picker): TemplateResult {
  const gone = chosen !== undefined && !devices.some((device) => device.id === chosen);
  return html`<label class="field">
    <span class="visually-hidden">${label}</span>
    <select
      id=${id}
      @change=${(event: Event) => changed((event.target as HTMLSelectElement).value || undefined)}
    >
      <option value="" ?selected=${chosen === undefined}>${words.devices.systemDefault}</option>
      ${gone ? html`<option value=${chosen} selected>${words.devices.gone}</option>` : ''}
      ${devices.map(
        (device, index) =>
          html`<option value=${device.id} ?selected=${device.id === chosen}>
            ${device.label || words.devices.numbered(label, index + 1)}
          </option>`,
      )}
    </select>
  </label>`;
}
