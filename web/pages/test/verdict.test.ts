// Goal: every combination of what was found has one verdict that a person can act on, and the report
// fits and says no more about the person than it should.

import { describe, expect, it } from 'vitest';
import { emptyEcho } from '../diag/echo.js';
import {
  NO_DEVICES_CHECKED,
  WAYS,
  devicesAtFirst,
  type EchoResult,
  type Findings,
  type TimedCandidate,
  type Way,
} from '../diag/findings.js';
import type { SendError } from '../diag/report.js';
import { makeReport, maskAddress, sendReport, spellCode } from '../diag/report.js';
import { judge } from '../diag/verdict.js';
import { adviceWords, echoFigures, errorWords, noteWords, words } from '../diag/words.js';

const passed = (way: Way, more: Partial<EchoResult> = {}): EchoResult => ({
  ...emptyEcho(way),
  state: 'passed',
  rttMs: 40,
  lossPct: 0,
  upKbps: 1200,
  downKbps: 1200,
  ...more,
});
const failed = (way: Way, more: Partial<EchoResult> = {}): EchoResult => ({
  ...emptyEcho(way),
  failure: 'no-path',
  targets: [`${way}.example:1`],
  ...more,
});
const found = (echoes: EchoResult[], more: Partial<Findings> = {}): Findings => ({
  signalling: { ok: true, transport: 'websocket', ms: 50, error: '' },
  gathering: { candidates: [], errors: [], ms: 1, complete: true },
  echoes,
  devices: NO_DEVICES_CHECKED,
  ...more,
});
const reasons = (findings: Findings) => judge(findings).notes.map(({ reason }) => reason);

describe('the verdict', () => {
  it('is good where the direct way works, whatever else does not', () => {
    const verdict = judge(found([passed('udp'), failed('relay-tls')]));
    expect(verdict).toMatchObject({ grade: 'good', notes: [], advice: [] });
    expect(verdict.unchecked).toEqual(['camera', 'microphone']);
  });

  it('promises no calls where a page gets no devices', () => {
    const verdict = judge(found([passed('udp')], { devices: devicesAtFirst(false) }));
    expect(verdict).toMatchObject({ grade: 'fails', notes: [{ reason: 'no-devices' }] });
    expect(verdict.unchecked).toEqual([]);
    expect(noteWords(verdict.notes[0]!)).toContain('https://');
    expect(judge(found([passed('udp')], { devices: devicesAtFirst(true) })).grade).toBe('good');
  });

  it('names the detour, and what to open for the direct way', () => {
    const tcp = judge(found([failed('udp'), passed('tcp')]));
    expect(tcp).toMatchObject({ grade: 'tcp', notes: [{ reason: 'udp-blocked' }] });
    expect(tcp.advice).toEqual([{ protocol: 'udp', target: 'udp.example:1' }]);
    const relay = judge(found([failed('udp'), failed('tcp'), passed('relay-tls')]));
    expect(relay.grade).toBe('relay');
    expect(relay.advice.map(adviceWords)).toEqual([
      'Allow UDP to udp.example:1',
      'Allow TCP to tcp.example:1',
    ]);
  });

  it('fails where no way is left, and asks for each of them once', () => {
    const verdict = judge(found([failed('udp'), failed('relay-tls'), failed('relay-tls')]));
    expect(verdict).toMatchObject({ grade: 'fails', notes: [{ reason: 'no-path' }], best: null });
    expect(verdict.advice.map(adviceWords)).toEqual([
      'Allow UDP to udp.example:1',
      'Allow TLS over TCP to relay-tls.example:1',
    ]);
    expect(reasons(found([failed('udp', { failure: 'no-media' })]))).toEqual(['no-media']);
    const unreachable = { ok: false, transport: null, ms: 5, error: 'x' };
    expect(reasons(found([], { signalling: unreachable }))).toEqual(['server-unreachable']);
  });

  it.each([
    [{ lossPct: 8 }, 'audio-only', 'loss'],
    [{ lossPct: 40 }, 'fails', 'loss'],
    [{ rttMs: 900 }, 'audio-only', 'delay'],
    [{ rttMs: 3000 }, 'fails', 'delay'],
    [{ upKbps: 90 }, 'audio-only', 'bandwidth'],
    [{ downKbps: 10 }, 'fails', 'bandwidth'],
  ])('looks at the figures of the best way: %o is %s', (figures, grade, reason) => {
    const findings = found([passed('udp', figures)]);
    expect(judge(findings).grade).toBe(grade);
    expect(reasons(findings)).toEqual([reason]);
  });

  it('is no better than the devices are', () => {
    const devices = { ...NO_DEVICES_CHECKED, camera: 'in-use', microphone: 'ok' } as const;
    const noCamera = found([passed('udp')], { devices });
    expect(judge(noCamera)).toMatchObject({ grade: 'audio-only', advice: [], unchecked: [] });
    const denied = { ...devices, microphone: 'permission-denied' } as const;
    expect(reasons(found([passed('udp')], { devices: denied }))).toEqual(['microphone', 'camera']);
    expect(judge(found([passed('udp')], { devices: denied })).grade).toBe('fails');
  });

  it('does not guess at figures that a browser does not tell', () => {
    const none = { rttMs: null, lossPct: null, upKbps: null, downKbps: null };
    expect(judge(found([passed('udp', none)])).grade).toBe('good');
  });
});

describe('the report', () => {
  const about = { browser: 'B'.repeat(5000), at: new Date(0), page: 'https://example.org' };
  const sample = {
    atMs: 1.23456,
    rttMs: 1.23456,
    lossPct: 1 / 3,
    jitterMs: null,
    upKbps: 1e6 / 3,
    downKbps: 5,
  };
  const candidate = (type: 'host' | 'relay', address: string): TimedCandidate => ({
    atMs: 1,
    server: 'turn:relay.example',
    candidate: {
      type,
      protocol: 'udp',
      tcpType: null,
      relayProtocol: null,
      address,
      port: 65535,
      priority: 2122260223,
      component: 1,
      foundation: 'f',
      relatedAddress: '10.0.0.1',
      relatedPort: 1,
    },
  });

  it('is smaller than the server takes, however much was found', () => {
    const full = found(
      WAYS.map((way) => passed(way, { samples: Array.from({ length: 500 }, () => sample) })),
      {
        gathering: {
          candidates: Array.from({ length: 200 }, () => candidate('host', '2001:db8:aaaa:bbbb::1')),
          errors: Array.from({ length: 50 }, () => ({
            url: 'turns:a.long.name.example.org:5349?transport=tcp',
            code: 701,
            text: 'x'.repeat(5000),
            atMs: 1,
            count: 1,
          })),
          ms: 1,
          complete: false,
        },
      },
    );
    const report = makeReport(full, judge(full), about);
    expect(report.verdict).toMatch(/^[a-z-]{1,31}$/);
    expect(JSON.stringify(report).length).toBeLessThan(50_000);
  });

  it('has the networks of this side, and the addresses of the servers', () => {
    const path = {
      local: {
        type: 'srflx',
        protocol: 'udp',
        relayProtocol: null,
        address: '203.0.113.77',
        port: 5,
      },
      remote: {
        type: 'host',
        protocol: 'udp',
        relayProtocol: null,
        address: '198.51.100.9',
        port: 6,
      },
      rttMs: 1,
      availableKbps: null,
    } as const;
    const findings = found([passed('udp', { path })], {
      gathering: {
        candidates: [candidate('host', '192.168.7.31'), candidate('relay', '198.51.100.10')],
        errors: [],
        ms: 1,
        complete: true,
      },
    });
    const text = JSON.stringify(makeReport(findings, judge(findings), about));
    for (const own of ['203.0.113.77', '192.168.7.31', '10.0.0.1']) expect(text).not.toContain(own);
    for (const kept of ['203.0.113.x', '192.168.x.x', '198.51.100.9', '198.51.100.10']) {
      expect(text).toContain(kept);
    }
  });

  it('masks addresses of every kind', () => {
    expect(maskAddress('100.64.3.4')).toBe('100.64.x.x');
    expect(maskAddress('172.20.3.4')).toBe('172.20.x.x');
    expect(maskAddress('172.40.3.4')).toBe('172.40.3.x');
    expect(maskAddress('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:x');
    expect(maskAddress('2001:db8::5')).toBe('2001:db8:x');
    expect(maskAddress('::1')).toBe(':x');
    expect(maskAddress('8d2f0e5a.local')).toBe('hidden.local');
    expect(maskAddress('host.example.org')).toBe('name');
    expect(maskAddress('')).toBe('');
  });

  it('is answered by a code, or by a reason', async () => {
    const answer = (status: number, body: unknown) => async () =>
      new Response(JSON.stringify(body), { status });
    const report = { verdict: 'good' };
    expect(await sendReport(report, answer(201, { code: 'K7QX3M9P' }))).toBe('K7QX3M9P');
    const why = (fetcher: typeof fetch) =>
      sendReport(report, fetcher).catch((error: SendError) => error.why);
    expect(await why(answer(429, {}))).toBe('too-many');
    expect(await why(answer(413, {}))).toBe('refused');
    expect(await why(answer(201, { code: '<b>' }))).toBe('refused');
    expect(await why(() => Promise.reject(new TypeError('offline')))).toBe('unreachable');
    expect(spellCode('K7QX3M9P')).toBe('K7QX-3M9P');
  });
});

it('has words for every grade, step and reason', () => {
  for (const { title } of Object.values(words.verdict.grades)) expect(title).toMatch(/^Calls will/);
  expect(noteWords({ reason: 'bandwidth', value: 90 })).toContain('90 kbit/s');
  const failure = { url: 'turn:a', code: 401, text: '', atMs: 0, count: 1 };
  expect(errorWords(failure, false)).toBe('turn:a did not accept the credentials (401).');
  expect(errorWords({ ...failure, code: 701, count: 2 }, true)).toBe(
    'turn:a did not answer (701), 2 times; from another network of this device it did answer.',
  );
  expect(echoFigures(passed('udp', { setupMs: 80 })).map(({ value }) => value)).toEqual([
    '40 ms',
    '0.0 %',
    '↑ 1.2 Mbit/s ↓ 1.2 Mbit/s',
    '80 ms',
  ]);
});
