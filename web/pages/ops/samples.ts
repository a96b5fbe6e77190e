// Samples: what is measured of a connection at one moment. The server keeps one in five seconds; while a
// connection is watched the page makes one a second from what the server knows of it.

import type { PlotPoint } from '../shared/plot-shape.js';
import { at, countOf, listOf, numberOf, objectOf, textOf } from './json.js';

export const METRICS = [
  'rtt_us',
  'jitter_in_us',
  'jitter_out_us',
  'loss_in_ppm',
  'loss_out_ppm',
  'audio_in_bps',
  'video_in_bps',
  'audio_out_bps',
  'video_out_bps',
  'estimate_bps',
  'nacks_in',
  'nacks_out',
  'plis_in',
  'plis_out',
  'retransmitted',
] as const;

export type Metric = (typeof METRICS)[number];
export type Values = Record<Metric, number | null>;

export interface Sample {
  atMs: number;
  values: Values;
}

/** One RTP stream, seen from the server: in is what the client sends. */
export interface Stream {
  way: 'in' | 'out';
  mid: string;
  kind: 'audio' | 'video';
  codec: string;
  clockRate: number;
  ssrc: number;
  rtxSsrc: number;
  rid: string;
  packets: number;
  bytes: number;
  lost: number;
  retransmitted: number;
  jitterUs: number | null;
  bitrate: number;
  nacks: number;
  plis: number;
  firs: number;
  rttUs: number | null;
  /** How long ago the last packet came; null: none yet, or it is not told. */
  quietMs: number | null;
  route: Route | null;
}

/** Which layers of somebody's stream are passed on; -1: none, 3 (temporal): all. */
export interface Route {
  from: { session: number; handle: number } | null;
  paused: boolean;
  layers: 'simulcast' | 'svc' | 'none';
  layer: number;
  layerTarget: number;
  layerMax: number;
  layerBound: number;
  temporal: number;
  temporalMax: number;
  temporalBound: number;
}

const LAYERS = ['simulcast', 'svc', 'none'] as const;
const HISTORY_MAX = 1200;
/** So far apart may two samples be to be one line. */
const GAP_MS = 15_000;

function emptyValues(): Values {
  return Object.fromEntries(METRICS.map((name) => [name, null])) as Values;
}

export function toValues(value: unknown): Values {
  const row = objectOf(value);
  return Object.fromEntries(METRICS.map((name) => [name, numberOf(row[name])])) as Values;
}

/** The server's columns as samples. */
export function fromColumns(value: unknown): Sample[] {
  const columns = objectOf(value);
  return listOf(columns.at_ms).flatMap((time, index) => {
    const atMs = numberOf(time);
    if (atMs === null) return [];
    const values = emptyValues();
    for (const name of METRICS) values[name] = numberOf(listOf(columns[name])[index]);
    return [{ atMs, values }];
  });
}

// Streams

export function streamsOf(info: unknown): Stream[] {
  const nowUs = countOf(at(info, 'current_time'));
  return Object.entries(objectOf(at(info, 'webrtc', 'media')))
    .sort(([, a], [, b]) => countOf(at(a, 'mindex')) - countOf(at(b, 'mindex')))
    .flatMap(([mid, track]) => [
      ...listOf(at(track, 'stats', 'in')).map((layer) => inStream(mid, track, layer, nowUs)),
      ...(at(track, 'stats', 'out', 'sending') === true ? [outStream(mid, track)] : []),
    ]);
}

function common(
  mid: string,
  track: unknown,
  stats: unknown,
): Omit<Stream, 'way' | 'lost' | 'jitterUs' | 'rttUs' | 'quietMs' | 'route'> {
  return {
    mid,
    kind: at(track, 'type') === 'video' ? 'video' : 'audio',
    codec: textOf(at(track, 'codecs', 'codec')),
    clockRate: countOf(at(track, 'codecs', 'clock-rate')),
    ssrc: countOf(at(stats, 'ssrc')),
    rtxSsrc: countOf(at(stats, 'ssrc-rtx')),
    rid: textOf(at(stats, 'rid')),
    packets: countOf(at(stats, 'packets')),
    bytes: countOf(at(stats, 'bytes')),
    retransmitted: countOf(at(stats, 'retransmissions')),
    bitrate: countOf(at(stats, 'bitrate')),
    nacks: countOf(at(stats, 'nacks')),
    plis: countOf(at(stats, 'plis')),
    firs: countOf(at(stats, 'firs')),
  };
}

function inStream(mid: string, track: unknown, layer: unknown, nowUs: number): Stream {
  const base = common(mid, track, layer);
  const lastUs = countOf(at(layer, 'last-packet'));
  return {
    ...base,
    way: 'in',
    lost: countOf(at(layer, 'lost')),
    jitterUs: base.packets > 0 ? ticks(at(layer, 'jitter-local'), base.clockRate) : null,
    rttUs: null,
    quietMs: lastUs > 0 ? Math.max(0, (nowUs - lastUs) / 1000) : null,
    route: null,
  };
}

function outStream(mid: string, track: unknown): Stream {
  const base = common(mid, track, at(track, 'stats', 'out'));
  const remote = at(track, 'rtcp', 'main');
  const rttUs = countOf(at(remote, 'rtt-us')) || null;
  return {
    ...base,
    way: 'out',
    lost: countOf(at(remote, 'lost-by-remote')),
    jitterUs: rttUs === null ? null : ticks(at(remote, 'jitter-remote'), base.clockRate),
    rttUs,
    quietMs: null,
    route: routeOf(at(track, 'route')),
  };
}

function ticks(value: unknown, clockRate: number): number | null {
  const count = numberOf(value);
  return count === null || clockRate === 0 ? null : (count * 1e6) / clockRate;
}

function routeOf(value: unknown): Route | null {
  if (typeof value !== 'object' || value === null) return null;
  const number = (name: string): number => numberOf(at(value, name)) ?? -1;
  const session = numberOf(at(value, 'from', 'session_id'));
  const handle = numberOf(at(value, 'from', 'handle_id'));
  return {
    from: session && handle ? { session, handle } : null,
    paused: at(value, 'paused') === true,
    layers: LAYERS.find((kind) => kind === at(value, 'layers')) ?? 'none',
    layer: number('layer'),
    layerTarget: number('layer-target'),
    layerMax: number('layer-max'),
    layerBound: number('layer-bound'),
    temporal: number('temporal'),
    temporalMax: number('temporal-max'),
    temporalBound: number('temporal-bound'),
  };
}

export function streamKey(stream: Stream): string {
  return `${stream.way} ${stream.mid} ${stream.rid || stream.ssrc}`;
}

// A sample of our own

/** What is known now, and what was lost and asked for since `before`. */
export function measure(
  info: unknown,
  streams: readonly Stream[],
  before: readonly Stream[],
): Values {
  const values = emptyValues();
  for (const way of ['in', 'out'] as const) {
    const own = streams.filter((stream) => stream.way === way);
    const old = before.filter((stream) => stream.way === way);
    for (const kind of ['audio', 'video'] as const) {
      const some = own.filter((stream) => stream.kind === kind);
      if (some.length > 0) values[`${kind}_${way}_bps`] = sum(some, (stream) => stream.bitrate);
    }
    values[`jitter_${way}_us`] = most(own.map((stream) => stream.jitterUs));
    if (old.length > 0) {
      const packets = grown(own, old, (stream) => stream.packets);
      const lost = grown(own, old, (stream) => stream.lost);
      const all = way === 'in' ? packets + lost : Math.max(packets, lost);
      const told = way === 'in' || own.some((stream) => stream.rttUs !== null);
      values[`loss_${way}_ppm`] = all > 0 && told ? (lost / all) * 1e6 : null;
      // What the server asks for concerns what comes in, and the other way round.
      const other = way === 'in' ? 'out' : 'in';
      values[`nacks_${other}`] = grown(own, old, (stream) => stream.nacks);
      values[`plis_${other}`] = grown(own, old, (stream) => stream.plis);
      if (way === 'out') values.retransmitted = grown(own, old, (stream) => stream.retransmitted);
    }
  }
  values.rtt_us = most(streams.map((stream) => stream.rttUs));
  values.estimate_bps = numberOf(at(info, 'webrtc', 'bwe', 'estimate'));
  return values;
}

function sum(streams: readonly Stream[], of: (stream: Stream) => number): number {
  return streams.reduce((total, stream) => total + of(stream), 0);
}

/** By how much a count has grown, never less than nothing: streams may go, repairs take losses back. */
function grown(
  now: readonly Stream[],
  before: readonly Stream[],
  of: (stream: Stream) => number,
): number {
  return Math.max(0, sum(now, of) - sum(before, of));
}

function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

// History

/** Samples in the order of time, no more than a plot needs. */
export class History {
  private samples: Sample[] = [];

  get length(): number {
    return this.samples.length;
  }

  get latest(): Values | null {
    return this.samples.at(-1)?.values ?? null;
  }

  /** From how far back there are samples, in milliseconds. */
  get spanMs(): number {
    const [first] = this.samples;
    const last = this.samples.at(-1);
    return first && last ? last.atMs - first.atMs : 0;
  }

  /** Older ones go in front of those that are there; what overlaps is left out. */
  prepend(samples: readonly Sample[]): void {
    const first = this.samples[0]?.atMs ?? Infinity;
    this.samples = [...samples.filter(({ atMs }) => atMs < first), ...this.samples].slice(
      -HISTORY_MAX,
    );
  }

  add(sample: Sample): void {
    const last = this.samples.at(-1);
    if (last && sample.atMs <= last.atMs) return;
    this.samples.push(sample);
    if (this.samples.length > HISTORY_MAX) this.samples.shift();
  }

  /** One line of a plot; where nothing was measured for long it has a gap. */
  points(metric: Metric): PlotPoint[] {
    const points: PlotPoint[] = [];
    let before = -Infinity;
    for (const { atMs, values } of this.samples) {
      if (atMs - before > GAP_MS && points.length > 0) {
        points.push({ atMs: before + 1, value: null });
      }
      points.push({ atMs, value: values[metric] });
      before = atMs;
    }
    return points;
  }
}
