// A list to choose a device from, with a name for those that the browser does not name yet.

import { html, type TemplateResult } from 'lit';
import type { MediaDevice } from '@tring/client';
import { t } from './messages.js';

export interface DevicePicker {
  id: string;
  label: string;
  /** A heading beside it says the same. */
  labelHidden?: boolean;
  disabled?: boolean;
  devices: readonly MediaDevice[];
  chosen: string | undefined;
  changed(id: string | undefined): void;
}

export function devicePicker(picker: DevicePicker): TemplateResult {
  const { id, label, devices, chosen } = picker;
  const gone = chosen !== undefined && !devices.some((device) => device.id === chosen);
  return html`<label class="field">
    <span class=${picker.labelHidden ? 'visually-hidden' : ''}>${label}</span>
    <select
      id=${id}
      ?disabled=${picker.disabled ?? false}
      @change=${(event: Event) => picker.changed((event.target as HTMLSelectElement).value || undefined)}
    >
      <option value="" ?selected=${chosen === undefined}>${t.settings.systemDefault}</option>
      ${gone ? html`<option value=${chosen} selected>${t.settings.gone}</option>` : ''}
      ${devices.map(
        (device, index) =>
          html`<option value=${device.id} ?selected=${device.id === chosen}>
            ${device.label || t.settings.numbered(label, index + 1)}
          </option>`,
      )}
    </select>
  </label>`;
}
