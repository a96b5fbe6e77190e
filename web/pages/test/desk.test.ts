// Goal: an agent who wants to be available is, through taken names and lost connections.
// Method: a server that refuses as the test says, virtual time.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionError, PluginError } from '@tring/client';
import { AgentDesk, cleanName, type DeskLine } from '../agent/desk.js';

class FakeLine implements DeskLine {
  lost: (() => void) | null = null;
  signalling: ((lost: boolean) => void) | null = null;
  closed = false;
  onIncoming(): void {}
  onSignalling(listener: (lost: boolean) => void): void {
    this.signalling = listener;
  }
  onClosed(listener: () => void): void {
    this.lost = listener;
  }
  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function setUp(answers: (Error | null)[]) {
  const lines: FakeLine[] = [];
  const asked: string[] = [];
  const desk = new AgentDesk({
    open: (username) => {
      asked.push(username);
      const error = answers.length > 1 ? answers.shift() : answers[0];
      if (error) return Promise.reject(error);
      lines.push(new FakeLine());
      return Promise.resolve(lines.at(-1) as FakeLine);
    },
  });
  return { desk, lines, asked };
}

const taken = new PluginError(476, 'Username taken');
const unreachable = new ConnectionError('unreachable', 'no server');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('an agent', () => {
  it('becomes available under the prefixed name', async () => {
    const { desk, asked } = setUp([null]);
    await desk.goAvailable('Ann');
    expect(desk.presence).toBe('available');
    expect(asked).toEqual(['agent:Ann']);
  });

  it('is told at once that somebody else has the name', async () => {
    const { desk } = setUp([taken]);
    await desk.goAvailable('Ann');
    expect(desk).toMatchObject({ presence: 'offline', error: { code: 'name-taken', name: 'Ann' } });
  });

  it('gets its own name back after a reload', async () => {
    const { desk, asked } = setUp([taken, taken, taken, null]);
    const done = desk.goAvailable('Ann', true);
    await vi.advanceTimersByTimeAsync(10);
    expect(desk.presence).toBe('reclaiming');
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(desk.presence).toBe('available');
    expect(asked).toHaveLength(4);
  });

  it('stops asking for it when the session before must have timed out', async () => {
    const { desk } = setUp([taken]);
    void desk.goAvailable('Ann', true);
    await vi.advanceTimersByTimeAsync(90_000);
    expect(desk).toMatchObject({ presence: 'offline', error: { code: 'name-taken' } });
  });

  it('keeps trying while the server cannot be reached', async () => {
    const { desk, asked } = setUp([unreachable]);
    void desk.goAvailable('Ann');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(desk.presence).toBe('reconnecting');
    expect(asked.length).toBeGreaterThan(80);
    await desk.goOffline();
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(before);
  });

  it('registers again when the session was lost', async () => {
    const { desk, lines } = setUp([null]);
    await desk.goAvailable('Ann');
    lines[0]?.lost?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(desk.presence).toBe('available');
    expect(lines).toHaveLength(2);
  });

  it('does not register again when the page goes away', async () => {
    const { desk, lines } = setUp([null]);
    await desk.goAvailable('Ann');
    desk.suspend();
    lines[0]?.lost?.();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toHaveLength(1);
  });

  it('gives the name back when it goes offline, also while it is being registered', async () => {
    const { desk, lines } = setUp([null]);
    const done = desk.goAvailable('Ann');
    await desk.goOffline();
    await done;
    expect(lines[0]?.closed).toBe(true);
    expect(desk.presence).toBe('offline');
  });
});

it('cleans names', () => {
  expect(cleanName('  Ann \n\t O’Neil\u0000 ')).toBe('Ann O’Neil');
  expect(cleanName('x'.repeat(90))).toHaveLength(40);
  expect(cleanName(' \u200b ')).toBe('');
});
