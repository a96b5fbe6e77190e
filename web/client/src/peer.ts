// One RTCPeerConnection, with what a call needs around it: local tracks, the remote stream, perfect
// negotiation (RFC 8829 with the polite/impolite rule for offers that cross), and a verdict on the
// path. It decides nothing: it says `restart` when an ICE restart is due, and the call sends it.

import { Emitter } from './emitter.js';
import { HD_START_KBPS, withStartBitrate } from './sdp.js';

export type PeerState = 'connecting' | 'connected' | 'unstable';

export interface PeerEvents {
  state: PeerState;
  candidate: RTCIceCandidate | null;
  /** A remote track came; the stream is always the same object. */
  stream: MediaStream;
  /** The path is gone long enough: time for an ICE restart. Repeats until it is back. */
  restart: void;
}

/** A path that wobbles is left alone for this long. */
const DISCONNECTED_GRACE_MS = 2000;
const RESTART_AGAIN_MS = 8000;

export class Peer extends Emitter<PeerEvents> {
  readonly connection: RTCPeerConnection;
  readonly remoteStream = new MediaStream();
  private restartTimer: ReturnType<typeof setTimeout> | null = null;
  private makingOffer = false;
  private sendsHd = false;
  private current: PeerState = 'connecting';

  constructor(
    config: RTCConfiguration,
    private readonly polite: boolean,
  ) {
    super();
    this.connection = new RTCPeerConnection(config);
    this.connection.onicecandidate = (event) => this.emit('candidate', event.candidate);
    this.connection.onconnectionstatechange = () => this.pathChanged();
    this.connection.ontrack = (event) => {
      this.remoteStream.addTrack(event.track);
      this.emit('stream', this.remoteStream);
    };
    watchNetwork(true, this.onNetworkChange);
  }

  get state(): PeerState {
    return this.current;
  }

  /** An offer with one audio and one video section; a kind without a track is received only. */
  async firstOffer(local: MediaStream): Promise<RTCSessionDescriptionInit> {
    this.sendsHd = isHd(local);
    for (const kind of ['audio', 'video'] as const) {
      const track = local.getTracks().find((candidate) => candidate.kind === kind);
      this.connection.addTransceiver(track ?? kind, {
        direction: track ? 'sendrecv' : 'recvonly',
        ...(track ? { streams: [local] } : {}),
      });
    }
    return this.offer();
  }

  /** A new offer, e.g. with new ICE credentials. */
  async offer(options: RTCOfferOptions = {}): Promise<RTCSessionDescriptionInit> {
    this.makingOffer = true;
    try {
      await this.connection.setLocalDescription(await this.connection.createOffer(options));
    } finally {
      this.makingOffer = false;
    }
    return this.localDescription();
  }

  /** Takes the first offer and answers it with these tracks. */
  async firstAnswer(
    offer: RTCSessionDescriptionInit,
    local: MediaStream,
  ): Promise<RTCSessionDescriptionInit> {
    this.sendsHd = isHd(local);
    await this.setRemote(offer);
    for (const track of local.getTracks()) this.connection.addTrack(track, local);
    return this.answer();
  }

  /**
   * Takes what the other side sent. Resolves with the answer to send when that was an offer, null
   * when nothing is to be sent: an answer, or an offer that crossed ours and has to give way.
   */
  async take(remote: RTCSessionDescriptionInit): Promise<RTCSessionDescriptionInit | null> {
    const { signalingState } = this.connection;
    if (remote.type !== 'offer') {
      if (signalingState === 'have-local-offer') await this.setRemote(remote);
      return null;
    }
    const crossed = this.makingOffer || signalingState !== 'stable';
    if (crossed && !this.polite) return null;
    await this.setRemote(remote); // rolls our own offer back if there is one
    return this.answer();
  }

  async addRemoteCandidate(candidate: RTCIceCandidateInit | null): Promise<void> {
    if (!candidate) return;
    await this.connection.addIceCandidate(candidate).catch(() => undefined);
  }

  /** Sends another track of this kind, or none. True when that needs a new offer. */
  async replaceTrack(kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<boolean> {
    const transceiver = this.connection
      .getTransceivers()
      .find((candidate) => candidate.receiver.track.kind === kind);
    if (!transceiver) return false;
    await transceiver.sender.replaceTrack(track);
    const sends = transceiver.direction === 'sendrecv' || transceiver.direction === 'sendonly';
    if (!track || sends) return false;
    transceiver.direction = transceiver.direction === 'inactive' ? 'sendonly' : 'sendrecv';
    return true;
  }

  close(): void {
    watchNetwork(false, this.onNetworkChange);
    this.stopRestarting();
    this.connection.onicecandidate = null;
    this.connection.onconnectionstatechange = null;
    this.connection.ontrack = null;
    this.connection.close();
    this.removeAllListeners();
  }

  private setRemote(remote: RTCSessionDescriptionInit): Promise<void> {
    const told = this.sendsHd ? withStartBitrate(remote, HD_START_KBPS) : remote;
    return this.connection.setRemoteDescription(told);
  }

  private async answer(): Promise<RTCSessionDescriptionInit> {
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return this.localDescription();
  }

  private localDescription(): RTCSessionDescriptionInit {
    const { type, sdp } = this.connection.localDescription as RTCSessionDescription;
    return { type, sdp };
  }

  private pathChanged(): void {
    switch (this.connection.connectionState) {
      case 'connected':
        this.stopRestarting();
        return this.setState('connected');
      case 'disconnected':
        this.setState('unstable');
        return this.restartIn(DISCONNECTED_GRACE_MS);
      case 'failed':
        this.setState('unstable');
        return this.restartIn(0);
    }
  }

  private restartIn(ms: number): void {
    this.stopRestarting();
    this.restartTimer = setTimeout(() => {
      this.emit('restart', undefined);
      this.restartIn(RESTART_AGAIN_MS);
    }, ms);
  }

  private stopRestarting(): void {
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.restartTimer = null;
  }

  /** Another network: the old path is dead, even where ICE has not noticed yet. */
  private readonly onNetworkChange = (): void => {
    if (this.current !== 'connecting') this.restartIn(0);
  };

  private setState(state: PeerState): void {
    if (this.current === state) return;
    this.current = state;
    this.emit('state', state);
  }
}

const HD_HEIGHT = 720;

/** Large pictures, on a network that is not known to be slow. */
function isHd(local: MediaStream): boolean {
  const slow = /2g|3g/.test(networkConnection()?.effectiveType ?? '');
  return (
    !slow && local.getVideoTracks().some((one) => (one.getSettings().height ?? 0) >= HD_HEIGHT)
  );
}

/** What Network Information adds to `online`; `change` also fires for mere estimates. */
interface NetworkConnection extends EventTarget {
  type?: string;
  effectiveType?: string;
}

function networkConnection(): NetworkConnection | undefined {
  if (typeof navigator === 'undefined') return undefined;
  return (navigator as { connection?: NetworkConnection }).connection;
}

const networkListeners = new WeakMap<() => void, () => void>();

function watchNetwork(on: boolean, listener: () => void): void {
  if (typeof window === 'undefined') return;
  const connection = networkConnection();
  if (!on) {
    window.removeEventListener('online', listener);
    connection?.removeEventListener('change', networkListeners.get(listener) ?? null);
    return;
  }
  let type = connection?.type;
  const changed = (): void => {
    if (connection?.type === type) return;
    type = connection?.type;
    if (type !== 'none') listener();
  };
  networkListeners.set(listener, changed);
  window.addEventListener('online', listener);
  connection?.addEventListener('change', changed);
}
