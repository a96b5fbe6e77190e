// One echo call over one way: media goes to the server and comes back, and getStats says how well.

import {
  ConnectionError,
  candidatesOf,
  filterCandidates,
  reduceStats,
  selectedPath,
  type Handle,
  type SelectedPath,
  type Session,
  type StatsMemory,
} from '@tring/client';
import type { EchoFailure, EchoResult, EchoSample } from './findings.js';
import { hostPort, relayTargets, type WayPlan } from './ways.js';

const ECHOTEST = 'janus.plugin.echotest';
const CONNECT_MS = 12_000;
const SAMPLE_MS = 500;
const MEASURE_MS = 6000;
/** Enough for any call, so that the test itself does not fill a narrow line. */
const BITRATE_MAX = 1_500_000;

export interface EchoOptions {
  session: Session;
  media: MediaStream;
  /** Called at each sample with all that is known until then. */
  progress(result: EchoResult): void;
  signal: AbortSignal;
}

/** Never rejects: what goes wrong is in the result. */
export async function runEcho(plan: WayPlan, options: EchoOptions): Promise<EchoResult> {
  const run = new EchoRun(plan, options);
  if (!plan.offered) return run.ended('not-offered');
  try {
    return await run.run();
  } catch (error) {
    return run.ended(error instanceof ConnectionError ? 'signalling' : 'browser');
  } finally {
    run.close();
  }
}

export function emptyEcho(way: EchoResult['way']): EchoResult {
  return {
    way,
    state: 'failed',
    failure: null,
    setupMs: null,
    samples: [],
    rttMs: null,
    lossPct: null,
    jitterMs: null,
    upKbps: null,
    downKbps: null,
    path: null,
    targets: [],
  };
}

class EchoRun {
  private readonly connection: RTCPeerConnection;
  private readonly started = performance.now();
  private handle: Handle | null = null;
  private result: EchoResult;

  constructor(
    private readonly plan: WayPlan,
    private readonly options: EchoOptions,
  ) {
    this.connection = new RTCPeerConnection(plan.offered ? plan.config : {});
    this.result = { ...emptyEcho(plan.way), targets: relayTargets(plan.config) };
  }

  async run(): Promise<EchoResult> {
    const offered = await this.negotiate();
    if (!offered) return this.ended('not-offered');
    const failure = await this.connected();
    if (failure) return this.ended(failure);
    this.result = { ...this.result, setupMs: Math.round(performance.now() - this.started) };
    await this.measure();
    const back = this.result.samples.some(({ downKbps }) => (downKbps ?? 0) > 0);
    return this.ended(back ? null : 'no-media');
  }

  ended(how: EchoFailure | 'not-offered' | null): EchoResult {
    if (how === 'not-offered') return { ...this.result, state: 'not-offered' };
    return { ...this.result, state: how ? 'failed' : 'passed', failure: how };
  }

  close(): void {
    this.connection.onconnectionstatechange = null;
    this.connection.onicegatheringstatechange = null;
    this.connection.onicecandidate = null;
    this.connection.close();
    void this.handle?.detach();
  }

  /** Offer and answer; false: the server has no candidate for this way. */
  private async negotiate(): Promise<boolean> {
    const { connection, options, plan } = this;
    const handle = (this.handle = await options.session.attach(ECHOTEST));
    for (const track of options.media.getTracks()) {
      const sendEncodings = track.kind === 'video' ? [{ maxBitrate: BITRATE_MAX }] : [];
      connection.addTransceiver(track, {
        streams: [options.media],
        ...(sendEncodings.length > 0 ? { sendEncodings } : {}),
      });
    }
    connection.onicecandidate = ({ candidate }) => handle.trickle(candidate);
    await connection.setLocalDescription(await connection.createOffer());
    const { type, sdp } = connection.localDescription as RTCSessionDescription;
    const { jsep } = await handle.message({ audio: true, video: true }, { type, sdp });
    if (!jsep?.sdp) throw new Error('the server sent no answer');
    const kept = candidatesOf(jsep.sdp).filter((candidate) => plan.keep(candidate));
    if (kept.length === 0) return false;
    if (this.result.targets.length === 0) {
      const targets = kept.map(({ address, port }) => hostPort(address, port));
      this.result = { ...this.result, targets: [...new Set(targets)] };
    }
    const answer = filterCandidates(jsep.sdp, (candidate) => plan.keep(candidate));
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    return true;
  }

  /** Null when it is up; else why not. */
  private connected(): Promise<EchoFailure | null> {
    const { connection, options } = this;
    const viaRelay = connection.getConfiguration().iceTransportPolicy === 'relay';
    return new Promise((resolve) => {
      const done = (failure: EchoFailure | null): void => {
        clearTimeout(timer);
        resolve(failure);
      };
      const late = (): void => done(viaRelay && !this.hasCandidates() ? 'no-relay' : 'no-path');
      const timer = setTimeout(late, CONNECT_MS);
      const look = (): void => {
        if (connection.connectionState === 'connected') done(null);
        else if (connection.connectionState === 'failed') done('no-path');
        else if (viaRelay && connection.iceGatheringState === 'complete' && !this.hasCandidates()) {
          done('no-relay');
        }
      };
      connection.onconnectionstatechange = look;
      connection.onicegatheringstatechange = look;
      options.signal.addEventListener('abort', () => done('browser'), { once: true });
      look();
    });
  }

  private hasCandidates(): boolean {
    return candidatesOf(this.connection.localDescription?.sdp ?? '').length > 0;
  }

  private async measure(): Promise<void> {
    let memory: StatsMemory | null = null;
    const began = performance.now();
    while (performance.now() - began < MEASURE_MS && !this.options.signal.aborted) {
      const report = [...((await this.connection.getStats()).values() as Iterable<unknown>)];
      const now = performance.now();
      const next = reduceStats(memory, report, now);
      const path = selectedPath(report);
      if (memory) this.take(next.quality, path, Math.round(now - began));
      memory = next.memory;
      await pause(SAMPLE_MS, this.options.signal);
    }
  }

  private take(
    { rttMs, lossPct, jitterMs, upKbps, downKbps }: Omit<EchoSample, 'atMs'>,
    path: SelectedPath | null,
    atMs: number,
  ): void {
    const sample = { atMs, rttMs, lossPct, jitterMs, upKbps, downKbps };
    const samples = [...this.result.samples, sample];
    this.result = {
      ...this.result,
      ...summarise(samples),
      samples,
      path: path ?? this.result.path,
    };
    this.options.progress(this.result);
  }
}

/** The figures of a whole run. Of the rates the upper quartile: what the way carries when it is used. */
export function summarise(
  samples: readonly EchoSample[],
): Pick<EchoResult, 'rttMs' | 'lossPct' | 'jitterMs' | 'upKbps' | 'downKbps'> {
  const of = (key: keyof EchoSample): number[] => samples.flatMap((sample) => sample[key] ?? []);
  return {
    rttMs: quantile(of('rttMs'), 0.5),
    lossPct: mean(of('lossPct')),
    jitterMs: quantile(of('jitterMs'), 0.5),
    upKbps: quantile(of('upKbps'), 0.75),
    downKbps: quantile(of('downKbps'), 0.75),
  };
}

function quantile(values: readonly number[], part: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * part)] ?? null;
}

function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
