// Call quality from getStats. `reduceStats` is a pure function from one report to the next figures;
// `judge` gives the verdict with hysteresis, so that it does not flicker. `watchQuality` runs both
// once a second.

import type { Unsubscribe } from './emitter.js';
import { selectedPair } from './ice.js';

export type Verdict = 'good' | 'fair' | 'poor';

/** What one second of a call looked like. Null: not known (yet). */
export interface Quality {
  verdict: Verdict;
  /** Round-trip time to the server, ms. */
  rttMs: number | null;
  /** Packets lost in the last second, percent of those sent: the worse direction. */
  lossPct: number | null;
  /** Jitter of the sound that is received, ms. */
  jitterMs: number | null;
  upKbps: number | null;
  downKbps: number | null;
  /** Frames a second that are received; 0 when the other side sends no picture. */
  fps: number | null;
  width: number | null;
  height: number | null;
  /** Frames decoded since the call began. */
  framesDecoded: number;
}

/** Carried from one report to the next. */
export interface StatsMemory {
  atMs: number;
  bytesUp: number;
  bytesDown: number;
  packetsDown: number;
  lostDown: number;
  heard: number;
  framesDecoded: number;
  verdict: Verdict;
  /** A verdict that differs from `verdict`, and how often in a row it was seen. */
  candidate: Verdict;
  candidateCount: number;
  silentCount: number;
}

interface Totals {
  bytesUp: number;
  bytesDown: number;
  packetsDown: number;
  lostDown: number;
  /** Grows whenever anything came, also while the other side is muted: RTCP, answers to checks. */
  heard: number;
  framesDecoded: number;
  lossUpPct: number | null;
  jitterMs: number | null;
  rttMs: number | null;
  width: number | null;
  height: number | null;
}

/** Worse after two seconds, better after three. */
const WORSE_AFTER = 2;
const BETTER_AFTER = 3;
/** Seconds in which nothing at all came until the verdict is poor whatever else is known. */
const SILENT_POOR = 3;

const FAIR = { rttMs: 200, lossPct: 1, jitterMs: 30 };
const POOR = { rttMs: 400, lossPct: 5, jitterMs: 100 };

type Stat = Record<string, unknown> & { type: string; id: string };

/** Figures and memory after one more report, taken at `nowMs`. */
export function reduceStats(
  before: StatsMemory | null,
  report: Iterable<unknown>,
  nowMs: number,
): { quality: Quality; memory: StatsMemory } {
  const totals = addUp([...report].filter(isStat));
  const seconds = before ? (nowMs - before.atMs) / 1000 : 0;
  const rates = before && seconds > 0 ? ratesOf(before, totals, seconds) : NO_RATES;
  const lossPct = larger(rates.lossDownPct, totals.lossUpPct);
  const silent = rates.heard ? 0 : (before?.silentCount ?? 0) + 1;
  const seen = silent >= SILENT_POOR ? 'poor' : classify(totals.rttMs, lossPct, totals.jitterMs);
  const verdict = judge(before, seen);
  return {
    quality: {
      verdict: verdict.verdict,
      rttMs: totals.rttMs,
      lossPct,
      jitterMs: totals.jitterMs,
      upKbps: rates.upKbps,
      downKbps: rates.downKbps,
      fps: rates.fps,
      width: totals.width,
      height: totals.height,
      framesDecoded: totals.framesDecoded,
    },
    memory: { ...pick(totals), atMs: nowMs, silentCount: silent, ...verdict },
  };
}

/** Samples a connection once a second until the returned function is called. */
export function watchQuality(
  connection: RTCPeerConnection,
  listener: (quality: Quality) => void,
  periodMs = 1000,
): Unsubscribe {
  let memory: StatsMemory | null = null;
  let stopped = false;
  const sample = async (): Promise<void> => {
    const report = await connection.getStats();
    if (stopped) return;
    const next = reduceStats(memory, report.values() as Iterable<unknown>, performance.now());
    memory = next.memory;
    listener(next.quality);
  };
  const timer = setInterval(() => void sample().catch(() => undefined), periodMs);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

interface Rates {
  upKbps: number | null;
  downKbps: number | null;
  fps: number | null;
  lossDownPct: number | null;
  heard: boolean;
}

const NO_RATES: Rates = {
  upKbps: null,
  downKbps: null,
  fps: null,
  lossDownPct: null,
  heard: true,
};

/** Counters can fall when a track ends: a negative step counts as none. */
function ratesOf(before: StatsMemory, now: Totals, seconds: number): Rates {
  const step = (key: keyof ReturnType<typeof pick>): number => Math.max(0, now[key] - before[key]);
  const lost = step('lostDown');
  const expected = lost + step('packetsDown');
  return {
    upKbps: (step('bytesUp') * 8) / 1000 / seconds,
    downKbps: (step('bytesDown') * 8) / 1000 / seconds,
    fps: step('framesDecoded') / seconds,
    lossDownPct: expected > 0 ? (100 * lost) / expected : null,
    heard: step('bytesDown') > 0 || step('heard') > 0,
  };
}

function addUp(stats: Stat[]): Totals {
  const pair = selectedPair(stats);
  const totals: Totals = {
    bytesUp: 0,
    bytesDown: 0,
    packetsDown: 0,
    lostDown: 0,
    heard: (numberOf(pair?.bytesReceived) ?? 0) + (numberOf(pair?.responsesReceived) ?? 0),
    framesDecoded: 0,
    lossUpPct: null,
    jitterMs: null,
    rttMs: toMs(numberOf(pair?.currentRoundTripTime)),
    width: null,
    height: null,
  };
  for (const stat of stats) {
    if (stat.type === 'outbound-rtp') totals.bytesUp += numberOf(stat.bytesSent) ?? 0;
    else if (stat.type === 'inbound-rtp') addInbound(totals, stat);
    else if (stat.type === 'remote-inbound-rtp') addRemoteInbound(totals, stat);
  }
  return totals;
}

function addInbound(totals: Totals, stat: Stat): void {
  totals.bytesDown += numberOf(stat.bytesReceived) ?? 0;
  totals.packetsDown += numberOf(stat.packetsReceived) ?? 0;
  totals.lostDown += numberOf(stat.packetsLost) ?? 0;
  if (stat.kind !== 'video') {
    // Pictures come in bursts, so their jitter says little about the path.
    totals.jitterMs = larger(totals.jitterMs, toMs(numberOf(stat.jitter)));
    return;
  }
  totals.framesDecoded += numberOf(stat.framesDecoded) ?? 0;
  totals.width = numberOf(stat.frameWidth);
  totals.height = numberOf(stat.frameHeight);
}

function addRemoteInbound(totals: Totals, stat: Stat): void {
  const fraction = numberOf(stat.fractionLost);
  totals.lossUpPct = larger(totals.lossUpPct, fraction === null ? null : fraction * 100);
  totals.rttMs ??= toMs(numberOf(stat.roundTripTime));
}

/** Half-open bins: a figure at the limit belongs to the worse one. */
function classify(rttMs: number | null, lossPct: number | null, jitterMs: number | null): Verdict {
  const over = (limit: typeof FAIR): boolean =>
    (rttMs ?? 0) >= limit.rttMs ||
    (lossPct ?? 0) >= limit.lossPct ||
    (jitterMs ?? 0) >= limit.jitterMs;
  if (over(POOR)) return 'poor';
  return over(FAIR) ? 'fair' : 'good';
}

const RANK: Record<Verdict, number> = { good: 0, fair: 1, poor: 2 };

function judge(
  before: StatsMemory | null,
  seen: Verdict,
): Pick<StatsMemory, 'verdict' | 'candidate' | 'candidateCount'> {
  if (!before) return { verdict: seen, candidate: seen, candidateCount: 0 };
  if (seen === before.verdict) return { verdict: seen, candidate: seen, candidateCount: 0 };
  const count = seen === before.candidate ? before.candidateCount + 1 : 1;
  const needed = RANK[seen] > RANK[before.verdict] ? WORSE_AFTER : BETTER_AFTER;
  if (count >= needed) return { verdict: seen, candidate: seen, candidateCount: 0 };
  return { verdict: before.verdict, candidate: seen, candidateCount: count };
}

function pick(
  totals: Totals,
): Omit<StatsMemory, 'atMs' | 'verdict' | 'candidate' | 'candidateCount' | 'silentCount'> {
  const { bytesUp, bytesDown, packetsDown, lostDown, heard, framesDecoded } = totals;
  return { bytesUp, bytesDown, packetsDown, lostDown, heard, framesDecoded };
}

function isStat(value: unknown): value is Stat {
  return typeof value === 'object' && value !== null && 'type' in value && 'id' in value;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.max(a, b);
}
