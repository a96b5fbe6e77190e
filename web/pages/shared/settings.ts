// What the person chose for camera and microphone, remembered in this browser.

import { VIDEO_PRESETS, type MediaChoice } from '@tring/client';

const KEY = 'tring.media';
const DEFAULT: MediaChoice = { preset: '360p' };

export function loadChoice(): MediaChoice {
  const stored = readJson(KEY);
  const preset = VIDEO_PRESETS.find((known) => known === stored.preset) ?? DEFAULT.preset;
  return { preset, camera: textOf(stored.camera), microphone: textOf(stored.microphone) };
}

export function saveChoice(choice: MediaChoice): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // A browser that stores nothing still makes calls.
  }
}

function readJson(key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined;
}
