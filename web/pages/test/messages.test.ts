// Goal: every device error has its own sentence and names what can be done; figures read well.

import { expect, it } from 'vitest';
import { MediaError, type MediaErrorCode, type Quality } from '@tring/client';
import { formatBytes, formatLength, formatWhen } from '../shared/format.js';
import { mediaSentence, personName, qualitySentence } from '../shared/messages.js';
import { loudness } from '../shared/level.js';

const CODES: MediaErrorCode[] = [
  'permission-denied',
  'permission-dismissed',
  'blocked-by-system',
  'blocked-by-policy',
  'not-found',
  'in-use',
  'constraints',
  'unsupported',
  'unknown',
];

it('has a sentence of its own for each device error', () => {
  const sentence = (code: MediaErrorCode) =>
    mediaSentence(new MediaError(code, 'm', { askedForVideo: true, constraint: 'width' }));
  expect(new Set(CODES.map((code) => sentence(code).title)).size).toBe(CODES.length);
  expect(sentence('constraints').hint).toContain('width');
});

it('speaks of what was asked for only', () => {
  const title = (code: MediaErrorCode, askedForVideo: boolean, askedForAudio: boolean) =>
    mediaSentence(new MediaError(code, 'm', { askedForVideo, askedForAudio })).title;
  expect(title('not-found', true, true)).toBe('No camera or no microphone was found');
  expect(title('not-found', true, false)).toBe('No camera was found');
  expect(title('in-use', true, false)).toBe('Another program is using your camera');
  expect(title('permission-denied', false, true)).toBe('This page may not use your microphone');
});

it('calls people by their names', () => {
  expect(personName('agent:Ann')).toBe('Ann');
  expect(personName('customer-x1')).toBe('Customer x1');
  expect(personName('bob')).toBe('bob');
});

it('puts the quality into one line', () => {
  const quality: Quality = {
    verdict: 'fair',
    rttMs: 41.7,
    lossPct: 1.25,
    jitterMs: 2,
    upKbps: 812,
    downKbps: 1930,
    fps: 29.6,
    width: 640,
    height: 360,
    framesDecoded: 1,
  };
  expect(qualitySentence(quality)).toBe(
    'Fair connection · 42 ms · 1.3 % lost · ↑ 812 kbit/s · ↓ 1.9 Mbit/s · 640×360, 30 fps',
  );
});

it('formats lengths, sizes and times', () => {
  expect(formatLength(65_000)).toBe('1:05');
  expect(formatLength(3_723_900)).toBe('1:02:03');
  expect(formatLength(-5)).toBe('0:00');
  expect(formatBytes(100)).toBe('1 kB');
  expect(formatBytes(48_300_000)).toBe('48 MB');
  const noon = new Date(2026, 2, 12, 12, 5).getTime();
  expect(formatWhen(noon, noon)).toBe('12:05');
  expect(formatWhen(noon, noon + 86_400_000)).toContain('12 Mar');
});

it('measures loudness between silence and full scale', () => {
  expect(loudness(new Float32Array(64))).toBe(0);
  expect(loudness(new Float32Array(64).fill(1))).toBe(1);
  expect(loudness(new Float32Array(0))).toBe(0);
});
