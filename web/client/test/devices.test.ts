// Goal: the constraints of each choice, and one code for each thing that getUserMedia throws.

import { describe, expect, it } from 'vitest';
import { VIDEO_PRESETS, toConstraints, toMediaError } from '../src/index.js';

describe('constraints', () => {
  it('ask for no picture with audio only', () => {
    expect(toConstraints({ preset: 'audio-only', camera: 'c' }).video).toBe(false);
  });

  it('ask gently for 360p and firmly for HD', () => {
    expect(toConstraints({ preset: '360p' }).video).toMatchObject({ height: { ideal: 360 } });
    expect(toConstraints({ preset: '720p' }).video).toMatchObject({ height: { min: 720 } });
    expect(toConstraints({ preset: '1080p' }).video).toMatchObject({ width: { min: 1920 } });
  });

  it('name a chosen device exactly, and none otherwise', () => {
    const chosen = toConstraints({ preset: '360p', camera: 'c', microphone: 'm' });
    expect(chosen.video).toMatchObject({ deviceId: { exact: 'c' } });
    expect(chosen.audio).toMatchObject({ deviceId: { exact: 'm' } });
    for (const preset of VIDEO_PRESETS) {
      expect(toConstraints({ preset }).audio).not.toHaveProperty('deviceId');
    }
  });
});

describe('errors of getUserMedia', () => {
  it.each([
    ['NotAllowedError', 'Permission denied', 'permission-denied'],
    ['NotAllowedError', 'Permission dismissed', 'permission-dismissed'],
    ['NotAllowedError', 'Permission denied by system', 'blocked-by-system'],
    ['NotAllowedError', 'Disallowed by permissions policy', 'blocked-by-policy'],
    ['SecurityError', '', 'blocked-by-policy'],
    ['NotFoundError', '', 'not-found'],
    ['NotReadableError', '', 'in-use'],
    ['OverconstrainedError', '', 'constraints'],
    ['AbortError', '', 'aborted'],
    ['SomethingNew', '', 'unknown'],
  ])('%s (%s) is %s', (name, message, code) => {
    expect(toMediaError({ name, message }, true)).toMatchObject({ code, askedForVideo: true });
  });

  it('keeps the constraint that could not be met', () => {
    const error = toMediaError({ name: 'OverconstrainedError', constraint: 'width' }, true);
    expect(error.constraint).toBe('width');
    expect(error.waysOn[0]).toBe('other-settings');
  });

  it('offers audio only just when a picture was asked for', () => {
    expect(toMediaError({ name: 'NotFoundError' }, true).waysOn).toContain('audio-only');
    expect(toMediaError({ name: 'NotFoundError' }, false).waysOn).not.toContain('audio-only');
  });

  it('offers audio only not to who wanted no sound', () => {
    expect(toMediaError({ name: 'NotFoundError' }, true, false).waysOn).not.toContain('audio-only');
  });

  it('takes anything', () => {
    for (const thrown of [null, undefined, 5, 'x', {}]) {
      expect(toMediaError(thrown, false).code).toBe('unknown');
    }
  });
});
