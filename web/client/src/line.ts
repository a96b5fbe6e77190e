// A line: a user name registered with the videocall plugin, and the one call it may have at a time.

import { Call, type CallOptions } from './call.js';
import { Emitter } from './emitter.js';
import { PluginError } from './errors.js';
import type { Handle, PluginEvent } from './handle.js';
import type { Session } from './session.js';

const VIDEOCALL = 'janus.plugin.videocall';
const USERNAME_TAKEN = 476;

export interface LineEvents {
  /** Somebody calls: `accept()` or `decline()` it. */
  incoming: Call;
  /** The session is over; the line can't be used again. */
  closed: void;
}

export class Line extends Emitter<LineEvents> {
  private call_: Call | null = null;

  private constructor(
    private readonly handle: Handle,
    /** The registered user name. */
    readonly username: string,
    private readonly options: CallOptions,
  ) {
    super();
    handle.on('event', (event) => this.pluginSaid(event));
    handle.on('hangup', ({ reason }) => this.call_?.peerConnectionClosed(reason));
    handle.on('trickle', (candidate) => this.call_?.remoteCandidate(candidate));
    handle.once('detached', () => this.gone());
  }

  /**
   * Registers `username`. Rejects with PluginError 476 when another session has it (`nameTaken`), or
   * with what `Session.attach` rejects with.
   */
  static async open(session: Session, username: string, options: CallOptions = {}): Promise<Line> {
    const handle = await session.attach(VIDEOCALL, username);
    try {
      await handle.message({ request: 'register', username });
    } catch (error) {
      await handle.detach();
      throw error;
    }
    return new Line(handle, username, options);
  }

  /** The call there is, or the last one. */
  get call(): Call | null {
    return this.call_;
  }

  /** The user names that are registered now. */
  async list(): Promise<string[]> {
    const { data } = await this.handle.message({ request: 'list' });
    const list = (data.result as { list?: unknown } | undefined)?.list;
    return Array.isArray(list) ? list.filter((name) => typeof name === 'string') : [];
  }

  /** Calls `username` and sends `local`; what happens then is told by the call's events. */
  dial(username: string, local: MediaStream): Call {
    const before = this.call_;
    const call = new Call(this.port(), username, this.options);
    this.call_ = call;
    void (before?.finished ?? Promise.resolve()).then(() => call.start(local));
    return call;
  }

  /** Gives the name back. A call that is up ends. */
  async close(): Promise<void> {
    this.call_?.hangup();
    await this.call_?.finished;
    await this.handle.detach();
  }

  private port(): ConstructorParameters<typeof Call>[0] {
    return {
      send: (body, jsep) => this.handle.message(body, jsep),
      trickle: (candidate) => this.handle.trickle(candidate),
    };
  }

  private pluginSaid(event: PluginEvent): void {
    const result = (event.data.result ?? {}) as { event?: unknown; username?: unknown };
    if (result.event !== 'incomingcall') return this.call_?.pluginSaid(event);
    const busy = this.call_ !== null && this.call_.state !== 'ended';
    if (busy || event.jsep?.type !== 'offer') return;
    const caller = typeof result.username === 'string' ? result.username : '';
    this.call_ = new Call(this.port(), caller, this.options, event.jsep);
    this.emit('incoming', this.call_);
  }

  private gone(): void {
    this.call_?.cut('the session is over');
    this.emit('closed', undefined);
    this.removeAllListeners();
  }
}

/** True when registering failed because the name is in use. */
export function nameTaken(error: unknown): boolean {
  return error instanceof PluginError && error.pluginCode === USERNAME_TAKEN;
}
