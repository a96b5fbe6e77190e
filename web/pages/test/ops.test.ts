import { describe, expect, it, vi } from 'vitest';
import {
  bitrateOf,
  filterRows,
  groupRows,
  sortRows,
  toLiveList,
  toPast,
  type Connection,
} from '../ops/connections.js';
import {
  formatCount,
  formatLoss,
  formatMs,
  formatPath,
  formatRate,
  formatUptime,
} from '../ops/figures.js';
import { parseMetrics, ratesOf } from '../ops/metrics-text.js';
import { Gone, OpsApi, Refused, TooMany } from '../ops/ops-api.js';
import { History, fromColumns, measure, streamsOf, type Stream } from '../ops/samples.js';
import { StreamHistory, type StreamMetric } from '../ops/stream-history.js';

function rowsOf(...rows: Record<string, unknown>[]): Connection[] {
  return toLiveList({
    connections: rows.map((row, index) => ({ session_id: 1, handle_id: index + 1, ...row })),
  }).rows;
}

describe('figures', () => {
  it('are short, and say when they are not known', () => {
    expect(formatRate(1_536_000)).toBe('1.5 Mbit/s');
    expect(formatRate(64_400)).toBe('64 kbit/s');
    expect(formatMs(1234)).toBe('1.2 ms');
    expect(formatMs(123_456)).toBe('123 ms');
    expect(formatLoss(0)).toBe('0 %');
    expect(formatLoss(400)).toBe('<0.1 %');
    expect(formatLoss(25_000)).toBe('2.5 %');
    expect(formatCount(12_345)).toBe('12,345');
    expect(formatCount(12_345_678)).toBe('12.3 M');
    expect(formatUptime(93_784)).toBe('1 d 2 h');
    expect(formatPath('host', 'udp')).toBe('host udp');
    expect(formatPath('relay', 'relay')).toBe('relay of this server');
    expect([formatRate(null), formatMs(null), formatLoss(null)]).toEqual(['–', '–', '–']);
  });
});

describe('the list of connections', () => {
  it('leaves out what is no row, and takes nonsense for not known', () => {
    const list = toLiveList({
      connections: [
        7,
        { session_id: 'x' },
        { session_id: 1, handle_id: 2, state: 'odd', latest: 'x' },
      ],
    });
    expect(list.rows).toHaveLength(1);
    expect(list.rows[0]).toMatchObject({ state: 'idle', who: '', upMs: null });
    expect(toLiveList(null).rows).toEqual([]);
  });

  it('is searched in all that it shows', () => {
    const rows = rowsOf({ who: 'Ann' }, { room: '1234' }, { client: '192.0.2.7' });
    expect(filterRows(rows, ' ANN ').map(({ handle }) => handle)).toEqual([1]);
    expect(filterRows(rows, '192.0').map(({ handle }) => handle)).toEqual([3]);
    expect(filterRows(rows, '')).toHaveLength(3);
  });

  it('is sorted both ways, what is not known last', () => {
    const rows = rowsOf(
      { latest: { rtt_us: 5 } },
      { latest: null },
      { latest: { rtt_us: 9 } },
      { latest: { rtt_us: 5 } },
    );
    expect(sortRows(rows, 'rtt', false).map(({ handle }) => handle)).toEqual([1, 4, 3, 2]);
    expect(sortRows(rows, 'rtt', true).map(({ handle }) => handle)).toEqual([3, 1, 4, 2]);
  });

  it('is grouped by room and by call', () => {
    const groups = groupRows(
      rowsOf(
        { who: 'bob', peer: 'ann' },
        { who: 'cas', room: '1234', plugin: 'janus.plugin.videoroom' },
        { who: 'ann', peer: 'bob' },
        { who: 'dan', room: '1234', plugin: 'janus.plugin.videoroom' },
        { plugin: 'janus.plugin.echotest' },
      ),
    );
    expect(groups.map(({ kind, name, rows }) => [kind, name, rows.length])).toEqual([
      ['call', 'ann – bob', 2],
      ['room', '1234', 2],
      ['other', 'echotest', 1],
    ]);
  });
});

describe('past connections', () => {
  it('are read field by field', () => {
    const [row] = toPast({
      id: 'a',
      ended_ms: 5,
      path: { type: 'relay', protocol: 'udp', remote: 'x' },
      metrics: { rtt_us: { mean: 3, max: 9 } },
      totals: { lost_in: 4, drops: { dtls: 2 } },
      series: { at_ms: [1, 2], rtt_us: [3, null] },
    });
    expect(row).toMatchObject({
      path: { type: 'relay' },
      drops: { dtls: 2 },
      totals: { lost_in: 4 },
    });
    expect(row?.series.map(({ values }) => values.rtt_us)).toEqual([3, null]);
    expect(toPast({ id: 'a' })).toEqual([]);
    expect(toPast('x')).toEqual([]);
  });
});

const info = (packets: number, lost: number, outLost: number) => ({
  current_time: 10_000_000,
  webrtc: {
    bwe: { estimate: 700_000 },
    media: {
      v: {
        mindex: 1,
        type: 'video',
        codecs: { codec: 'VP8', 'clock-rate': 90_000 },
        stats: {
          in: [
            {
              ssrc: 1,
              packets,
              lost,
              'jitter-local': 900,
              bitrate: 1000,
              nacks: 5,
              'last-packet': 9_000_000,
            },
            { ssrc: 2, packets: 0, bitrate: 500 },
          ],
          out: { ssrc: 3, sending: true, packets, bitrate: 400, nacks: packets / 100 },
        },
        rtcp: { main: { 'rtt-us': 20_000, 'lost-by-remote': outLost } },
        route: {
          from: { session_id: 4, handle_id: 5 },
          layers: 'simulcast',
          layer: 1,
          'layer-max': 2,
        },
      },
      a: { mindex: 0, type: 'audio', stats: { in: [], out: { sending: false } }, route: null },
    },
  },
});

describe('samples', () => {
  it('know each stream', () => {
    const streams = streamsOf(info(100, 10, 1));
    expect(streams.map(({ way, ssrc }) => `${way} ${ssrc}`)).toEqual(['in 1', 'in 2', 'out 3']);
    expect(streams[0]).toMatchObject({ jitterUs: 10_000, quietMs: 1000, codec: 'VP8' });
    expect(streams[1]).toMatchObject({ jitterUs: null, quietMs: null });
    expect(streams[2]?.route).toMatchObject({
      from: { session: 4, handle: 5 },
      layer: 1,
      layerBound: -1,
    });
    expect(streamsOf(null)).toEqual([]);
    expect(streamsOf({ webrtc: { media: { v: 7 } } })).toEqual([]);
  });

  it('tell what was lost since the one before', () => {
    const before = streamsOf(info(100, 10, 0));
    const streams = streamsOf(info(190, 20, 9));
    const values = measure(info(190, 20, 9), streams, before);
    expect(values).toMatchObject({
      loss_in_ppm: 100_000,
      loss_out_ppm: 100_000,
      rtt_us: 20_000,
      video_in_bps: 1500,
      audio_in_bps: null,
      estimate_bps: 700_000,
      nacks_out: 0,
    });
    expect(values.nacks_in).toBeCloseTo(0.9);
    const repaired = measure(info(290, 5, 9), streamsOf(info(290, 5, 9)), streams);
    expect(repaired.loss_in_ppm).toBe(0);
    expect(measure(info(1, 0, 0), streamsOf(info(1, 0, 0)), []).loss_in_ppm).toBeNull();
  });

  it('make a history with gaps where nothing was measured', () => {
    const history = new History();
    const at = (ms: number) => fromColumns({ at_ms: [ms], rtt_us: [ms] })[0]!;
    history.add(at(50_000));
    history.add(at(50_000)); // the same moment
    history.prepend([at(10_000), at(60_000)]);
    expect(history.length).toBe(2);
    expect(history.spanMs).toBe(40_000);
    expect(history.points('rtt_us').map(({ value }) => value)).toEqual([10_000, null, 50_000]);
    for (let i = 0; i < 3000; i++) history.add(at(60_000 + i));
    expect(history.length).toBe(1200);
  });

  it('make lines of each stream', () => {
    const history = new StreamHistory();
    const [incoming, silent, outgoing] = streamsOf(info(100, 10, 0));
    history.add(1000, streamsOf(info(100, 10, 0)));
    history.add(3000, streamsOf(info(190, 20, 9)));
    history.add(3000, streamsOf(info(999, 99, 99))); // the same moment
    const values = (stream: Stream | undefined, metric: StreamMetric) =>
      history.line(stream!, metric).map(({ value }) => value);
    expect(values(incoming, 'packets')).toEqual([null, 45]);
    expect(values(incoming, 'loss')).toEqual([null, 100_000]);
    expect(values(incoming, 'jitter')).toEqual([10_000, 10_000]);
    expect(values(outgoing, 'loss')).toEqual([null, 100_000]);
    expect(values(outgoing, 'rtt')).toEqual([20_000, 20_000]);
    expect(values(outgoing, 'nacks')[1]).toBeCloseTo(0.9);
    expect(values(outgoing, 'layer')).toEqual([1, 1]);
    expect(history.has(outgoing!, 'temporal')).toBe(false);
    expect(values(silent, 'loss')).toEqual([null, null]);
    for (let i = 0; i < 1000; i++) history.add(4000 + i, streamsOf(info(200 + i, 20, 9)));
    expect(values(incoming, 'bitrate')).toHaveLength(600);
    history.clear();
    expect(values(incoming, 'bitrate')).toEqual([]);
  });

  it('add up audio and video', () => {
    const values = measure(info(1, 0, 0), streamsOf(info(1, 0, 0)), []);
    expect(bitrateOf(values, 'in')).toBe(1500);
    expect(bitrateOf(null, 'in')).toBeNull();
  });
});

describe('metrics', () => {
  it('are read with their labels', () => {
    expect(
      parseMetrics('# HELP a b\n# TYPE a counter\na 5\nb{reason="x y"} 1e3\nbroken\nc NaN\n'),
    ).toEqual([
      { name: 'a', value: 5 },
      { name: 'b{reason="x y"}', value: 1000 },
    ]);
  });
  it('become rates; what began anew has none', () => {
    expect(ratesOf({ a: 30, b: 1, c: 9 }, { a: 10, b: 2 }, 2000)).toEqual({ a: 10 });
    expect(ratesOf({ a: 1 }, { a: 0 }, 0)).toEqual({});
  });
});

describe('the API', () => {
  const storage = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    };
  };
  const answer =
    (status: number, body = '{}') =>
    () =>
      Promise.resolve(new Response(body, { status }));

  it('sends the secret as a header, and nowhere else', async () => {
    const fetcher = vi.fn<typeof fetch>(answer(200, '{"a":1}'));
    const api = new OpsApi(storage(), fetcher);
    api.use('boss');
    expect(await api.get('connections', { q: 'a b&c', limit: '' })).toEqual({ a: 1 });
    const [url, init] = fetcher.mock.calls[0] ?? [];
    expect(url).toBe('/api/v1/connections?q=a+b%26c');
    expect(init).toMatchObject({ headers: { Authorization: 'Bearer boss' }, credentials: 'omit' });
  });

  it('remembers the secret as long as its storage does', () => {
    const kept = storage();
    new OpsApi(kept, answer(200)).use('boss');
    const api = new OpsApi(kept, answer(200));
    expect(api.hasSecret).toBe(true);
    api.forget();
    expect(new OpsApi(kept, answer(200)).hasSecret).toBe(false);
  });

  it('finds out without the secret whether it is on the right port', async () => {
    const fetcher = vi.fn<typeof fetch>(answer(404));
    const api = new OpsApi(storage(), fetcher);
    api.use('boss');
    expect(await api.isHere()).toBe(false);
    expect(JSON.stringify(fetcher.mock.calls)).not.toContain('boss');
  });

  it.each([
    ['server', 403, Refused],
    ['server', 429, TooMany],
    ['connections/1/2', 404, Gone],
    ['server', 500, Error],
  ])('%s with %d is an error of its own', async (path, status, kind) => {
    await expect(new OpsApi(storage(), answer(status)).get(path)).rejects.toBeInstanceOf(kind);
  });
});
