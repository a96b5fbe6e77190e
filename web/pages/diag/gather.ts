// The trickle-ICE test: what candidates the browser finds, when, and which servers did not answer.

import { candidateInfo } from '@tring/client';
import type { GatherError, Gathering } from './findings.js';

const LIMIT_MS = 15_000;
const CANDIDATES_MAX = 200;
const ERRORS_MAX = 50;

export interface GatherOptions {
  servers: RTCIceServer[];
  /** Called at each step with all that is known until then. */
  progress(gathering: Gathering): void;
  signal: AbortSignal;
  limitMs?: number;
  makeConnection?: (config: RTCConfiguration) => RTCPeerConnection;
}

export async function gather(options: GatherOptions): Promise<Gathering> {
  const { servers, progress, signal, limitMs = LIMIT_MS } = options;
  const make = options.makeConnection ?? ((config) => new RTCPeerConnection(config));
  const connection = make({ iceServers: servers });
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  let now: Gathering = { candidates: [], errors: [], ms: 0, complete: false };
  const step = (next: Partial<Gathering>): void => {
    now = { ...now, ...next, ms: elapsed() };
    progress(now);
  };
  connection.onicecandidate = (event) => {
    const server = serverOf(event);
    const candidate = event.candidate ? candidateInfo(event.candidate, server) : null;
    if (!candidate || now.candidates.length >= CANDIDATES_MAX) return;
    const found = { atMs: elapsed(), candidate, server };
    step({ candidates: [...now.candidates, found] });
  };
  connection.onicecandidateerror = (event) => {
    step({ errors: addGatherError(now.errors, event, elapsed()) });
  };
  try {
    connection.createDataChannel('gather');
    await connection.setLocalDescription(await connection.createOffer());
    step({ complete: await gathered(connection, signal, limitMs) });
    return now;
  } finally {
    connection.onicecandidate = null;
    connection.onicecandidateerror = null;
    connection.close();
  }
}

/** True when the browser says that it is done, false when it was stopped or took too long. */
function gathered(
  connection: RTCPeerConnection,
  signal: AbortSignal,
  limitMs: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (complete: boolean): void => {
      clearTimeout(timer);
      connection.onicegatheringstatechange = null;
      resolve(complete);
    };
    const look = (): void => {
      if (connection.iceGatheringState === 'complete') done(true);
    };
    const timer = setTimeout(() => done(false), limitMs);
    signal.addEventListener('abort', () => done(false), { once: true });
    connection.onicegatheringstatechange = look;
    if (signal.aborted) done(false);
    else look();
  });
}

/** Which STUN or TURN server a candidate comes from; null where the browser does not say. */
function serverOf(event: RTCPeerConnectionIceEvent): string | null {
  const said = event as { url?: unknown; candidate: { url?: unknown } | null };
  const url = said.candidate?.url ?? said.url;
  return typeof url === 'string' && url ? url : null;
}

/** Browsers tell a failure once for each network of the device: here it is one line with a count. */
export function addGatherError(
  errors: readonly GatherError[],
  event: Pick<RTCPeerConnectionIceErrorEvent, 'url' | 'errorCode' | 'errorText'>,
  atMs: number,
): GatherError[] {
  const same = errors.find(({ url, code }) => url === event.url && code === event.errorCode);
  if (same) return errors.map((one) => (one === same ? { ...one, count: one.count + 1 } : one));
  if (errors.length >= ERRORS_MAX) return [...errors];
  const { url, errorCode: code, errorText: text } = event;
  return [...errors, { url, code, text, atMs, count: 1 }];
}
