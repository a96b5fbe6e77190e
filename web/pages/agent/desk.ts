// An agent's presence: wanted or not, and what the server knows of it. While it is wanted the desk
// keeps a session with the name registered, through lost connections and reloads. A name that this
// agent held a moment ago may still belong to the session before: then it is asked for again until
// that session must have timed out. No element in here: tests drive it.

import { ConnectionError, Emitter, nameTaken, type Call } from '@tring/client';

export type Presence = 'offline' | 'connecting' | 'available' | 'reconnecting' | 'reclaiming';

/** Why the desk gave up by itself. */
export type DeskError = { code: 'name-taken'; name: string } | { code: 'refused'; reason: string };

/** A registered name. */
export interface DeskLine {
  onIncoming(listener: (call: Call) => void): void;
  onSignalling(listener: (lost: boolean) => void): void;
  onClosed(listener: () => void): void;
  close(): Promise<void>;
}

export interface DeskTools {
  /** Rejects like Session.connect and Line.open. */
  open(username: string): Promise<DeskLine>;
}

/** The server's session timeout, and some seconds for its watchdog. */
const RECLAIM_MS = 75_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 5000;
const NAME_MAX = 40;

export class AgentDesk extends Emitter<{ change: void; incoming: Call }> {
  presence: Presence = 'offline';
  name = '';
  error: DeskError | null = null;
  /** The server can't be reached, though the line may come back as it was. */
  signallingLost = false;
  private run = 0;
  private line: DeskLine | null = null;
  private wake: (() => void) | null = null;

  constructor(private readonly tools: DeskTools) {
    super();
  }

  /** Registers `agent:<name>`. `returning`: this browser tab held the name before. */
  async goAvailable(name: string, returning = false): Promise<void> {
    const run = ++this.run;
    this.name = name;
    this.error = null;
    this.set(returning ? 'reclaiming' : 'connecting');
    const patience = returning ? RECLAIM_MS : 0;
    await this.register(run, Date.now() + patience);
  }

  async goOffline(): Promise<void> {
    this.run++;
    const line = this.line;
    this.line = null;
    this.wake?.();
    this.set('offline');
    await line?.close();
  }

  /** The page is going away: its session says goodbye by itself, and nothing must be tried again. */
  suspend(): void {
    this.run++;
    this.wake?.();
  }

  private async register(run: number, patientUntil: number): Promise<void> {
    for (let delay = RETRY_FIRST_MS; run === this.run; delay = Math.min(RETRY_MAX_MS, delay * 2)) {
      try {
        const line = await this.tools.open(`agent:${this.name}`);
        if (run !== this.run) return void line.close();
        return this.registered(run, line);
      } catch (error) {
        if (run !== this.run) return;
        if (!this.worthRetrying(error, patientUntil)) return;
      }
      await this.pause(delay * (0.75 + Math.random() / 2));
    }
  }

  private worthRetrying(error: unknown, patientUntil: number): boolean {
    if (error instanceof ConnectionError) {
      this.set('reconnecting');
      return true;
    }
    if (nameTaken(error) && Date.now() < patientUntil) {
      this.set('reclaiming');
      return true;
    }
    this.error = nameTaken(error)
      ? { code: 'name-taken', name: this.name }
      : { code: 'refused', reason: (error as Error).message };
    this.run++;
    this.set('offline');
    return false;
  }

  private registered(run: number, line: DeskLine): void {
    this.line = line;
    this.signallingLost = false;
    line.onIncoming((call) => {
      if (run === this.run) this.emit('incoming', call);
    });
    line.onSignalling((lost) => {
      if (run !== this.run) return;
      this.signallingLost = lost;
      this.emit('change', undefined);
    });
    line.onClosed(() => {
      if (run !== this.run) return;
      this.line = null;
      this.set('reconnecting');
      void this.register(run, Date.now() + RECLAIM_MS);
    });
    this.set('available');
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private set(presence: Presence): void {
    this.presence = presence;
    this.emit('change', undefined);
  }
}

/** A name as it is registered: one line, no spaces around it, not too long. */
export function cleanName(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, NAME_MAX);
}
