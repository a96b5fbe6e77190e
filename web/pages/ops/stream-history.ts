// What each stream of a connection did while the page watched it: one point a second, for its plots.

import type { PlotPoint } from '../shared/plot-shape.js';
import { streamKey, type Stream } from './samples.js';

export const STREAM_METRICS = [
  'bitrate',
  'packets',
  'loss',
  'jitter',
  'rtt',
  'nacks',
  'plis',
  'layer',
  'temporal',
] as const;
export type StreamMetric = (typeof STREAM_METRICS)[number];

type Values = Record<StreamMetric, number | null>;

const POINTS_MAX = 600;

interface Point {
  atMs: number;
  stream: Stream;
  values: Values;
}

/** A second's worth: rates, and what was counted since the point before (null: there is none). */
function valuesOf(now: Stream, atMs: number, before: Point | undefined): Values {
  const old = before?.stream;
  const grown = (of: (stream: Stream) => number): number | null =>
    old ? Math.max(0, of(now) - of(old)) : null;
  const packets = grown(({ packets }) => packets);
  const lost = grown(({ lost }) => lost);
  const seconds = before ? (atMs - before.atMs) / 1000 : 0;
  return {
    bitrate: now.bitrate,
    packets: packets === null || seconds <= 0 ? null : packets / seconds,
    loss: lossOf(now, packets, lost),
    jitter: now.jitterUs,
    rtt: now.rttUs,
    nacks: grown(({ nacks }) => nacks),
    plis: grown(({ plis }) => plis),
    layer: layerOf(now.route?.layers === 'none' ? undefined : now.route?.layer),
    temporal: layerOf(now.route?.temporal),
  };
}

/** Of a million. What is sent and lost is among the packets; of what comes it is not. */
function lossOf({ way, rttUs }: Stream, packets: number | null, lost: number | null) {
  if (packets === null || lost === null || (way === 'out' && rttUs === null)) return null;
  const all = way === 'in' ? packets + lost : Math.max(packets, lost);
  return all > 0 ? (lost / all) * 1e6 : null;
}

/** Temporal layer 3 stands for all that there are, which is no figure. */
function layerOf(layer: number | undefined): number | null {
  return layer === undefined || layer < 0 || layer > 2 ? null : layer;
}

export class StreamHistory {
  private readonly points = new Map<string, Point[]>();

  clear(): void {
    this.points.clear();
  }

  add(atMs: number, streams: readonly Stream[]): void {
    for (const stream of streams) {
      const known = this.points.get(streamKey(stream)) ?? [];
      const before = known.at(-1);
      if (before && atMs <= before.atMs) continue;
      known.push({ atMs, stream, values: valuesOf(stream, atMs, before) });
      this.points.set(streamKey(stream), known.slice(-POINTS_MAX));
    }
  }

  line(stream: Stream, metric: StreamMetric): PlotPoint[] {
    const known = this.points.get(streamKey(stream)) ?? [];
    return known.map(({ atMs, values }) => ({ atMs, value: values[metric] }));
  }

  /** Whether there ever was a figure: a plot that stays empty is not shown. */
  has(stream: Stream, metric: StreamMetric): boolean {
    const known = this.points.get(streamKey(stream)) ?? [];
    return known.some(({ values }) => values[metric] !== null);
  }
}
