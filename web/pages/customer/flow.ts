// What happens from the press of Call to the end of the call: ask for the camera, connect, and ring
// the available agents one after the other, in random order. No element in here: tests drive it.

import {
  Emitter,
  MediaError,
  closeMedia,
  type Call,
  type CallEnd,
  type Line,
  type MediaChoice,
  type TringError,
} from '@tring/client';

/** Agents are the user names that begin with this. */
export const AGENT_PREFIX = 'agent:';

export type FlowState =
  | { name: 'idle' }
  | { name: 'media' }
  | { name: 'media-error'; error: MediaError }
  | { name: 'connecting' }
  | { name: 'ringing'; agent: string }
  | { name: 'call'; agent: string; call: Call }
  | { name: 'busy' }
  | { name: 'nobody' }
  | { name: 'ended'; agent: string; end: CallEnd; lengthMs: number }
  | { name: 'error'; error: Error };

/** A registered line, and how to give everything back. */
export interface OpenLine {
  line: Pick<Line, 'list' | 'dial'>;
  close(): Promise<void>;
}

export interface FlowTools {
  openMedia(choice: MediaChoice): Promise<MediaStream>;
  openLine(): Promise<OpenLine>;
  /** 0 <= random() < 1. */
  random(): number;
}

/** What one ring came to. */
type Outcome = 'answered' | CallEnd;

export class CustomerFlow extends Emitter<{ change: FlowState }> {
  state: FlowState = { name: 'idle' };
  local: MediaStream | null = null;
  private run = 0;
  private open: OpenLine | null = null;
  private call: Call | null = null;

  constructor(private readonly tools: FlowTools) {
    super();
  }

  /** The press of Call. Never rejects: every failure is a state. */
  async start(choice: MediaChoice): Promise<void> {
    const run = ++this.run;
    this.set({ name: 'media' });
    // Connecting takes the time that the person needs to answer the browser's question.
    const opening = this.tools.openLine();
    opening.catch(() => undefined);
    try {
      const local = await this.tools.openMedia(choice);
      if (run !== this.run) return closeMedia(local);
      this.local = local;
      this.set({ name: 'connecting' });
      this.open = await opening;
      if (run === this.run) await this.ringAll(run, this.open.line, local);
    } catch (error) {
      if (run === this.run) this.fail(error as Error);
    } finally {
      if (run !== this.run || this.state.name !== 'call') await this.release(opening);
    }
  }

  /** Gives up before somebody answered. */
  cancel(): void {
    this.run++;
    this.call?.hangup();
    this.set({ name: 'idle' });
  }

  /** Back to the beginning, e.g. because other settings were chosen after a device error. */
  reset(): void {
    if (this.state.name === 'media-error') this.set({ name: 'idle' });
  }

  private async ringAll(run: number, line: OpenLine['line'], local: MediaStream): Promise<void> {
    const agents = shuffle(
      (await line.list()).filter((name) => name.startsWith(AGENT_PREFIX)),
      this.tools.random,
    );
    let busy = 0;
    for (const agent of agents) {
      if (run !== this.run) return;
      const outcome = await this.ring(run, line, agent, local);
      if (run !== this.run || outcome === 'answered') return;
      if (outcome.code === 'failed' || outcome.code === 'connection-lost') {
        return this.fail(outcome.error ?? new Error(outcome.reason));
      }
      if (outcome.code === 'busy') busy++;
    }
    this.set({ name: busy > 0 && busy === agents.length ? 'busy' : 'nobody' });
  }

  private ring(
    run: number,
    line: OpenLine['line'],
    agent: string,
    local: MediaStream,
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      const call = line.dial(agent, local);
      this.call = call;
      call.on('state', (state) => {
        if (run !== this.run) return;
        if (state === 'ringing') this.set({ name: 'ringing', agent });
        if (state === 'connecting') {
          this.set({ name: 'call', agent, call });
          resolve('answered');
        }
      });
      call.on('ended', (end) => {
        if (run === this.run && this.state.name === 'call') this.callEnded(agent, call, end);
        resolve(end);
      });
    });
  }

  private callEnded(agent: string, call: Call, end: CallEnd): void {
    const lengthMs = call.answeredAt === null ? 0 : performance.now() - call.answeredAt;
    this.set({ name: 'ended', agent, end, lengthMs });
    void this.release(null);
  }

  private fail(error: Error): void {
    if (error instanceof MediaError) this.set({ name: 'media-error', error });
    else this.set({ name: 'error', error: error as TringError });
  }

  /** Camera off, session away. `opening` may still be on its way. */
  private async release(opening: Promise<OpenLine> | null): Promise<void> {
    const call = this.call;
    const open = this.open;
    this.call = null;
    this.open = null;
    closeMedia(this.local);
    this.local = null;
    await call?.finished;
    await open?.close();
    if (!open && opening) await opening.then((late) => late.close()).catch(() => undefined);
  }

  private set(state: FlowState): void {
    this.state = state;
    this.emit('change', state);
  }
}

/** Fisher and Yates. */
export function shuffle<Item>(items: readonly Item[], random: () => number): Item[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as Item, result[i] as Item];
  }
  return result;
}
