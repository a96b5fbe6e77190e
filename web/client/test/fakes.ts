// Stand-ins for what browsers have and node has not: a WebSocket whose server is a function of the
// test, media streams, and an RTCPeerConnection that negotiates without a network.

import { vi } from 'vitest';

export type Message = Record<string, unknown> & { janus: string; transaction?: string };

export class FakeSocket {
  static all: FakeSocket[] = [];
  /** Called with each message that a client sends. */
  static onSend: (socket: FakeSocket, message: Message) => void = () => undefined;
  /** False: the server refuses connections. */
  static accepting = true;

  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Message[] = [];

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.all.push(this);
    queueMicrotask(() => {
      this.readyState = FakeSocket.accepting ? 1 : 3;
      if (FakeSocket.accepting) this.onopen?.();
      else this.onclose?.();
    });
  }

  static get last(): FakeSocket {
    return FakeSocket.all.at(-1) as FakeSocket;
  }

  send(text: string): void {
    const message = JSON.parse(text) as Message;
    this.sent.push(message);
    FakeSocket.onSend(this, message);
  }

  /** The server says something. */
  say(message: unknown): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  /** The network breaks. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  close(): void {
    this.readyState = 3;
  }
}

/** A server that creates, attaches, claims and acknowledges; a test adds plugin answers. */
export function serve(
  plugin: (body: Record<string, unknown>, jsep: unknown) => object | null = () => null,
): void {
  FakeSocket.onSend = (socket, message) => {
    const { transaction } = message;
    const answer = (body: object): void => socket.say({ ...body, transaction });
    switch (message.janus) {
      case 'create':
        return answer({ janus: 'success', data: { id: 7 } });
      case 'attach':
        return answer({ janus: 'success', data: { id: 70 } });
      case 'claim':
      case 'detach':
        return answer({ janus: 'success' });
      case 'message': {
        answer({ janus: 'ack' });
        const data = plugin(message.body as Record<string, unknown>, message.jsep);
        if (data) {
          answer({ janus: 'event', sender: 70, plugindata: { plugin: 'p', data } });
        }
        return;
      }
      default:
        return answer({ janus: 'ack' });
    }
  };
}

/** The plugin says something unasked. */
export function push(data: object, jsep?: object): void {
  FakeSocket.last.say({
    janus: 'event',
    sender: 70,
    plugindata: { plugin: 'p', data },
    ...(jsep ? { jsep } : {}),
  });
}

export class FakeTrack {
  enabled = true;
  stopped = false;
  height = 360;
  constructor(readonly kind: 'audio' | 'video') {}
  getSettings(): MediaTrackSettings {
    return this.kind === 'video' ? { height: this.height } : {};
  }
  stop(): void {
    this.stopped = true;
  }
}

export class FakeStream {
  readonly tracks: FakeTrack[] = [];
  getTracks(): FakeTrack[] {
    return this.tracks;
  }
  getAudioTracks(): FakeTrack[] {
    return this.tracks.filter((track) => track.kind === 'audio');
  }
  getVideoTracks(): FakeTrack[] {
    return this.tracks.filter((track) => track.kind === 'video');
  }
  addTrack(track: FakeTrack): void {
    this.tracks.push(track);
  }
}

export function fakeMedia(...kinds: ('audio' | 'video')[]): MediaStream {
  const stream = new FakeStream();
  for (const kind of kinds) stream.addTrack(new FakeTrack(kind));
  return stream as unknown as MediaStream;
}

interface FakeTransceiver {
  direction: string;
  sender: { track: FakeTrack | null; replaceTrack(track: FakeTrack | null): Promise<void> };
  receiver: { track: FakeTrack };
}

export class FakePeerConnection {
  static all: FakePeerConnection[] = [];
  static get last(): FakePeerConnection {
    return FakePeerConnection.all.at(-1) as FakePeerConnection;
  }

  signalingState = 'stable';
  connectionState = 'new';
  closed = false;
  localDescription: { type: string; sdp: string } | null = null;
  remoteDescription: { type: string; sdp: string } | null = null;
  readonly offers: object[] = [];
  readonly transceivers: FakeTransceiver[] = [];
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: { track: FakeTrack }) => void) | null = null;

  constructor() {
    FakePeerConnection.all.push(this);
  }

  addTransceiver(what: FakeTrack | string, { direction }: { direction: string }): void {
    const track = typeof what === 'string' ? null : what;
    const kind = (typeof what === 'string' ? what : what.kind) as 'audio' | 'video';
    const transceiver: FakeTransceiver = {
      direction,
      receiver: { track: new FakeTrack(kind) },
      sender: {
        track,
        replaceTrack(next) {
          this.track = next;
          return Promise.resolve();
        },
      },
    };
    this.transceivers.push(transceiver);
  }
  addTrack(track: FakeTrack): void {
    this.addTransceiver(track, { direction: 'sendrecv' });
  }
  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }
  getSenders(): FakeTransceiver['sender'][] {
    return this.transceivers.map((transceiver) => transceiver.sender);
  }

  createOffer(options: object = {}): Promise<object> {
    this.offers.push(options);
    return Promise.resolve({ type: 'offer', sdp: `offer ${this.offers.length}` });
  }
  createAnswer(): Promise<object> {
    return Promise.resolve({ type: 'answer', sdp: 'answer' });
  }
  setLocalDescription(description: { type: string; sdp: string }): Promise<void> {
    this.localDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
    return Promise.resolve();
  }
  setRemoteDescription(description: { type: string; sdp: string }): Promise<void> {
    this.remoteDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    return Promise.resolve();
  }
  addIceCandidate(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {
    this.closed = true;
  }

  // What a test makes happen.

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
  find(candidate: string | null): void {
    this.onicecandidate?.({
      candidate: candidate === null ? null : { toJSON: () => ({ candidate, sdpMid: '0' }) },
    });
  }
}

export function installFakes(): void {
  FakeSocket.all = [];
  FakeSocket.accepting = true;
  FakePeerConnection.all = [];
  serve();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('RTCPeerConnection', FakePeerConnection);
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('location', { href: 'http://localhost:8088/customer/' });
  vi.useFakeTimers();
}

export function removeFakes(): void {
  vi.useRealTimers();
  vi.unstubAllGlobals();
}

/** Lets everything that is due now happen. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
