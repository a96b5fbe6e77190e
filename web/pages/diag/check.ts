// The check of the network, one step after the other: the server, the candidates, an echo call over
// each way. Knows nothing of the page; what it uses is handed in, so that tests can.

import { Emitter, type Session } from '@tring/client';
import { emptyEcho } from './echo.js';
import {
  WAYS,
  type EchoResult,
  type Gathering,
  type SignallingFinding,
  type Way,
} from './findings.js';
import type { SyntheticMedia } from './synthetic.js';
import { planWays, type WayPlan } from './ways.js';

export type StepId = 'server' | 'candidates' | Way;
export const STEPS: readonly StepId[] = ['server', 'candidates', ...WAYS];

export type StepState = 'waiting' | 'running' | 'passed' | 'failed' | 'not-offered' | 'skipped';

export interface CheckState {
  running: boolean;
  /** True once a whole check has ended. */
  finished: boolean;
  steps: Record<StepId, StepState>;
  signalling: SignallingFinding | null;
  gathering: Gathering | null;
  echoes: Partial<Record<Way, EchoResult>>;
}

export interface CheckTools {
  openSession(): Promise<Session>;
  fetchServers(): Promise<RTCIceServer[]>;
  makeMedia(): SyntheticMedia;
  gather(
    servers: RTCIceServer[],
    progress: (gathering: Gathering) => void,
    signal: AbortSignal,
  ): Promise<Gathering>;
  echo(
    plan: WayPlan,
    session: Session,
    media: MediaStream,
    progress: (result: EchoResult) => void,
    signal: AbortSignal,
  ): Promise<EchoResult>;
}

function nothingYet(): CheckState {
  const steps = Object.fromEntries(STEPS.map((id) => [id, 'waiting'])) as CheckState['steps'];
  return { running: false, finished: false, steps, signalling: null, gathering: null, echoes: {} };
}

export class NetworkCheck extends Emitter<{ change: CheckState }> {
  state = nothingYet();
  private abort: AbortController | null = null;

  constructor(private readonly tools: CheckTools) {
    super();
  }

  /** Runs all steps; ends early, and without a verdict, after `stop()`. */
  async run(): Promise<void> {
    this.stop();
    const abort = (this.abort = new AbortController());
    const { signal } = abort;
    this.state = nothingYet();
    this.update({ running: true });
    const media = this.tools.makeMedia();
    let session: Session | null = null;
    try {
      session = await this.openSession();
      if (signal.aborted) return;
      const servers = await this.tools.fetchServers().catch(() => null);
      await this.gather(servers ?? [], signal);
      if (session) await this.echoes(servers, session, media.stream, signal);
      else this.skipEchoes();
    } finally {
      media.stop();
      void session?.close();
      if (this.abort === abort) {
        this.abort = null;
        this.update({ running: false, finished: !signal.aborted });
      }
    }
  }

  stop(): void {
    this.abort?.abort();
    this.abort = null;
    const { steps } = this.state;
    for (const id of STEPS) if (steps[id] === 'running') steps[id] = 'skipped';
    this.update({ running: false });
  }

  private async openSession(): Promise<Session | null> {
    this.step('server', 'running');
    const started = performance.now();
    const ms = (): number => Math.round(performance.now() - started);
    try {
      const session = await this.tools.openSession();
      const finding = { ok: true, transport: session.transportKind, ms: ms(), error: '' };
      this.update({ signalling: finding });
      this.step('server', 'passed');
      return session;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.update({ signalling: { ok: false, transport: null, ms: ms(), error: text } });
      this.step('server', 'failed');
      return null;
    }
  }

  private async gather(servers: RTCIceServer[], signal: AbortSignal): Promise<void> {
    this.step('candidates', 'running');
    const progress = (gathering: Gathering): void => this.update({ gathering });
    try {
      const gathering = await this.tools.gather(servers, progress, signal);
      this.update({ gathering });
      if (!signal.aborted)
        this.step('candidates', gathering.candidates.length ? 'passed' : 'failed');
    } catch {
      this.step('candidates', 'failed');
    }
  }

  private async echoes(
    servers: RTCIceServer[] | null,
    session: Session,
    media: MediaStream,
    signal: AbortSignal,
  ): Promise<void> {
    for (const plan of planWays(servers ?? [])) {
      if (signal.aborted) return;
      const { way } = plan;
      if (!plan.offered && servers === null) {
        this.step(way, 'skipped'); // nobody knows whether there is a relay
        continue;
      }
      const show = (result: EchoResult): void => {
        this.update({ echoes: { ...this.state.echoes, [way]: result } });
      };
      this.step(way, 'running');
      const result = await this.tools.echo(plan, session, media, show, signal);
      if (signal.aborted) return;
      show(result);
      this.step(way, result.state);
    }
  }

  private skipEchoes(): void {
    for (const way of WAYS) this.step(way, 'skipped');
  }

  private step(id: StepId, state: StepState): void {
    this.update({ steps: { ...this.state.steps, [id]: state } });
  }

  private update(part: Partial<CheckState>): void {
    this.state = { ...this.state, ...part };
    this.emit('change', this.state);
  }
}

/** The echo calls that were made, best way first. */
export function echoList(state: CheckState): EchoResult[] {
  return WAYS.map((way) => state.echoes[way] ?? emptyEcho(way)).filter(
    ({ way }) => state.echoes[way] !== undefined,
  );
}
