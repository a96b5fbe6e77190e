// One call over the videocall plugin, as a state machine:
//
//   outgoing  calling -> ringing -> connecting -> connected <-> reconnecting
//   incoming  incoming ----------> connecting -> connected <-> reconnecting
//
// and from each of them to `ended`, once, with who ended it and why. Signalling is sent in the order
// it was decided on (`queue`). A broken path gets ICE restarts: an offer in a `set` request, which
// the plugin hands to the other side as `update`. When the path stays broken the call ends.

import { Emitter } from './emitter.js';
import { PluginError, type TringError } from './errors.js';
import type { PluginEvent } from './handle.js';
import { Peer } from './peer.js';

export type CallState =
  'calling' | 'ringing' | 'incoming' | 'connecting' | 'connected' | 'reconnecting' | 'ended';

/**
 * Why a call ended. `hung-up`: after it was answered; `cancelled`: the caller gave up before;
 * `peer-gone`: the other side's connection broke; `connection-lost`: this side's did; `failed`: the
 * server or the browser refused something.
 */
export type CallEndCode =
  | 'hung-up'
  | 'cancelled'
  | 'declined'
  | 'busy'
  | 'unavailable'
  | 'no-answer'
  | 'peer-gone'
  | 'connection-lost'
  | 'failed';

export interface CallEnd {
  by: 'local' | 'remote' | 'network';
  code: CallEndCode;
  /** The reason as it was sent, or an error's message. */
  reason: string;
  error?: TringError | Error;
}

export interface CallEvents {
  state: CallState;
  /** The other side's media; `Call.remoteStream` holds it too. */
  stream: MediaStream;
  ended: CallEnd;
}

/** How a call reaches its plugin handle. */
export interface CallPort {
  send(body: object, jsep?: RTCSessionDescriptionInit): Promise<PluginEvent>;
  trickle(candidate: RTCIceCandidate | null): void;
}

export interface CallOptions {
  rtc?: RTCConfiguration;
  /**
   * The STUN and TURN servers, asked for when a call begins and before an ICE restart: their
   * credentials do not last. `fetchIceServers` asks this server. A call goes on without them when
   * they don't come within two seconds.
   */
  iceServers?: () => Promise<RTCIceServer[]>;
  /** Outgoing calls: how long it may ring. Default 45000. */
  ringMs?: number;
}

/** Reasons on the wire; the first is the plugin's own, the others are between Tring's clients. */
export const REASON_BUSY = 'User busy';
export const REASON_DECLINED = 'Declined';
export const REASON_CANCELLED = 'Cancelled';
const REASON_PEER_GONE = 'Remote WebRTC hangup';

const CONNECT_MS = 20_000;
const RECONNECT_MS = 30_000;
const RING_MS = 45_000;
const SERVERS_MS = 2000;
const NO_SUCH_USERNAME = 478;
const NO_CALL = 481;

const BEFORE_ANSWER: readonly CallState[] = ['calling', 'ringing', 'incoming'];

export class Call extends Emitter<CallEvents> {
  readonly direction: 'outgoing' | 'incoming';
  /** When it was answered, by `performance.now()`; null before. */
  answeredAt: number | null = null;
  end: CallEnd | null = null;

  private current: CallState;
  private peer: Peer | null = null;
  private early: (RTCIceCandidate | null)[] | null = [];
  private timer: ReturnType<typeof setTimeout> | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  private readonly sending = { audio: true, video: true };
  /** Resolves when the server knows that the call is over; never rejects. */
  finished: Promise<void> = Promise.resolve();

  /** Made by a Line: `offer` is what an incoming call came with. */
  constructor(
    private readonly port: CallPort,
    /** The other side's user name. */
    readonly peerName: string,
    private readonly options: CallOptions,
    private readonly offer: RTCSessionDescriptionInit | null = null,
  ) {
    super();
    this.direction = offer ? 'incoming' : 'outgoing';
    this.current = offer ? 'incoming' : 'calling';
  }

  get state(): CallState {
    return this.current;
  }

  get remoteStream(): MediaStream | null {
    return this.peer?.remoteStream ?? null;
  }

  /** For getStats; null before the call has one, and after its end. */
  get connection(): RTCPeerConnection | null {
    return this.peer?.connection ?? null;
  }

  /** Outgoing, called by the line: offers `local`. Never rejects: a failure ends the call. */
  async start(local: MediaStream): Promise<void> {
    try {
      const peer = await this.openPeer();
      if (this.ended()) return peer.close();
      const offer = await peer.firstOffer(local);
      if (this.ended()) return;
      const answer = this.port.send({ request: 'call', username: this.peerName }, offer);
      this.releaseCandidates();
      this.pluginSaid(await answer);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  /** Takes an incoming call. Never rejects: a failure ends the call. */
  async accept(local: MediaStream): Promise<void> {
    if (this.current !== 'incoming' || !this.offer) return;
    this.setState('connecting');
    this.answered();
    try {
      const peer = await this.openPeer();
      if (this.ended()) return peer.close();
      const answer = await peer.firstAnswer(this.offer, local);
      if (this.ended()) return;
      const done = this.port.send({ request: 'accept' }, answer);
      this.releaseCandidates();
      await done;
    } catch (error) {
      this.failed(error as Error);
    }
  }

  /** Refuses an incoming call. */
  decline(): void {
    if (this.current !== 'incoming') return;
    this.hangupWith(REASON_DECLINED, { by: 'local', code: 'declined', reason: REASON_DECLINED });
  }

  /** Ends the call, whatever its state. */
  hangup(): void {
    if (this.current === 'incoming') return this.decline();
    const early = BEFORE_ANSWER.includes(this.current);
    const reason = early ? REASON_CANCELLED : 'Hung up';
    this.hangupWith(reason, { by: 'local', code: early ? 'cancelled' : 'hung-up', reason });
  }

  /** Mutes or unmutes: the track goes silent (or black), and the server stops relaying it. */
  setSending(kind: 'audio' | 'video', on: boolean): void {
    this.sending[kind] = on;
    for (const sender of this.peer?.connection.getSenders() ?? []) {
      if (sender.track?.kind === kind) sender.track.enabled = on;
    }
    if (this.ended() || BEFORE_ANSWER.includes(this.current)) return;
    this.port.send({ request: 'set', [kind]: on }).catch(() => undefined);
  }

  isSending(kind: 'audio' | 'video'): boolean {
    return this.sending[kind];
  }

  /** Sends another camera or microphone (or none) from now on. */
  async replaceTrack(kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<void> {
    if (!this.peer || this.ended()) return;
    if (track) track.enabled = this.sending[kind];
    if (await this.peer.replaceTrack(kind, track)) this.renegotiate();
  }

  /** Called by the line: what the plugin said about this call. */
  pluginSaid(event: PluginEvent): void {
    if (this.ended()) return;
    const result = (event.data.result ?? {}) as { event?: unknown; reason?: unknown };
    switch (result.event) {
      case 'calling':
        return this.ringing();
      case 'accepted':
        return this.acceptedByPeer(event.jsep);
      case 'update':
        return this.takeRemote(event.jsep);
      case 'hangup':
        return this.finish(this.endOf(typeof result.reason === 'string' ? result.reason : ''));
    }
  }

  /** Called by the line: the server closed this side's PeerConnection. */
  peerConnectionClosed(reason: string): void {
    // Before the answer this can only be the farewell of the call before on the same handle.
    if (BEFORE_ANSWER.includes(this.current)) return;
    this.hangupWith('Connection lost', { by: 'network', code: 'connection-lost', reason });
  }

  remoteCandidate(candidate: RTCIceCandidateInit | null): void {
    void this.peer?.addRemoteCandidate(candidate);
  }

  /** Called by the line: the session is over, nothing can be sent any more. */
  cut(reason: string): void {
    this.finish({ by: 'network', code: 'connection-lost', reason });
  }

  /** The configuration with fresh servers, if there are any. */
  private async configuration(): Promise<RTCConfiguration> {
    const { rtc = {}, iceServers } = this.options;
    if (!iceServers) return rtc;
    const late = new Promise<RTCIceServer[]>((resolve) => setTimeout(resolve, SERVERS_MS, []));
    const fresh = await Promise.race([iceServers().catch(() => []), late]);
    return fresh.length > 0 ? { ...rtc, iceServers: fresh } : rtc;
  }

  private async restart(peer: Peer): Promise<void> {
    const configuration = await this.configuration();
    if (this.ended()) return;
    if (configuration.iceServers) peer.connection.setConfiguration(configuration);
    this.renegotiate({ iceRestart: true });
  }

  private async openPeer(): Promise<Peer> {
    const peer = new Peer(await this.configuration(), this.direction === 'incoming');
    this.peer = peer;
    peer.on('candidate', (candidate) => {
      if (this.early) this.early.push(candidate);
      else this.port.trickle(candidate);
    });
    peer.on('stream', (stream) => this.emit('stream', stream));
    peer.on('state', (state) => {
      if (state === 'connected') this.pathUp();
      else if (state === 'unstable') this.pathDown();
    });
    peer.on('restart', () => void this.restart(peer));
    return peer;
  }

  /** Candidates go out after the description that they belong to. */
  private releaseCandidates(): void {
    const early = this.early ?? [];
    this.early = null;
    for (const candidate of early) this.port.trickle(candidate);
  }

  private ringing(): void {
    if (this.current !== 'calling') return;
    this.setState('ringing');
    const end: CallEnd = { by: 'local', code: 'no-answer', reason: 'No answer' };
    this.after(this.options.ringMs ?? RING_MS, () => this.hangupWith(REASON_CANCELLED, end));
  }

  private acceptedByPeer(answer: RTCSessionDescriptionInit | null): void {
    if (this.direction !== 'outgoing' || !BEFORE_ANSWER.includes(this.current)) return;
    this.setState('connecting');
    this.answered();
    this.takeRemote(answer);
  }

  private answered(): void {
    this.answeredAt = performance.now();
    this.after(CONNECT_MS, () =>
      this.hangupWith('Connection failed', {
        by: 'network',
        code: 'connection-lost',
        reason: 'no path to the server was found in time',
      }),
    );
  }

  private pathUp(): void {
    if (this.current !== 'connecting' && this.current !== 'reconnecting') return;
    this.clearTimer();
    this.setState('connected');
    for (const kind of ['audio', 'video'] as const) {
      if (!this.sending[kind]) this.setSending(kind, false); // muted while it was ringing
    }
  }

  private pathDown(): void {
    if (this.current !== 'connected') return;
    this.setState('reconnecting');
    this.after(RECONNECT_MS, () => {
      const reason = 'the path to the server did not come back';
      this.hangupWith('Connection lost', { by: 'network', code: 'connection-lost', reason });
    });
  }

  private renegotiate(options: RTCOfferOptions = {}): void {
    this.inTurn(async (peer) => {
      const offer = await peer.offer(options);
      await this.port.send({ request: 'set' }, offer);
    });
  }

  private takeRemote(jsep: RTCSessionDescriptionInit | null): void {
    if (!jsep) return;
    this.inTurn(async (peer) => {
      const answer = await peer.take(jsep);
      if (answer) await this.port.send({ request: 'set' }, answer);
    });
  }

  /** One negotiation step after the other. A step that fails is made good by the next restart. */
  private inTurn(step: (peer: Peer) => Promise<void>): void {
    this.queue = this.queue
      .then(() => (this.peer && !this.ended() ? step(this.peer) : undefined))
      .catch((error: Error) => {
        if (this.current === 'connecting') this.failed(error);
      });
  }

  private endOf(reason: string): CallEnd {
    const early = BEFORE_ANSWER.includes(this.current);
    const code = ((): CallEndCode => {
      if (reason === REASON_BUSY) return 'busy';
      if (reason === REASON_PEER_GONE) return 'peer-gone';
      if (!early) return 'hung-up';
      return this.direction === 'incoming' ? 'cancelled' : 'declined';
    })();
    return { by: 'remote', code, reason };
  }

  private failed(error: Error): void {
    const plugin = error instanceof PluginError ? error.pluginCode : 0;
    const code = plugin === NO_SUCH_USERNAME ? 'unavailable' : 'failed';
    if (plugin === NO_CALL && this.direction === 'incoming') {
      return this.finish({ by: 'remote', code: 'cancelled', reason: error.message });
    }
    this.hangupWith('Failed', { by: 'network', code, reason: error.message, error });
  }

  private hangupWith(reason: string, end: CallEnd): void {
    if (this.ended()) return;
    this.finished = this.port.send({ request: 'hangup', reason }).then(
      () => undefined,
      () => undefined,
    );
    this.finish(end);
  }

  private finish(end: CallEnd): void {
    if (this.ended()) return;
    this.clearTimer();
    this.end = end;
    this.peer?.close();
    this.peer = null;
    this.setState('ended');
    this.emit('ended', end);
  }

  private ended(): boolean {
    return this.current === 'ended';
  }

  private after(ms: number, what: () => void): void {
    this.clearTimer();
    this.timer = setTimeout(what, ms);
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private setState(state: CallState): void {
    if (this.current === state) return;
    this.current = state;
    this.emit('state', state);
  }
}
