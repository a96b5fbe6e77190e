// What the check has found out, in one place: the verdict and the report are made of it.

import type { CandidateInfo, MediaErrorCode, SelectedPath } from '@tring/client';

export interface DeviceFindings {
  camera: 'unchecked' | 'ok' | MediaErrorCode;
  microphone: 'unchecked' | 'ok' | MediaErrorCode;
  /** Whether something was heard on the microphone. */
  microphoneHeard: boolean;
  speaker: 'unchecked' | 'ok' | 'not-heard' | 'failed';
}

export const NO_DEVICES_CHECKED: DeviceFindings = {
  camera: 'unchecked',
  microphone: 'unchecked',
  microphoneHeard: false,
  speaker: 'unchecked',
};

/** What is known before anything was tried: on a page without https there are no devices to open. */
export function devicesAtFirst(supported: boolean): DeviceFindings {
  if (supported) return NO_DEVICES_CHECKED;
  return { ...NO_DEVICES_CHECKED, camera: 'unsupported', microphone: 'unsupported' };
}

/** How the server's API was reached. */
export interface SignallingFinding {
  ok: boolean;
  transport: 'websocket' | 'http' | null;
  /** Until the session was there. */
  ms: number;
  error: string;
}

export interface TimedCandidate {
  atMs: number;
  candidate: CandidateInfo;
  /** The STUN or TURN server that it comes from; null where the browser does not say. */
  server: string | null;
}

/** One STUN or TURN server that did not answer as hoped, once for each address and cause. */
export interface GatherError {
  url: string;
  code: number;
  text: string;
  atMs: number;
  /** How often: once for each network of this device. */
  count: number;
}

export interface Gathering {
  candidates: TimedCandidate[];
  errors: GatherError[];
  ms: number;
  /** False: it took too long and was cut. */
  complete: boolean;
}

/** The ways that an echo call can go, best first. */
export const WAYS = ['udp', 'tcp', 'relay-udp', 'relay-tcp', 'relay-tls'] as const;
export type Way = (typeof WAYS)[number];

export interface EchoSample {
  atMs: number;
  rttMs: number | null;
  lossPct: number | null;
  jitterMs: number | null;
  upKbps: number | null;
  downKbps: number | null;
}

export type EchoFailure = 'no-relay' | 'no-path' | 'no-media' | 'signalling' | 'browser';

export interface EchoResult {
  way: Way;
  state: 'passed' | 'failed' | 'not-offered';
  /** `failed` only. */
  failure: EchoFailure | null;
  /** Until the connection was up. */
  setupMs: number | null;
  samples: EchoSample[];
  /** Of the samples: see `summarise`. */
  rttMs: number | null;
  lossPct: number | null;
  jitterMs: number | null;
  upKbps: number | null;
  downKbps: number | null;
  path: SelectedPath | null;
  /** What was tried, e.g. "203.0.113.1:10000": for the network people. */
  targets: string[];
}

export interface Findings {
  signalling: SignallingFinding | null;
  gathering: Gathering | null;
  echoes: EchoResult[];
  devices: DeviceFindings;
}
