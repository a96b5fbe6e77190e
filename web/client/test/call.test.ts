// Goal: every way through a call, each end with who and why, and a path that comes back.
// Method: a scripted videocall plugin and a peer connection without a network, virtual time.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Line, Session, nameTaken, type Call } from '../src/index.js';
import {
  FakePeerConnection,
  FakeSocket,
  type FakeStream,
  fakeMedia,
  installFakes,
  push,
  removeFakes,
  serve,
  settle,
} from './fakes.js';

beforeEach(installFakes);
afterEach(removeFakes);

type Answers = Record<string, object>;

const RESULTS: Answers = {
  register: { result: { event: 'registered' } },
  call: { result: { event: 'calling' } },
  accept: { result: { event: 'accepted' } },
  set: { result: { event: 'set' } },
  hangup: { result: { event: 'hangup', reason: 'Explicit hangup' } },
};

async function openLine(answers: Answers = {}): Promise<Line> {
  serve(({ request }) => ({ ...RESULTS, ...answers })[request as string] ?? null);
  const session = new Session({ transports: ['websocket'] });
  const connecting = session.connect();
  await settle();
  await connecting;
  return Line.open(session, 'customer-1');
}

function sent(request: string): Record<string, unknown>[] {
  return FakeSocket.all
    .flatMap((socket) => socket.sent)
    .filter((message) => (message.body as { request?: string } | undefined)?.request === request);
}

async function ringing(answers: Answers = {}, options = {}): Promise<Call> {
  const line = await openLine(answers);
  Object.assign((line as unknown as { options: object }).options, options);
  const call = line.dial('agent:Ann', fakeMedia('audio', 'video'));
  await settle();
  return call;
}

async function answered(): Promise<Call> {
  const call = await ringing();
  push({ result: { event: 'accepted', username: 'agent:Ann' } }, { type: 'answer', sdp: 'a' });
  await settle();
  return call;
}

async function up(): Promise<Call> {
  const call = await answered();
  FakePeerConnection.last.become('connected');
  return call;
}

describe('registering', () => {
  it('tells a name that is taken from other refusals', async () => {
    const taken = { error_code: 476, error: 'Username taken' };
    const error: unknown = await openLine({ register: taken }).catch((thrown: unknown) => thrown);
    expect(nameTaken(error)).toBe(true);
    expect(nameTaken(new Error('no'))).toBe(false);
  });

  it('lists names and leaves out what is none', async () => {
    const line = await openLine({ list: { result: { list: ['agent:Ann', 5, null, 'bob'] } } });
    expect(await line.list()).toEqual(['agent:Ann', 'bob']);
  });
});

describe('an outgoing call', () => {
  it('offers, rings, connects', async () => {
    const line = await openLine();
    const call = line.dial('agent:Ann', fakeMedia('audio', 'video'));
    const states: string[] = [];
    call.on('state', (state) => states.push(state));
    await settle();
    expect(sent('call')[0]).toMatchObject({
      body: { username: 'agent:Ann' },
      jsep: { type: 'offer', sdp: 'offer 1' },
    });
    push({ result: { event: 'accepted' } }, { type: 'answer', sdp: 'a' });
    await settle();
    expect(FakePeerConnection.last.remoteDescription?.sdp).toBe('a');
    FakePeerConnection.last.become('connected');
    expect(states).toEqual(['ringing', 'connecting', 'connected']);
    expect(call.answeredAt).not.toBeNull();
  });

  it('begins HD at a rate that is enough for it', async () => {
    const line = await openLine();
    const media = fakeMedia('audio', 'video');
    (media as unknown as FakeStream).getVideoTracks().forEach((track) => (track.height = 720));
    line.dial('agent:Ann', media);
    await settle();
    push({ result: { event: 'accepted' } }, { type: 'answer', sdp: 'a=rtpmap:96 VP8/90000\r\n' });
    await settle();
    expect(FakePeerConnection.last.remoteDescription?.sdp).toBe(
      'a=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1000\r\n',
    );
  });

  it('sends candidates after the offer only', async () => {
    const setLocal = FakePeerConnection.prototype.setLocalDescription;
    vi.spyOn(FakePeerConnection.prototype, 'setLocalDescription').mockImplementation(function (
      this: FakePeerConnection,
      description,
    ) {
      this.find('early');
      return setLocal.call(this, description);
    });
    const line = await openLine();
    line.dial('agent:Ann', fakeMedia('audio'));
    await vi.advanceTimersByTimeAsync(20);
    FakePeerConnection.last.find('late');
    FakePeerConnection.last.find(null);
    await vi.advanceTimersByTimeAsync(20);
    const order = FakeSocket.last.sent.map((message) =>
      message.janus === 'message' ? (message.body as { request: string }).request : message.janus,
    );
    expect(order).toEqual(['create', 'attach', 'register', 'call', 'trickle', 'trickle']);
    expect(FakeSocket.last.sent[4]).toMatchObject({ candidate: { candidate: 'early' } });
  });

  it('receives video only when there is no camera', async () => {
    const line = await openLine();
    line.dial('agent:Ann', fakeMedia('audio'));
    await settle();
    const directions = FakePeerConnection.last.transceivers.map(({ direction }) => direction);
    expect(directions).toEqual(['sendrecv', 'recvonly']);
  });

  it.each([
    ['busy', { call: { result: { event: 'hangup', reason: 'User busy' } } }, 'remote'],
    ['unavailable', { call: { error_code: 478, error: 'No such username' } }, 'network'],
    ['failed', { call: { error_code: 482, error: 'Missing SDP' } }, 'network'],
  ])('ends as %s', async (code, answers, by) => {
    const call = await ringing(answers as Answers);
    expect(call.end).toMatchObject({ code, by });
    expect(FakePeerConnection.last.closed).toBe(true);
  });

  it('ends as declined', async () => {
    const call = await ringing();
    push({ result: { event: 'hangup', username: 'agent:Ann', reason: 'Declined' } });
    expect(call.end).toMatchObject({ code: 'declined', by: 'remote' });
  });

  it('ends as not answered after the time it may ring', async () => {
    const call = await ringing({}, { ringMs: 5000 });
    await vi.advanceTimersByTimeAsync(5000);
    expect(call.end).toMatchObject({ code: 'no-answer', by: 'local' });
    expect(sent('hangup')).toHaveLength(1);
  });

  it('can be cancelled, and the next call waits until the server knows', async () => {
    const call = await ringing();
    call.hangup();
    expect(call.end).toMatchObject({ code: 'cancelled', by: 'local' });
    await call.finished;
    expect(sent('hangup')[0]).toMatchObject({ body: { reason: 'Cancelled' } });
  });

  it('ends when no path is found in time', async () => {
    const call = await answered();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.end).toMatchObject({ code: 'connection-lost', by: 'network' });
  });

  it('takes the farewell of the call before for what it is', async () => {
    const call = await ringing();
    FakeSocket.last.say({ janus: 'hangup', sender: 70, reason: 'Close PC' });
    expect(call.state).toBe('ringing');
  });
});

describe('an incoming call', () => {
  const OFFER = { type: 'offer', sdp: 'o' };

  async function incoming(answers: Answers = {}): Promise<Call> {
    const line = await openLine(answers);
    const calls: Call[] = [];
    line.on('incoming', (call) => calls.push(call));
    push({ result: { event: 'incomingcall', username: 'customer-9' } }, OFFER);
    expect(calls).toHaveLength(1);
    return calls[0] as Call;
  }

  it('is accepted with an answer', async () => {
    const call = await incoming();
    expect(call).toMatchObject({ peerName: 'customer-9', state: 'incoming' });
    await call.accept(fakeMedia('audio', 'video'));
    expect(sent('accept')[0]).toMatchObject({ jsep: { type: 'answer' } });
    FakePeerConnection.last.become('connected');
    expect(call.state).toBe('connected');
  });

  it('is declined with a reason', async () => {
    const call = await incoming();
    call.decline();
    expect(sent('hangup')[0]).toMatchObject({ body: { reason: 'Declined' } });
    expect(call.end).toMatchObject({ code: 'declined', by: 'local' });
  });

  it('ends as cancelled when the caller gives up, also in the middle of accepting', async () => {
    const call = await incoming();
    push({ result: { event: 'hangup', reason: 'Cancelled' } });
    expect(call.end).toMatchObject({ code: 'cancelled', by: 'remote' });
    const late = await incoming({ accept: { error_code: 481, error: 'No call' } });
    await late.accept(fakeMedia('audio'));
    expect(late.end).toMatchObject({ code: 'cancelled', by: 'remote' });
  });
});

describe('a call that is up', () => {
  it('ends when either side hangs up', async () => {
    const mine = await up();
    mine.hangup();
    expect(mine.end).toMatchObject({ code: 'hung-up', by: 'local' });
    const theirs = await up();
    push({ result: { event: 'hangup', reason: 'Hung up' } });
    expect(theirs.end).toMatchObject({ code: 'hung-up', by: 'remote' });
  });

  it('says that the other side’s connection broke', async () => {
    const call = await up();
    push({ result: { event: 'hangup', reason: 'Remote WebRTC hangup' } });
    expect(call.end).toMatchObject({ code: 'peer-gone' });
  });

  it('mutes the track and tells the server', async () => {
    const call = await up();
    call.setSending('audio', false);
    const sender = FakePeerConnection.last.getSenders()[0];
    expect(sender?.track?.enabled).toBe(false);
    expect(sent('set')[0]).toMatchObject({ body: { audio: false } });
    call.setSending('audio', true);
    expect(sender?.track?.enabled).toBe(true);
    expect(sent('set')[1]).toMatchObject({ body: { audio: true } });
  });

  it('leaves a short wobble alone', async () => {
    const call = await up();
    FakePeerConnection.last.become('disconnected');
    expect(call.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1900);
    FakePeerConnection.last.become('connected');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.state).toBe('connected');
    expect(sent('set')).toHaveLength(0);
  });

  it('restarts ICE when the path is gone for 2 s', async () => {
    const call = await up();
    FakePeerConnection.last.become('disconnected');
    await vi.advanceTimersByTimeAsync(2000);
    expect(FakePeerConnection.last.offers.at(-1)).toEqual({ iceRestart: true });
    expect(sent('set')[0]).toMatchObject({ jsep: { type: 'offer', sdp: 'offer 2' } });
    push({ result: { event: 'update' } }, { type: 'answer', sdp: 'restarted' });
    await settle();
    expect(FakePeerConnection.last.remoteDescription?.sdp).toBe('restarted');
    FakePeerConnection.last.become('connected');
    expect(call.state).toBe('connected');
  });

  it('gives a path up that does not come back', async () => {
    const call = await up();
    FakePeerConnection.last.become('failed');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(call.end).toMatchObject({ code: 'connection-lost', by: 'network' });
    expect(sent('set').length).toBeGreaterThan(2);
  });

  it('answers an update of the other side', async () => {
    await up();
    push({ result: { event: 'update' } }, { type: 'offer', sdp: 'theirs' });
    await settle();
    expect(sent('set')[0]).toMatchObject({ jsep: { type: 'answer' } });
  });

  it('as the caller ignores an offer that crosses its own', async () => {
    await up();
    FakePeerConnection.last.become('failed');
    await vi.advanceTimersByTimeAsync(1);
    push({ result: { event: 'update' } }, { type: 'offer', sdp: 'theirs' });
    await settle();
    expect(sent('set').map((message) => (message.jsep as { type: string }).type)).toEqual([
      'offer',
    ]);
  });

  it('ends when the session is lost', async () => {
    const call = await up();
    FakeSocket.last.say({ janus: 'timeout' });
    expect(call.end).toMatchObject({ code: 'connection-lost', by: 'network' });
  });

  it('sends another camera without a new offer, a first one with it', async () => {
    const call = await up();
    const [other] = fakeMedia('video').getVideoTracks();
    await call.replaceTrack('video', other ?? null);
    expect(sent('set')).toHaveLength(0);
    expect(FakePeerConnection.last.transceivers[1]?.sender.track).toBe(other);
    const transceiver = FakePeerConnection.last.transceivers[1];
    if (transceiver) transceiver.direction = 'recvonly';
    await call.replaceTrack('video', other ?? null);
    await settle();
    expect(sent('set')).toHaveLength(1);
  });
});
