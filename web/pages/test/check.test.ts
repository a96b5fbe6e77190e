// Goal: the check goes through its steps in order, tells what is not offered from what fails, can be
// stopped at any point, and never leaves media or a session open.

import { expect, it, vi } from 'vitest';
import type { Session } from '@tring/client';
import { NetworkCheck, STEPS, echoList, type CheckTools } from '../diag/check.js';
import { emptyEcho, runEcho, summarise } from '../diag/echo.js';
import type { EchoSample, Gathering } from '../diag/findings.js';
import { addGatherError, gather } from '../diag/gather.js';
import { planWays, relayTargets } from '../diag/ways.js';

const GATHERED: Gathering = {
  candidates: [
    {
      atMs: 1,
      server: null,
      candidate: {
        type: 'host',
        protocol: 'udp',
        tcpType: null,
        relayProtocol: null,
        address: '10.0.0.1',
        port: 1,
        priority: 1,
        component: 1,
        foundation: '1',
        relatedAddress: null,
        relatedPort: null,
      },
    },
  ],
  errors: [],
  ms: 5,
  complete: true,
};
const TURN = { urls: ['turn:t?transport=udp', 'turns:t'], username: 'u', credential: 'c' };

function rig(changes: Partial<CheckTools> = {}) {
  const close = vi.fn(() => Promise.resolve());
  const stopMedia = vi.fn();
  const tools: CheckTools = {
    openSession: async () => ({ transportKind: 'websocket', close }) as unknown as Session,
    fetchServers: async () => [TURN],
    makeMedia: () => ({ stream: {} as MediaStream, stop: stopMedia }),
    gather: async () => GATHERED,
    echo: async ({ way, offered }) => ({
      ...emptyEcho(way),
      state: offered ? 'passed' : 'not-offered',
    }),
    ...changes,
  };
  return { check: new NetworkCheck(tools), close, stopMedia };
}

it('runs every step and says what the server does not offer', async () => {
  const { check, close, stopMedia } = rig();
  const running: string[] = [];
  check.on('change', ({ steps }) => {
    const step = STEPS.find((id) => steps[id] === 'running');
    if (step && running.at(-1) !== step) running.push(step);
  });
  await check.run();
  expect(running).toEqual(STEPS);
  expect(check.state).toMatchObject({ running: false, finished: true });
  expect(check.state.steps).toEqual({
    server: 'passed',
    candidates: 'passed',
    udp: 'passed',
    tcp: 'passed',
    'relay-udp': 'passed',
    'relay-tcp': 'not-offered',
    'relay-tls': 'passed',
  });
  expect(echoList(check.state).map(({ way }) => way)).toEqual(STEPS.slice(2));
  expect(close).toHaveBeenCalledOnce();
  expect(stopMedia).toHaveBeenCalledOnce();
});

it('still looks for candidates when the server cannot be reached', async () => {
  const { check, stopMedia } = rig({ openSession: () => Promise.reject(new Error('gone')) });
  await check.run();
  expect(check.state.signalling).toMatchObject({ ok: false, error: 'gone' });
  expect(check.state.steps).toMatchObject({
    server: 'failed',
    candidates: 'passed',
    udp: 'skipped',
  });
  expect(check.state.finished).toBe(true);
  expect(stopMedia).toHaveBeenCalledOnce();
});

it('goes on without ICE servers, and with a browser that cannot gather', async () => {
  const { check } = rig({
    fetchServers: () => Promise.reject(new Error('500')),
    gather: () => Promise.reject(new Error('no')),
  });
  await check.run();
  expect(check.state.steps).toMatchObject({
    candidates: 'failed',
    udp: 'passed',
    'relay-udp': 'skipped',
  });
});

it('can be stopped in the middle, and run again', async () => {
  const { check, close, stopMedia } = rig({
    echo: (plan, _session, _media, _progress, signal) =>
      plan.way === 'tcp'
        ? new Promise((resolve) =>
            signal.addEventListener('abort', () => resolve(emptyEcho('tcp')), { once: true }),
          )
        : Promise.resolve({ ...emptyEcho(plan.way), state: 'passed' }),
  });
  const run = check.run();
  await vi.waitFor(() => expect(check.state.steps.tcp).toBe('running'));
  check.stop();
  await run;
  expect(check.state).toMatchObject({ running: false, finished: false });
  expect(check.state.steps).toMatchObject({
    udp: 'passed',
    tcp: 'skipped',
    'relay-udp': 'waiting',
  });
  expect(close).toHaveBeenCalledOnce();
  expect(stopMedia).toHaveBeenCalledOnce();
  const again = check.run();
  await vi.waitFor(() => expect(check.state.steps.tcp).toBe('running'));
  check.stop();
  await again;
  expect(stopMedia).toHaveBeenCalledTimes(2);
});

it('plans each way so that the browser can go that way alone', () => {
  const plans = planWays([{ urls: 'stun:s' }, TURN]);
  const plan = (way: string) => plans.find((one) => one.way === way);
  expect(plan('udp')?.config.iceServers).toEqual([]);
  expect(plan('tcp')?.keep({ protocol: 'udp' })).toBe(false);
  expect(plan('relay-tls')?.config).toEqual({
    iceServers: [{ ...TURN, urls: ['turns:t'] }],
    iceTransportPolicy: 'relay',
  });
  expect(plan('relay-tcp')?.offered).toBe(false);
});

it('says what a relay is reached at', () => {
  const urls = ['turn:a', 'turns:b?transport=tcp', 'turn:[2001:db8::1]:443?transport=tcp'];
  expect(relayTargets({ iceServers: [{ urls }] })).toEqual([
    'a:3478',
    'b:5349',
    '[2001:db8::1]:443',
  ]);
  expect(relayTargets({})).toEqual([]);
});

it('counts the errors of one server once', () => {
  const event = { url: 'turn:a', errorCode: 701, errorText: 'x' };
  let errors = addGatherError([], event, 5);
  errors = addGatherError(errors, event, 9);
  errors = addGatherError(errors, { ...event, errorCode: 401 }, 9);
  expect(errors.map(({ code, count, atMs }) => [code, count, atMs])).toEqual([
    [701, 2, 5],
    [401, 1, 9],
  ]);
  for (let i = 0; i < 100; i++) errors = addGatherError(errors, { ...event, url: String(i) }, 1);
  expect(errors.length).toBe(50);
});

class FakeConnection {
  onicecandidate: ((event: unknown) => void) | null = null;
  onicecandidateerror: ((event: unknown) => void) | null = null;
  onicegatheringstatechange: (() => void) | null = null;
  iceGatheringState = 'gathering';
  closed = false;
  createDataChannel(): void {}
  createOffer = async () => ({});
  setLocalDescription = async () => undefined;
  close(): void {
    this.closed = true;
  }
}

it('gathers until the browser is done, or the time is up', async () => {
  const fake = new FakeConnection();
  const steps: Gathering[] = [];
  const options = {
    servers: [],
    progress: (step: Gathering) => steps.push(step),
    signal: new AbortController().signal,
    makeConnection: () => fake as unknown as RTCPeerConnection,
  };
  const done = gather(options);
  await Promise.resolve();
  const candidate = 'candidate:1 1 udp 5 203.0.113.7 5 typ srflx';
  fake.onicecandidate?.({ candidate: { candidate }, url: 'stun:s' });
  fake.onicecandidate?.({ candidate: { candidate: '' } });
  fake.onicecandidate?.({ candidate: null });
  fake.onicecandidateerror?.({ url: 'turn:a', errorCode: 701, errorText: '' });
  await new Promise((resolve) => setTimeout(resolve, 0));
  fake.iceGatheringState = 'complete';
  fake.onicegatheringstatechange?.();
  const result = await done;
  expect(result).toMatchObject({ complete: true, errors: [{ code: 701 }] });
  expect(result.candidates).toMatchObject([{ server: 'stun:s', candidate: { type: 'srflx' } }]);
  expect(steps.length).toBe(3);
  expect(fake.closed).toBe(true);

  const slow = await gather({
    ...options,
    limitMs: 5,
    makeConnection: () => new FakeConnection() as never,
  });
  expect(slow.complete).toBe(false);
});

it('tells a relay that nobody reaches from a way that is blocked', async () => {
  const answer = 'a=candidate:1 1 udp 1 192.0.2.1 10000 typ host\r\n';
  const handle = {
    trickle: () => undefined,
    message: async () => ({ jsep: { type: 'answer', sdp: `v=0\r\nm=audio 9 X 0\r\n${answer}` } }),
    detach: async () => undefined,
  };
  class Silent {
    connectionState = 'connecting';
    iceGatheringState = 'gathering';
    localDescription = { type: 'offer', sdp: 'v=0\r\n' };
    constructor(private readonly config: RTCConfiguration) {}
    getConfiguration = () => this.config;
    createOffer = async () => this.localDescription;
    setLocalDescription = async () => undefined;
    setRemoteDescription = async () => undefined;
    close = () => undefined;
  }
  vi.stubGlobal('RTCPeerConnection', Silent);
  vi.useFakeTimers();
  try {
    const [direct, , relay] = planWays([TURN]).map((plan) =>
      runEcho(plan, {
        session: { attach: async () => handle } as unknown as Session,
        media: { getTracks: () => [] } as unknown as MediaStream,
        progress: () => undefined,
        signal: new AbortController().signal,
      }),
    );
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await direct!).failure).toBe('no-path');
    expect((await relay!).failure).toBe('no-relay');
  } finally {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  }
});

it('sums a run up: the better rates, medians of times', () => {
  const sample = (rttMs: number, upKbps: number): EchoSample => ({
    atMs: 0,
    rttMs,
    lossPct: 1,
    jitterMs: null,
    upKbps,
    downKbps: upKbps,
  });
  expect(summarise([sample(20, 0), sample(500, 100), sample(21, 900), sample(22, 1100)])).toEqual({
    rttMs: 22,
    lossPct: 1,
    jitterMs: null,
    upKbps: 1100,
    downKbps: 1100,
  });
  expect(summarise([]).rttMs).toBeNull();
});
