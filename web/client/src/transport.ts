// How Janus API messages travel: over one WebSocket, or over HTTP with a long poll. A transport only
// moves JSON objects; sessions, transactions and reconnecting are the session's business.

import { ConnectionError } from './errors.js';

/** A Janus API message, either way. */
export interface JanusMessage {
  janus: string;
  transaction?: string;
  session_id?: number;
  handle_id?: number;
  [key: string]: unknown;
}

export interface TransportEvents {
  message(message: JanusMessage): void;
  /** The transport broke by itself; it can't be used again. Not called after `close()`. */
  lost(): void;
}

export interface Transport {
  readonly kind: 'websocket' | 'http';
  /** Rejects with a ConnectionError when the server does not answer within `timeoutMs`. */
  open(timeoutMs: number, events: TransportEvents): Promise<void>;
  send(message: JanusMessage): void;
  /** From here on messages for this session are wanted (starts the long poll). */
  listen(sessionId: number): void;
  close(): void;
}

const SUBPROTOCOL = 'janus-protocol';
const POLL_EVENTS_MAX = 10;
const POLL_TIMEOUT_MS = 60_000;
const POLL_FAILURES_MAX = 3;
const POST_TIMEOUT_MS = 15_000;

/** The Janus API over one WebSocket. */
export class WebSocketTransport implements Transport {
  readonly kind = 'websocket';
  private socket: WebSocket | null = null;

  constructor(private readonly url: string) {}

  open(timeoutMs: number, events: TransportEvents): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url, SUBPROTOCOL);
      this.socket = socket;
      let opened = false;
      const fail = (why: string): void => {
        clearTimeout(timer);
        this.close();
        reject(new ConnectionError('unreachable', why, { retryable: true }));
      };
      const timer = setTimeout(() => fail('the WebSocket did not open in time'), timeoutMs);
      socket.onopen = () => {
        opened = true;
        clearTimeout(timer);
        resolve();
      };
      socket.onmessage = (event) => deliver(event.data, events);
      socket.onclose = () => {
        if (!opened) return fail('the WebSocket was refused');
        this.close();
        events.lost();
      };
    });
  }

  send(message: JanusMessage): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  listen(): void {}

  close(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** The Janus API over HTTP: a POST per request, a long poll for events. */
export class HttpTransport implements Transport {
  readonly kind = 'http';
  private events: TransportEvents | null = null;
  private readonly stop = new AbortController();
  private sending: Promise<void> = Promise.resolve();

  constructor(private readonly url: string) {}

  async open(timeoutMs: number, events: TransportEvents): Promise<void> {
    this.events = events;
    try {
      const response = await fetch(`${this.url}/ping`, { signal: this.signal(timeoutMs) });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
    } catch (cause) {
      throw new ConnectionError('unreachable', 'the server did not answer', {
        retryable: true,
        cause,
      });
    }
  }

  /** One POST after the other: the API's order of requests is the order of these calls. */
  send(message: JanusMessage): void {
    this.sending = this.sending.then(() => this.post(message));
  }

  listen(sessionId: number): void {
    void this.poll(sessionId);
  }

  close(): void {
    this.events = null;
    this.stop.abort();
  }

  private async post(message: JanusMessage): Promise<void> {
    if (!this.events) return;
    const path = [this.url, message.session_id, message.handle_id].filter((part) => part != null);
    try {
      const response = await fetch(path.join('/'), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(message),
        signal: this.signal(POST_TIMEOUT_MS),
      });
      deliver(await response.text(), this.events);
    } catch {
      this.lose();
    }
  }

  private async poll(sessionId: number): Promise<void> {
    let failures = 0;
    while (this.events && failures < POLL_FAILURES_MAX) {
      try {
        const query = `rid=${Date.now()}&maxev=${POLL_EVENTS_MAX}`;
        const response = await fetch(`${this.url}/${sessionId}?${query}`, {
          signal: this.signal(POLL_TIMEOUT_MS),
        });
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        deliver(await response.text(), this.events);
        failures = 0;
      } catch {
        failures++;
        await new Promise((resolve) => setTimeout(resolve, 300 * failures));
      }
    }
    this.lose();
  }

  private lose(): void {
    const events = this.events;
    this.close();
    events?.lost();
  }

  private signal(timeoutMs: number): AbortSignal {
    const one = new AbortController();
    const timer = setTimeout(() => one.abort(), timeoutMs);
    this.stop.signal.addEventListener('abort', () => one.abort(), { once: true });
    one.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    return one.signal;
  }
}

/** Parses what came and hands on each message of it; anything that is no message is dropped. */
function deliver(data: unknown, events: TransportEvents | null): void {
  if (typeof data !== 'string' || !data) return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return;
  }
  for (const item of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
    if (isMessage(item)) events?.message(item);
  }
}

function isMessage(value: unknown): value is JanusMessage {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { janus?: unknown }).janus === 'string'
  );
}
