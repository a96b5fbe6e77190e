// The report that a person may send to the support desk: what was found, without what would say more
// about the person than it takes. No pictures, no sounds, no names of devices; of the addresses of
// this side only the network.

import type { CandidateInfo, SelectedPath } from '@tring/client';
import type { EchoResult, EchoSample, Findings } from './findings.js';
import type { Verdict } from './verdict.js';

const PATH = '/api/v1/diag-reports';
const CANDIDATES_MAX = 60;
const ERRORS_MAX = 30;
const SAMPLES_MAX = 40;
const TEXT_MAX = 300;

export interface Report extends Record<string, unknown> {
  /** The grade: what the server's list shows. */
  verdict: string;
}

export function makeReport(
  findings: Findings,
  verdict: Verdict,
  about: { browser: string; at: Date; page: string },
): Report {
  const { signalling, gathering } = findings;
  return {
    verdict: verdict.grade,
    version: 1,
    at: about.at.toISOString(),
    browser: about.browser.slice(0, TEXT_MAX),
    page: about.page.slice(0, TEXT_MAX),
    notes: verdict.notes.map(({ reason, value }) => ({ reason, value: round(value) })),
    advice: verdict.advice,
    signalling: signalling && { ...signalling, error: signalling.error.slice(0, TEXT_MAX) },
    gathering: gathering && {
      ms: gathering.ms,
      complete: gathering.complete,
      candidates: gathering.candidates
        .slice(0, CANDIDATES_MAX)
        .map(({ atMs, candidate, server }) => ({ atMs, server, ...masked(candidate) })),
      errors: gathering.errors
        .slice(0, ERRORS_MAX)
        .map((error) => ({ ...error, text: error.text.slice(0, TEXT_MAX) })),
    },
    echoes: findings.echoes.map(echoOf),
    devices: findings.devices,
  };
}

function masked(candidate: CandidateInfo): Record<string, unknown> {
  const { type, protocol, tcpType, relayProtocol, address, port, priority } = candidate;
  const shown = type === 'relay' ? address : maskAddress(address);
  return { type, protocol, tcpType, relayProtocol, address: shown, port, priority };
}

/**
 * The network that an address is in: "203.0.113.x", "2001:db8:1:x", and of private ones what kind they
 * are of. Names (mDNS) say nothing and are left out.
 */
export function maskAddress(address: string): string {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.\d+$/.exec(address);
  if (v4) {
    const [, a, b, c] = v4.map(Number) as [number, number, number, number];
    const carrier = a === 100 && b >= 64 && b < 128;
    const home = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
    return home || carrier ? `${a}.${b}.x.x` : `${a}.${b}.${c}.x`;
  }
  if (address.endsWith('.local')) return 'hidden.local';
  if (!address.includes(':')) return address ? 'name' : '';
  const groups = address.split('::')[0]?.split(':').filter(Boolean) ?? [];
  return `${groups.slice(0, 3).join(':')}:x`;
}

function echoOf(echo: EchoResult): Record<string, unknown> {
  const { way, state, failure, setupMs, rttMs, lossPct, jitterMs, upKbps, downKbps } = echo;
  return {
    way,
    state,
    failure,
    setupMs,
    rttMs: round(rttMs),
    lossPct: round(lossPct),
    jitterMs: round(jitterMs),
    upKbps: round(upKbps),
    downKbps: round(downKbps),
    path: echo.path && pathOf(echo.path),
    targets: echo.targets,
    samples: echo.samples.slice(0, SAMPLES_MAX).map(sampleOf),
  };
}

/** One row: time, round trip, loss, jitter, up, down. */
function sampleOf(sample: EchoSample): (number | null)[] {
  const { atMs, rttMs, lossPct, jitterMs, upKbps, downKbps } = sample;
  return [atMs, rttMs, lossPct, jitterMs, upKbps, downKbps].map(round);
}

function pathOf({ local, remote, availableKbps }: SelectedPath): Record<string, unknown> {
  const own = local.type === 'relay' ? local.address : maskAddress(local.address);
  return { local: { ...local, address: own }, remote, availableKbps: round(availableKbps) };
}

function round(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}

/** Why the server did not take a report. */
export type SendFailure = 'too-many' | 'unreachable' | 'refused';

/** Hands it in; resolves with its code. Rejects with a SendError. */
export async function sendReport(
  report: Report,
  fetcher: typeof fetch = (...args) => fetch(...args),
): Promise<string> {
  let response: Response;
  try {
    response = await fetcher(PATH, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(report),
    });
  } catch {
    throw new SendError('unreachable');
  }
  if (response.status === 429) throw new SendError('too-many');
  const { code } = response.ok ? ((await response.json()) as { code?: unknown }) : {};
  if (typeof code !== 'string' || !/^[0-9A-Z]{6,12}$/.test(code)) throw new SendError('refused');
  return code;
}

export class SendError extends Error {
  constructor(readonly why: SendFailure) {
    super(why);
  }
}

/** "K7QX3M9P" -> "K7QX-3M9P": easier to read out. */
export function spellCode(code: string): string {
  const half = Math.ceil(code.length / 2);
  return `${code.slice(0, half)}-${code.slice(half)}`;
}
