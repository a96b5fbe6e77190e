// Goal: what is in the fields is what the browser is asked for, and what it refuses is told in words.

import { expect, it } from 'vitest';
import {
  IMPOSSIBLE_WIDTH,
  NOTHING_ASKED,
  SIZE_PRESETS,
  askedFor,
  impossible,
  readField,
  settingsWords,
  toVideoConstraints,
  withBound,
  withSize,
} from '../diag/constraints.js';
import { LevelJudge } from '../diag/level-words.js';

it('asks for nothing when nothing is filled in', () => {
  expect(toVideoConstraints(NOTHING_ASKED)).toBe(true);
  expect(toVideoConstraints(NOTHING_ASKED, 'c')).toEqual({ deviceId: { exact: 'c' } });
});

it('asks for every bound that is filled in, and for the direction', () => {
  let tryOut = withBound(NOTHING_ASKED, 'width', 'min', 640);
  tryOut = withBound(tryOut, 'width', 'max', 1920);
  tryOut = withBound(tryOut, 'frameRate', 'ideal', 12.5);
  tryOut = { ...tryOut, facing: { bound: 'exact', mode: 'environment' } };
  expect(toVideoConstraints(tryOut)).toEqual({
    width: { min: 640, max: 1920 },
    frameRate: { ideal: 12.5 },
    facingMode: { exact: 'environment' },
  });
  tryOut = withBound(withBound(tryOut, 'width', 'min', null), 'width', 'max', null);
  expect(toVideoConstraints(tryOut)).not.toHaveProperty('width');
});

it('has presets from QVGA to 8K, which leave the frame rate as it is', () => {
  expect(SIZE_PRESETS.map(({ width }) => width)).toEqual([320, 640, 1280, 1920, 3840, 7680]);
  const tryOut = withSize(withBound(NOTHING_ASKED, 'frameRate', 'exact', 30), 320, 240);
  expect(toVideoConstraints(tryOut)).toEqual({
    width: { exact: 320 },
    height: { exact: 240 },
    frameRate: { exact: 30 },
  });
});

it('reads numbers, and nothing else', () => {
  expect(readField(' 12,5 ')).toBe(12.5);
  expect(readField('')).toBeNull();
  for (const wrong of ['0', '-5', 'x', '1e999', 'NaN']) expect(readField(wrong)).toBeUndefined();
});

it('says what was asked for by a constraint that failed', () => {
  expect(askedFor(impossible(), 'width')).toBe('a picture width of exactly 100,000 pixels');
  expect(IMPOSSIBLE_WIDTH).toBe(100_000);
  let tryOut = withBound(NOTHING_ASKED, 'frameRate', 'min', 60);
  tryOut = withBound(tryOut, 'frameRate', 'ideal', 90);
  expect(askedFor(tryOut, 'frameRate')).toBe('a frame rate of at least 60 pictures a second');
  expect(askedFor(tryOut, 'width')).toBeNull();
  expect(askedFor(tryOut, 'deviceId')).toBeNull();
  expect(askedFor({ ...tryOut, facing: { bound: 'exact', mode: 'user' } }, 'facingMode')).toBe(
    'a camera that faces you',
  );
});

it('says what a camera gives', () => {
  expect(settingsWords({ width: 640, height: 480, frameRate: 29.97 })).toBe(
    '640 × 480 pixels, 30 pictures a second',
  );
  expect(settingsWords({})).toBe('');
});

it('judges loudness by the loudest of the last moments', () => {
  const judge = new LevelJudge();
  expect(judge.take(0.1)).toBe(false);
  expect(judge.take(0.7)).toBe(true);
  expect(judge.word).toBe('good');
  for (let i = 0; i < 14; i++) expect(judge.take(0.05)).toBe(false); // a pause between words
  expect(judge.take(0.05)).toBe(true);
  expect(judge.word).toBe('silent');
  expect(judge.peak).toBe(0.7);
});

it('does not flicker at the border of two words', () => {
  const judge = new LevelJudge();
  for (let i = 0; i < 20; i++) judge.take(0.51);
  expect(judge.word).toBe('good');
  for (let i = 0; i < 20; i++) expect(judge.take(0.48)).toBe(false);
  for (let i = 0; i < 20; i++) judge.take(0.4);
  expect(judge.word).toBe('quiet');
});
