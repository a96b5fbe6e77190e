// A session: creates itself on the server, matches answers to requests by transaction, sends
// keepalives, and when the connection breaks opens a new one and claims itself back. Requests made
// meanwhile wait; a request whose answer the break swallowed fails with `connection-lost`, because
// nobody can know whether the server has seen it.

import { Emitter } from './emitter.js';
import { ConnectionError, JanusError, type TringError } from './errors.js';
import { Handle } from './handle.js';
import { startTicker } from './ticker.js';
import { HttpTransport, WebSocketTransport } from './transport.js';
import type { JanusMessage, Transport } from './transport.js';

export type SessionState = 'new' | 'connecting' | 'connected' | 'reconnecting' | 'closed';

export interface SessionEvents {
  state: SessionState;
  /** The session is over and can't be used again; null when `close()` was called. */
  closed: TringError | null;
}

export interface SessionOptions {
  /** Where the Janus API is, default `/janus` of the page's own origin. */
  url?: string | URL;
  /** Tried in this order; default WebSocket, then HTTP. */
  transports?: readonly ('websocket' | 'http')[];
  /** Sent with each request when the server asks for one. */
  token?: string;
  apiSecret?: string;
  /** How long to wait for one transport to open. Default 5000. */
  openTimeoutMs?: number;
  /** How long to wait for the answer to a request. Default 15000. */
  requestTimeoutMs?: number;
  /** Period of keepalives. Default 25000; the server's session timeout is 60000. */
  keepaliveMs?: number;
  /** How long to try to reconnect before the session counts as lost. Default 60000. */
  reconnectMs?: number;
  /** Tell the server when the page goes away. Default true. */
  destroyOnUnload?: boolean;
}

/** `ack` ends a request at once; `answer` waits on for the event with the same transaction. */
type Expect = 'ack' | 'answer';

interface Pending {
  expect: Expect;
  acked: boolean;
  resolve(message: JanusMessage): void;
  reject(error: TringError): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Delays before each attempt to reconnect; the last one repeats. Up to JITTER_MS is added. */
const RECONNECT_DELAYS_MS = [0, 300, 1200, 2700, 4800, 7000] as const;
const JITTER_MS = 1000;
const WAITING_MAX = 256;
const SESSION_NOT_FOUND = 458;

export class Session extends Emitter<SessionEvents> {
  private readonly options: Required<Omit<SessionOptions, 'token' | 'apiSecret' | 'url'>>;
  private readonly url: URL;
  private readonly credentials: { token?: string; apisecret?: string };
  private readonly handles = new Map<number, Handle>();
  private readonly pending = new Map<string, Pending>();
  private waiting: JanusMessage[] = [];
  private transport: Transport | null = null;
  private sessionId = 0;
  private current: SessionState = 'new';
  private stopTicker: (() => void) | null = null;
  private wakeReconnect: (() => void) | null = null;

  constructor(options: SessionOptions = {}) {
    super();
    this.url = new URL(options.url ?? '/janus', globalThis.location?.href);
    this.credentials = {
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.apiSecret === undefined ? {} : { apisecret: options.apiSecret }),
    };
    this.options = {
      transports: options.transports ?? ['websocket', 'http'],
      openTimeoutMs: options.openTimeoutMs ?? 5000,
      requestTimeoutMs: options.requestTimeoutMs ?? 15_000,
      keepaliveMs: options.keepaliveMs ?? 25_000,
      reconnectMs: options.reconnectMs ?? 60_000,
      destroyOnUnload: options.destroyOnUnload ?? true,
    };
  }

  get state(): SessionState {
    return this.current;
  }

  /** The session's number on the server, 0 before `connect()`. */
  get id(): number {
    return this.sessionId;
  }

  /** Which transport is in use, null while there is none. */
  get transportKind(): Transport['kind'] | null {
    return this.transport?.kind ?? null;
  }

  /**
   * Opens a transport and creates the session.
   * Rejects with ConnectionError `unreachable` or `timeout`, or a JanusError (403, 472).
   */
  async connect(): Promise<void> {
    if (this.current !== 'new') throw new ConnectionError('closed', 'connect() was called before');
    this.setState('connecting');
    try {
      this.transport = await this.openTransport();
      const answer = await this.request({ janus: 'create' });
      this.sessionId = idOf(answer);
    } catch (error) {
      this.finish(error as TringError);
      throw error;
    }
    this.watchPage(true);
    this.connected();
    this.stopTicker = startTicker(this.options.keepaliveMs, () => this.keepalive());
  }

  /**
   * Attaches a handle to a plugin, e.g. `janus.plugin.videocall`.
   * Rejects with JanusError 460 (no such plugin) or 405 (the token does not allow it).
   */
  async attach(plugin: string, opaqueId?: string): Promise<Handle> {
    const answer = await this.request({
      janus: 'attach',
      plugin,
      ...(opaqueId === undefined ? {} : { opaque_id: opaqueId }),
    });
    const id = idOf(answer);
    const handle = new Handle(this, id, () => this.handles.delete(id));
    this.handles.set(id, handle);
    return handle;
  }

  /**
   * Sends one request and resolves with its answer: a `success`, the `ack` (expect `ack`), or the
   * event that follows the ack (expect `answer`). Rejects with a JanusError or ConnectionError.
   */
  request(message: JanusMessage, expect: Expect = 'answer'): Promise<JanusMessage> {
    if (this.current === 'closed' || this.current === 'new') {
      return Promise.reject(new ConnectionError('closed', 'the session is not open'));
    }
    if (this.waiting.length >= WAITING_MAX) {
      return Promise.reject(new ConnectionError('queue-full', 'too many requests are waiting'));
    }
    const transaction = randomText();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(transaction);
        reject(new ConnectionError('timeout', 'no answer in time', { retryable: true }));
      }, this.options.requestTimeoutMs);
      this.pending.set(transaction, { expect, acked: false, resolve, reject, timer });
      const full = { ...message, transaction, ...this.address() };
      if (this.current === 'reconnecting' && message.janus !== 'claim') this.waiting.push(full);
      else this.transport?.send(full);
    });
  }

  /** Destroys the session on the server and closes the connection. */
  async close(): Promise<void> {
    if (this.current === 'closed') return;
    if (this.current === 'connected') {
      await this.request({ janus: 'destroy' }, 'ack').catch(() => undefined);
    }
    this.finish(null);
  }

  private address(): Partial<JanusMessage> {
    return this.sessionId ? { session_id: this.sessionId, ...this.credentials } : this.credentials;
  }

  private async openTransport(): Promise<Transport> {
    let failure = new ConnectionError('unreachable', 'no transport is allowed');
    for (const kind of this.options.transports) {
      const transport = this.makeTransport(kind);
      try {
        await transport.open(this.options.openTimeoutMs, {
          message: (message) => this.receive(message),
          lost: () => this.lost(transport),
        });
        return transport;
      } catch (error) {
        transport.close();
        failure = error as ConnectionError;
      }
    }
    throw failure;
  }

  private makeTransport(kind: Transport['kind']): Transport {
    const url = this.url.href.replace(/\/$/, '');
    return kind === 'http'
      ? new HttpTransport(url)
      : new WebSocketTransport(url.replace(/^http/, 'ws'));
  }

  private connected(): void {
    this.setState('connected');
    this.transport?.listen(this.sessionId);
    const waiting = this.waiting;
    this.waiting = [];
    for (const message of waiting) this.transport?.send(message);
  }

  private keepalive(): void {
    if (this.current !== 'connected' || this.transport?.kind === 'http') return;
    this.request({ janus: 'keepalive' }, 'ack').catch((error: TringError) => {
      // No answer on an open socket: the network went away without telling anybody.
      if (error.code === 'timeout' && this.transport) this.lost(this.transport);
    });
  }

  private receive(message: JanusMessage): void {
    if (message.transaction !== undefined && this.settle(message.transaction, message)) return;
    if (message.janus === 'timeout') {
      return this.finish(new ConnectionError('session-lost', 'the session timed out'));
    }
    if (typeof message.sender === 'number') this.handles.get(message.sender)?.receive(message);
  }

  private settle(transaction: string, message: JanusMessage): boolean {
    const pending = this.pending.get(transaction);
    if (!pending) return false;
    if (message.janus === 'ack' && pending.expect === 'answer') {
      pending.acked = true;
      return true;
    }
    this.pending.delete(transaction);
    clearTimeout(pending.timer);
    if (message.janus === 'error') pending.reject(this.refused(message));
    else pending.resolve(message);
    return true;
  }

  private refused(message: JanusMessage): JanusError {
    const error = (message.error ?? {}) as { code?: unknown; reason?: unknown };
    const code = typeof error.code === 'number' ? error.code : 490;
    if (code === SESSION_NOT_FOUND && this.current === 'connected') {
      queueMicrotask(() =>
        this.finish(new ConnectionError('session-lost', 'the server does not know the session')),
      );
    }
    return new JanusError(code, typeof error.reason === 'string' ? error.reason : 'refused');
  }

  private lost(transport: Transport): void {
    if (transport !== this.transport || this.current === 'closed') return;
    transport.close();
    this.transport = null;
    this.failUnacked();
    if (this.current !== 'connected') return; // connect() or the reconnect loop handles it
    this.setState('reconnecting');
    void this.reconnect();
  }

  /** Requests that the server may or may not have seen. Acknowledged ones still get their event. */
  private failUnacked(): void {
    const waiting = new Set(this.waiting.map((message) => message.transaction));
    for (const [transaction, pending] of this.pending) {
      if (pending.acked || waiting.has(transaction)) continue;
      this.pending.delete(transaction);
      clearTimeout(pending.timer);
      pending.reject(
        new ConnectionError('connection-lost', 'the connection broke', { retryable: true }),
      );
    }
  }

  private async reconnect(): Promise<void> {
    const giveUp = Date.now() + this.options.reconnectMs;
    for (let attempt = 0; Date.now() < giveUp; attempt++) {
      const step = Math.min(attempt, RECONNECT_DELAYS_MS.length - 1);
      await this.pause((RECONNECT_DELAYS_MS[step] ?? 0) + Math.random() * JITTER_MS);
      if (this.current !== 'reconnecting') return;
      const done = await this.claim();
      if (done) return;
    }
    this.finish(new ConnectionError('session-lost', 'the server could not be reached again'));
  }

  /** One attempt. True when the session is connected again, or is over. */
  private async claim(): Promise<boolean> {
    try {
      const transport = await this.openTransport();
      if (this.current !== 'reconnecting') {
        transport.close();
        return true;
      }
      this.transport = transport;
      await this.request({ janus: 'claim' });
      this.connected();
      return true;
    } catch (error) {
      this.transport?.close();
      this.transport = null;
      if (!(error instanceof JanusError)) return this.current !== 'reconnecting';
      this.finish(new ConnectionError('session-lost', error.message, { cause: error }));
      return true;
    }
  }

  /** Waits, but no longer than until the browser says that it is online again. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.wakeReconnect = null;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.wakeReconnect = wake;
    });
  }

  private readonly onOnline = (): void => this.wakeReconnect?.();

  private readonly onPageHide = (): void => {
    if (!this.sessionId || this.current === 'closed') return;
    const body = JSON.stringify({ janus: 'destroy', transaction: randomText(), ...this.address() });
    navigator.sendBeacon?.(`${this.url.href.replace(/\/$/, '')}/${this.sessionId}`, body);
    this.finish(null);
  };

  private watchPage(on: boolean): void {
    if (typeof window === 'undefined') return;
    const change = on ? window.addEventListener : window.removeEventListener;
    change.call(window, 'online', this.onOnline);
    if (this.options.destroyOnUnload) change.call(window, 'pagehide', this.onPageHide);
  }

  private finish(error: TringError | null): void {
    if (this.current === 'closed') return;
    this.setState('closed');
    this.watchPage(false);
    this.stopTicker?.();
    this.wakeReconnect?.();
    this.transport?.close();
    this.transport = null;
    const reason = error ?? new ConnectionError('closed', 'the session was closed');
    for (const pending of this.pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.pending.clear();
    this.waiting = [];
    for (const handle of [...this.handles.values()]) handle.gone();
    this.emit('closed', error);
  }

  private setState(state: SessionState): void {
    if (this.current === state) return;
    this.current = state;
    this.emit('state', state);
  }
}

/** A text that nobody can guess, for transactions and user names. */
export function randomText(): string {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return [...words].map((word) => word.toString(36).padStart(7, '0')).join('');
}

function idOf(answer: JanusMessage): number {
  const id = (answer.data as { id?: unknown } | undefined)?.id;
  if (typeof id !== 'number') throw new JanusError(490, 'the answer has no id');
  return id;
}
