// Goal: right figures and a steady verdict from getStats reports.
// Method: made-up reports, one a second.

import { describe, expect, it } from 'vitest';
import { reduceStats, type Quality, type StatsMemory } from '../src/index.js';

interface Second {
  bytes?: number;
  answers?: number;
  packets?: number;
  lost?: number;
  frames?: number;
  rtt?: number;
  fractionLost?: number;
  jitter?: number;
}

function report(second: Second): object[] {
  return [
    { type: 'transport', id: 'T', selectedCandidatePairId: 'P2' },
    { type: 'candidate-pair', id: 'P1', currentRoundTripTime: 9, nominated: true },
    {
      type: 'candidate-pair',
      id: 'P2',
      currentRoundTripTime: second.rtt ?? 0.02,
      responsesReceived: second.answers ?? 0,
    },
    { type: 'outbound-rtp', id: 'O', kind: 'video', bytesSent: second.bytes ?? 0 },
    {
      type: 'inbound-rtp',
      id: 'I',
      kind: 'video',
      bytesReceived: second.bytes ?? 0,
      packetsReceived: second.packets ?? 0,
      packetsLost: second.lost ?? 0,
      framesDecoded: second.frames ?? 0,
      frameWidth: 640,
      frameHeight: 360,
      jitter: 5,
    },
    { type: 'inbound-rtp', id: 'A', kind: 'audio', jitter: second.jitter ?? 0.004 },
    { type: 'remote-inbound-rtp', id: 'R', fractionLost: second.fractionLost ?? 0 },
  ];
}

function run(seconds: Second[]): Quality[] {
  let memory: StatsMemory | null = null;
  return seconds.map((second, index) => {
    const next = reduceStats(memory, report(second), index * 1000);
    memory = next.memory;
    return next.quality;
  });
}

describe('figures', () => {
  it('come from the difference of two reports', () => {
    const [first, second] = run([
      { bytes: 1000, packets: 10, frames: 5 },
      { bytes: 126_000, packets: 109, lost: 1, frames: 35, rtt: 0.05 },
    ]);
    expect(first).toMatchObject({ upKbps: null, downKbps: null, fps: null, lossPct: 0 });
    expect(second).toMatchObject({
      upKbps: 1000,
      downKbps: 1000,
      fps: 30,
      lossPct: 1,
      rttMs: 50,
      jitterMs: 4,
      width: 640,
      height: 360,
      framesDecoded: 35,
    });
  });

  it('take the worse direction of loss', () => {
    const [, second] = run([{}, { packets: 99, lost: 1, fractionLost: 0.08 }]);
    expect(second?.lossPct).toBe(8);
  });

  it('are unknown when the report has none', () => {
    expect(reduceStats(null, [null, 5, { type: 'x' }], 0).quality).toMatchObject({
      rttMs: null,
      lossPct: null,
      verdict: 'good',
    });
  });

  it('are never negative when a counter falls', () => {
    const [, second] = run([
      { bytes: 1000, frames: 9 },
      { bytes: 10, frames: 1 },
    ]);
    expect(second).toMatchObject({ upKbps: 0, fps: 0 });
  });
});

describe('verdict', () => {
  const verdicts = (rtts: number[]): string[] =>
    run(rtts.map((rtt, index) => ({ rtt, bytes: index * 1000 }))).map(({ verdict }) => verdict);

  it('gets worse after two seconds', () => {
    expect(verdicts([0.02, 0.5, 0.5])).toEqual(['good', 'good', 'poor']);
  });

  it('gets better after three seconds', () => {
    expect(verdicts([0.5, 0.02, 0.02, 0.02])).toEqual(['poor', 'poor', 'poor', 'good']);
  });

  it('does not follow a single second', () => {
    expect(verdicts([0.02, 0.5, 0.02, 0.5, 0.02])).toEqual(Array(5).fill('good'));
  });

  it('puts a figure at the limit into the worse bin', () => {
    expect(verdicts([0.2])).toEqual(['fair']);
    expect(verdicts([0.1999])).toEqual(['good']);
  });

  it('is poor when nothing comes any more', () => {
    const silent = Array.from({ length: 5 }, () => ({ bytes: 5000 }));
    expect(run(silent).at(-1)?.verdict).toBe('poor');
  });

  it('stays when the other side is muted and the path still answers', () => {
    const muted = Array.from({ length: 9 }, (_, second) => ({ answers: Math.floor(second / 2) }));
    expect(run(muted).map(({ verdict }) => verdict)).toEqual(Array(9).fill('good'));
  });
});
