// Icons drawn on a 24 grid, in the text's colour, hidden from screen readers: the words beside them
// (or the button's label) say it.

import { svg, html, type TemplateResult } from 'lit';

function icon(content: TemplateResult): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${content}</svg>`;
}

const HANDSET = svg`<path d="M6.6 3.5h2.1c.5 0 .9.3 1 .8l.8 3.2c.1.4 0 .9-.4 1.1L8.4 9.9a12.6 12.6 0 0 0 5.7 5.7l1.3-1.7c.2-.4.7-.5 1.1-.4l3.2.8c.5.1.8.5.8 1v2.1c0 1.7-1.4 3.1-3.1 3.1C10.300 20.500 3.500 13.700 3.500 6.600c0-1.700 1.400-3.100 3.100-3.100z"/>`;
const SLASH = svg`<path d="M4 4l16 16"/>`;
const MIC = svg`<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3"/>`;
const CAM = svg`<rect x="3" y="6.500" width="12.500" height="11" rx="2.500"/><path d="M15.500 10.500l5-2.500v8l-5-2.500z"/>`;

export const phoneIcon = icon(HANDSET);
export const hangupIcon = html`<svg class="icon icon-down" viewBox="0 0 24 24" aria-hidden="true">
  ${HANDSET}
</svg>`;
export const micIcon = icon(MIC);
export const micOffIcon = icon(svg`${MIC}${SLASH}`);
export const camIcon = icon(CAM);
export const camOffIcon = icon(svg`${CAM}${SLASH}`);
export const headsetIcon = icon(
  svg`<path d="M4 14v-2a8 8 0 0 1 16 0v2M18 20h-4"/><rect x="3" y="13" width="4.500" height="6.500" rx="2"/><rect x="16.500" y="13" width="4.500" height="6.500" rx="2"/>`,
);
export const slidersIcon = icon(
  svg`<path d="M4 8h9M17 8h3M4 16h3M11 16h9"/><circle cx="15" cy="8" r="2"/><circle cx="9" cy="16" r="2"/>`,
);
export const playIcon = icon(svg`<path d="M8 5.500v13l10.500-6.500z"/>`);
export const closeIcon = icon(svg`<path d="M6 6l12 12M18 6L6 18"/>`);
export const downloadIcon = icon(
  svg`<path d="M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14"/>`,
);
export const bellIcon = icon(
  svg`<path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15zM10 20.500a2.200 2.200 0 0 0 4 0"/>`,
);
export const arrowIcon = icon(svg`<path d="M5 12h13M13 6.500l5.500 5.500-5.500 5.500"/>`);
export const checkIcon = icon(svg`<path d="M3 12h4l2.500-6 4.500 12 2.500-6h4.500"/>`);
export const personIcon = icon(
  svg`<circle cx="12" cy="8.500" r="4"/><path d="M4.500 20a7.500 7.500 0 0 1 15 0"/>`,
);
export const soundIcon = icon(
  svg`<path d="M4 9.500v5h3.500l5 4v-13l-5 4zM16 9a4.500 4.500 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11"/>`,
);

/** The mark: a point that rings outwards. */
export const logo = html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
  <circle class="logo-dot" cx="16" cy="16" r="4.5" />
  <path d="M8.200 23.800a11 11 0 0 1 0-15.600M23.800 8.200a11 11 0 0 1 0 15.600" />
  <path class="logo-far" d="M4 27.500a16.300 16.300 0 0 1 0-23M28 4.500a16.300 16.300 0 0 1 0 23" />
</svg>`;
