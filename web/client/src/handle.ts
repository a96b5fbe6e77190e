// A handle: this session's end of one plugin. Requests go to the plugin and its answer comes back as
// a promise; what the plugin says unasked comes as events.

import { Emitter } from './emitter.js';
import { PluginError, type TringError } from './errors.js';
import type { Session } from './session.js';
import type { JanusMessage } from './transport.js';

/** What a plugin says: its data, and an SDP when it offers or answers. */
export interface PluginEvent {
  data: Record<string, unknown>;
  jsep: RTCSessionDescriptionInit | null;
}

export interface HandleEvents {
  /** The plugin said something that is no answer to a request. */
  event: PluginEvent;
  /** ICE and DTLS are up, says the server. */
  webrtcup: void;
  /** The server receives media of this kind again, or has not for a second. */
  media: { mid: string; type: string; receiving: boolean };
  /** Packets are being lost; `uplink` is from here to the server. */
  slowlink: { mid: string; uplink: boolean; lost: number };
  /** The server closed the PeerConnection. */
  hangup: { reason: string };
  trickle: RTCIceCandidateInit | null;
  /** The handle is gone: detached, or its session is over. */
  detached: void;
}

/** Candidates that appear within this time travel in one message. */
const TRICKLE_BATCH_MS = 10;

export class Handle extends Emitter<HandleEvents> {
  private candidates: object[] = [];
  private trickleTimer: ReturnType<typeof setTimeout> | null = null;
  private alive = true;

  /** Made by `Session.attach`. */
  constructor(
    private readonly session: Session,
    readonly id: number,
    private readonly forget: () => void,
  ) {
    super();
  }

  /**
   * Sends a request to the plugin, with an SDP if there is one, and resolves with its answer.
   * Rejects with a PluginError when the plugin refuses, a JanusError when the server does (465: bad
   * SDP), or a ConnectionError.
   */
  async message(body: object, jsep?: RTCSessionDescriptionInit): Promise<PluginEvent> {
    const answer = await this.session.request({
      janus: 'message',
      handle_id: this.id,
      body,
      ...(jsep ? { jsep: { type: jsep.type, sdp: jsep.sdp } } : {}),
    });
    const event = toPluginEvent(answer);
    const failure = toPluginError(event.data);
    if (failure) throw failure;
    return event;
  }

  /** Sends one local ICE candidate; null says that there are no more. */
  trickle(candidate: RTCIceCandidate | null): void {
    if (!this.alive) return;
    this.candidates.push(candidate ? candidate.toJSON() : { completed: true });
    this.trickleTimer ??= setTimeout(() => this.flushCandidates(), TRICKLE_BATCH_MS);
  }

  /** Closes the PeerConnection on the server; the handle lives on. */
  async hangup(): Promise<void> {
    await this.session.request({ janus: 'hangup', handle_id: this.id });
  }

  async detach(): Promise<void> {
    if (!this.alive) return;
    const done = this.session.request({ janus: 'detach', handle_id: this.id });
    this.gone();
    await done.catch(() => undefined);
  }

  /** Called by the session: a message for this handle. */
  receive(message: JanusMessage): void {
    switch (message.janus) {
      case 'event':
        return this.emit('event', toPluginEvent(message));
      case 'webrtcup':
        return this.emit('webrtcup', undefined);
      case 'media':
        return this.emit('media', message as unknown as HandleEvents['media']);
      case 'slowlink':
        return this.emit('slowlink', message as unknown as HandleEvents['slowlink']);
      case 'hangup':
        return this.emit('hangup', { reason: textOf(message.reason) });
      case 'trickle':
        return this.emit('trickle', toCandidate(message.candidate));
      case 'detached':
        return this.gone();
    }
  }

  /** Called by the session: it is over, or the handle is. */
  gone(): void {
    if (!this.alive) return;
    this.alive = false;
    if (this.trickleTimer !== null) clearTimeout(this.trickleTimer);
    this.forget();
    this.emit('detached', undefined);
    this.removeAllListeners();
  }

  private flushCandidates(): void {
    this.trickleTimer = null;
    const candidates = this.candidates;
    this.candidates = [];
    const what = candidates.length === 1 ? { candidate: candidates[0] } : { candidates };
    this.session
      .request({ janus: 'trickle', handle_id: this.id, ...what }, 'ack')
      .catch((error: TringError) => {
        // A broken connection may have swallowed them: a candidate sent twice does no harm.
        if (error.code === 'connection-lost' && this.alive) {
          this.candidates.unshift(...candidates);
          this.trickleTimer ??= setTimeout(() => this.flushCandidates(), TRICKLE_BATCH_MS);
        }
      });
  }
}

function toPluginEvent(message: JanusMessage): PluginEvent {
  const plugindata = message.plugindata as { data?: unknown } | undefined;
  const data = plugindata?.data;
  return {
    data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {},
    jsep: toDescription(message.jsep),
  };
}

function toPluginError(data: Record<string, unknown>): PluginError | null {
  if (typeof data.error_code !== 'number') return null;
  return new PluginError(data.error_code, textOf(data.error) || 'the plugin refused');
}

function toDescription(jsep: unknown): RTCSessionDescriptionInit | null {
  if (typeof jsep !== 'object' || jsep === null) return null;
  const { type, sdp } = jsep as { type?: unknown; sdp?: unknown };
  if ((type !== 'offer' && type !== 'answer') || typeof sdp !== 'string') return null;
  return { type, sdp };
}

function toCandidate(candidate: unknown): RTCIceCandidateInit | null {
  if (typeof candidate !== 'object' || candidate === null || 'completed' in candidate) return null;
  return candidate;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
