// Goal: a session finds its transport, matches answers to requests, stays alive, and comes back.
// Method: a scripted WebSocket and fetch, virtual time.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionError, JanusError, PluginError, Session } from '../src/index.js';
import { FakeSocket, installFakes, push, removeFakes, serve, settle } from './fakes.js';

beforeEach(installFakes);
afterEach(removeFakes);

async function connected(options = {}): Promise<Session> {
  const session = new Session({ transports: ['websocket'], ...options });
  const done = session.connect();
  await settle();
  await done;
  return session;
}

describe('connecting', () => {
  it('opens a WebSocket of the right address and sub-protocol and creates a session', async () => {
    const session = await connected();
    expect(FakeSocket.last.url).toBe('ws://localhost:8088/janus');
    expect(FakeSocket.last.protocol).toBe('janus-protocol');
    expect(session.id).toBe(7);
    expect(session.state).toBe('connected');
  });

  it('sends token and secret with each request', async () => {
    await connected({ token: 'abc', apiSecret: 'xyz' });
    expect(FakeSocket.last.sent[0]).toMatchObject({ token: 'abc', apisecret: 'xyz' });
  });

  it('rejects with the code of the Janus API when the server refuses', async () => {
    FakeSocket.onSend = (socket, { transaction }) =>
      socket.say({ janus: 'error', transaction, error: { code: 472, reason: 'draining' } });
    const session = new Session({ transports: ['websocket'] });
    const done = expect(session.connect()).rejects.toMatchObject({ code: 'janus-472' });
    await settle();
    await done;
    expect(session.state).toBe('closed');
  });

  it('goes over to the long poll when no WebSocket opens', async () => {
    FakeSocket.accepting = false;
    const calls: string[] = [];
    vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
      calls.push(`${init.method ?? 'GET'} ${url.replace(/\?.*/, '')}`);
      if (url.includes('maxev')) return new Promise(() => undefined);
      const { transaction } = JSON.parse((init.body as string | undefined) ?? '{}') as {
        transaction?: string;
      };
      return new Response(JSON.stringify({ janus: 'success', transaction, data: { id: 9 } }));
    });
    const session = new Session();
    const done = session.connect();
    await settle();
    await done;
    expect(session.transportKind).toBe('http');
    expect(calls).toEqual([
      'GET http://localhost:8088/janus/ping',
      'POST http://localhost:8088/janus',
      'GET http://localhost:8088/janus/9',
    ]);
  });

  it('says unreachable when nothing answers', async () => {
    FakeSocket.accepting = false;
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused')));
    const done = expect(new Session().connect()).rejects.toMatchObject({ code: 'unreachable' });
    await settle();
    await done;
  });
});

describe('requests', () => {
  it('resolves a message with the event of the same transaction, not with the ack', async () => {
    serve(({ request }) => ({ result: { event: request } }));
    const session = await connected();
    const handle = await session.attach('janus.plugin.echotest');
    const answer = await handle.message({ request: 'hello' });
    expect(answer.data).toEqual({ result: { event: 'hello' } });
  });

  it('rejects with the plugin’s code when the plugin refuses', async () => {
    serve(() => ({ error_code: 476, error: 'Username taken' }));
    const handle = await (await connected()).attach('p');
    const error: unknown = await handle.message({}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PluginError);
    expect(error).toMatchObject({ code: 'plugin-476', pluginCode: 476, message: 'Username taken' });
  });

  it('hands what the plugin says unasked to the handle it is for', async () => {
    const handle = await (await connected()).attach('p');
    const heard: unknown[] = [];
    handle.on('event', ({ data, jsep }) => heard.push(data, jsep));
    push({ result: 1 }, { type: 'offer', sdp: 's' });
    FakeSocket.last.say({ janus: 'event', sender: 71, plugindata: { data: { result: 2 } } });
    expect(heard).toEqual([{ result: 1 }, { type: 'offer', sdp: 's' }]);
  });

  it('drops what is no message', async () => {
    const session = await connected();
    for (const rubbish of ['', '{', '[]', '[1,null]', '"x"', '{"janus":5}', '{}']) {
      FakeSocket.last.say(rubbish);
    }
    expect(session.state).toBe('connected');
  });

  it('sends candidates that appear together in one message', async () => {
    const handle = await (await connected()).attach('p');
    const candidate = (text: string): RTCIceCandidate =>
      ({ toJSON: () => ({ candidate: text }) }) as unknown as RTCIceCandidate;
    handle.trickle(candidate('a'));
    handle.trickle(candidate('b'));
    handle.trickle(null);
    await vi.advanceTimersByTimeAsync(20);
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({
      janus: 'trickle',
      handle_id: 70,
      candidates: [{ candidate: 'a' }, { candidate: 'b' }, { completed: true }],
    });
  });

  it('times out', async () => {
    const session = await connected({ requestTimeoutMs: 1000 });
    FakeSocket.onSend = () => undefined;
    const done = expect(session.attach('p')).rejects.toMatchObject({ code: 'timeout' });
    await vi.advanceTimersByTimeAsync(1000);
    await done;
  });
});

describe('staying alive', () => {
  it('sends a keepalive every 25 s', async () => {
    await connected();
    await vi.advanceTimersByTimeAsync(51_000);
    const kept = FakeSocket.last.sent.filter((message) => message.janus === 'keepalive');
    expect(kept).toHaveLength(2);
    expect(kept[0]).toMatchObject({ session_id: 7 });
  });

  it('claims the session on a new socket, and what waited is sent then', async () => {
    const session = await connected();
    const states: string[] = [];
    session.on('state', (state) => states.push(state));
    const first = FakeSocket.last;
    first.drop();
    expect(session.state).toBe('reconnecting');
    const attach = session.attach('p');
    await vi.advanceTimersByTimeAsync(1100);
    expect((await attach).id).toBe(70);
    expect(FakeSocket.last).not.toBe(first);
    expect(FakeSocket.last.sent.map((message) => message.janus)).toEqual(['claim', 'attach']);
    expect(states).toEqual(['reconnecting', 'connected']);
  });

  it('fails a request whose answer the break swallowed', async () => {
    const session = await connected();
    FakeSocket.onSend = () => undefined;
    const done = expect(session.attach('p')).rejects.toMatchObject({ code: 'connection-lost' });
    FakeSocket.last.drop();
    await done;
  });

  it('keeps waiting for the event of a request that was acknowledged', async () => {
    const handle = await (await connected()).attach('p');
    let transaction: string | undefined;
    const claim = FakeSocket.onSend;
    FakeSocket.onSend = (socket, message) => {
      if (message.janus !== 'message') return claim(socket, message);
      transaction = message.transaction;
      socket.say({ janus: 'ack', transaction });
    };
    const answer = handle.message({ request: 'slow' });
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(1100);
    FakeSocket.last.say({
      janus: 'event',
      transaction,
      sender: 70,
      plugindata: { data: { late: true } },
    });
    expect((await answer).data).toEqual({ late: true });
  });

  it('tries again with growing pauses, and gives up after the time that was set', async () => {
    const session = await connected({ reconnectMs: 20_000 });
    const closed = vi.fn();
    session.on('closed', closed);
    FakeSocket.accepting = false;
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(closed).toHaveBeenCalledOnce();
    expect(closed.mock.calls[0]?.[0]).toMatchObject({ code: 'session-lost' });
    const attempts = FakeSocket.all.length - 1;
    expect(attempts).toBeGreaterThan(3);
    expect(attempts).toBeLessThan(9);
  });

  it('is lost when the server does not know it any more', async () => {
    const session = await connected();
    const closed = vi.fn();
    session.on('closed', closed);
    FakeSocket.onSend = (socket, { transaction }) =>
      socket.say({ janus: 'error', transaction, error: { code: 458, reason: 'No such session' } });
    FakeSocket.last.drop();
    await vi.advanceTimersByTimeAsync(1100);
    expect(closed.mock.calls[0]?.[0]).toMatchObject({ code: 'session-lost' });
  });

  it('ends with its handles when the server says that it timed out', async () => {
    const session = await connected();
    const handle = await session.attach('p');
    const detached = vi.fn();
    handle.on('detached', detached);
    FakeSocket.last.say({ janus: 'timeout', session_id: 7 });
    expect(session.state).toBe('closed');
    expect(detached).toHaveBeenCalledOnce();
    await expect(handle.message({})).rejects.toBeInstanceOf(ConnectionError);
  });

  it('destroys itself when it is closed', async () => {
    const session = await connected();
    await session.close();
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({ janus: 'destroy', session_id: 7 });
    expect(session.state).toBe('closed');
  });
});

it('has an error class for each kind of refusal', () => {
  expect(new JanusError(458, 'gone')).toMatchObject({ name: 'JanusError', retryable: false });
});
