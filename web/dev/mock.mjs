// A server to look at the pages without the real one: web/dist, the part of the Janus API that the
// pages use, and some past calls. It hands SDP and candidates from page to page, so calls between
// two tabs are real, but there is no media server and no recording. `npm run dev` starts it.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const CSP =
  "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; img-src 'self' data:";
const SESSION_MS = 10_000;

/** Starts it on loopback; port 0 picks a free one. Resolves with { url, close, state }. */
export async function startMock({ port = 0, calls = sampleCalls(Date.now()), key = '' } = {}) {
  const state = { calls, key, ready: true, sockets: new Set(), sessions: new Map() };
  const server = createServer((request, response) => {
    serve(state, request, response).catch(() => response.writeHead(500).end());
  });
  const sockets = new WebSocketServer({ server, path: '/janus' });
  sockets.on('connection', (socket) => speak(state, socket));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${server.address().port}`,
    state,
    close() {
      for (const session of state.sessions.values()) clearTimeout(session.timer);
      for (const socket of state.sockets) socket.terminate();
      server.close();
    },
  };
}

// HTTP

async function serve(state, request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/readyz') return void response.writeHead(state.ready ? 200 : 503).end();
  if (pathname.startsWith('/api/')) return api(state, request, response, pathname);
  if (pathname.startsWith('/janus')) return beacon(state, request, response, pathname);
  const file = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
  try {
    const body = await readFile(join(DIST, normalize(file)));
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': CSP }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

function api(state, request, response, pathname) {
  const json = (status, body) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  if (pathname === '/api/v1/ice-servers') return json(200, { iceServers: [], ttl: 3600 });
  if (state.key && request.headers.authorization !== `Bearer ${state.key}`) {
    return json(403, { error: { code: 403, reason: 'the agent key is needed' } });
  }
  if (pathname === '/api/calls') return json(200, { calls: state.calls });
  if (pathname.endsWith('/recording-link')) return json(200, { url: '/none.webm?sig=0' });
  return json(404, { error: { code: 404, reason: 'no such page' } });
}

/** Only what `navigator.sendBeacon` sends when a page goes away. */
function beacon(state, request, response, pathname) {
  const session = state.sessions.get(Number(pathname.split('/')[2]));
  if (request.method === 'POST' && session) end(state, session);
  response.writeHead(200).end('{}');
}

// The Janus API

let lastId = 1000;

function speak(state, socket) {
  state.sockets.add(socket);
  socket.on('close', () => {
    state.sockets.delete(socket);
    for (const session of state.sessions.values()) {
      if (session.socket === socket)
        session.timer = setTimeout(() => end(state, session), SESSION_MS);
    }
  });
  socket.on('message', (data) => take(state, socket, JSON.parse(String(data))));
}

function take(state, socket, message) {
  const { transaction } = message;
  const answer = (body) => socket.send(JSON.stringify({ ...body, transaction }));
  const success = (data) => answer({ janus: 'success', ...(data ? { data } : {}) });
  if (message.janus === 'create') {
    const session = { id: ++lastId, socket, handles: new Map(), timer: null };
    state.sessions.set(session.id, session);
    return success({ id: session.id });
  }
  const session = state.sessions.get(message.session_id);
  if (!session) return answer({ janus: 'error', error: { code: 458, reason: 'No such session' } });
  const handle = session.handles.get(message.handle_id);
  switch (message.janus) {
    case 'claim':
      clearTimeout(session.timer);
      session.socket = socket;
      return success();
    case 'attach': {
      const made = { id: ++lastId, session, name: '', peer: null };
      session.handles.set(made.id, made);
      return success({ id: made.id });
    }
    case 'destroy':
      end(state, session);
      return success();
    case 'detach':
      leave(session, handle);
      return success();
    case 'trickle':
      for (const candidate of message.candidates ?? [message.candidate]) {
        if (handle?.peer) push(handle.peer, { janus: 'trickle', candidate });
      }
      return answer({ janus: 'ack' });
    case 'message':
      answer({ janus: 'ack' });
      return videocall(state, handle, message);
    default:
      return answer({ janus: 'ack' });
  }
}

function videocall(state, handle, { body, jsep, transaction }) {
  const reply = (result) => event(handle, { result }, null, transaction);
  const refuse = (error_code, error) => event(handle, { error_code, error }, null, transaction);
  const all = [...state.sessions.values()].flatMap((session) => [...session.handles.values()]);
  switch (body.request) {
    case 'register':
      if (all.some((other) => other.name === body.username)) return refuse(476, 'Username taken');
      handle.name = body.username;
      return reply({ event: 'registered', username: body.username });
    case 'list':
      return reply({ list: all.map((other) => other.name).filter(Boolean) });
    case 'call': {
      const callee = all.find((other) => other.name === body.username);
      if (!callee) return refuse(478, 'No such username');
      if (callee.peer)
        return reply({ event: 'hangup', username: handle.name, reason: 'User busy' });
      [handle.peer, callee.peer] = [callee, handle];
      event(callee, { result: { event: 'incomingcall', username: handle.name } }, jsep);
      return reply({ event: 'calling' });
    }
    case 'accept':
      if (!handle.peer) return refuse(481, 'No call');
      event(handle.peer, { result: { event: 'accepted', username: handle.name } }, jsep);
      return reply({ event: 'accepted' });
    case 'set':
      if (jsep && handle.peer) event(handle.peer, { result: { event: 'update' } }, jsep);
      return reply({ event: 'set' });
    case 'hangup':
      part(handle, body.reason ?? 'We did the hangup');
      return reply({ event: 'hangup', username: handle.name, reason: 'Explicit hangup' });
  }
}

function part(handle, reason) {
  const peer = handle?.peer;
  if (!peer) return;
  handle.peer = peer.peer = null;
  event(peer, { result: { event: 'hangup', username: handle.name, reason } });
}

function leave(session, handle) {
  part(handle, 'Remote WebRTC hangup');
  session.handles.delete(handle?.id);
}

function end(state, session) {
  clearTimeout(session.timer);
  for (const handle of [...session.handles.values()]) leave(session, handle);
  state.sessions.delete(session.id);
}

function event(handle, data, jsep, transaction) {
  const plugindata = {
    plugin: 'janus.plugin.videocall',
    data: { videocall: 'event', ...data },
  };
  push(handle, {
    janus: 'event',
    plugindata,
    ...(jsep ? { jsep } : {}),
    ...(transaction ? { transaction } : {}),
  });
}

function push(handle, message) {
  const full = { ...message, session_id: handle.session.id, sender: handle.id };
  if (handle.session.socket.readyState === 1) handle.session.socket.send(JSON.stringify(full));
}

/** One past call of each kind, newest first. */
export function sampleCalls(now) {
  const call = (id, minutesAgo, seconds, recording, more = {}) => ({
    id: String(id),
    caller: `customer-${['k3x9', 'p0fd', 'm7ra', 'w2cs', 'q8bt', 'e5jh'][id % 6]}`,
    callee: ['agent:Ann', 'agent:Bert'][id % 2],
    started_ms: now - minutesAgo * 60_000,
    answered_ms: now - minutesAgo * 60_000 + 6000,
    ended_ms: now - minutesAgo * 60_000 + 6000 + seconds * 1000,
    duration_ms: seconds * 1000,
    end_reason: 'Hung up',
    recording: {
      state: 'none',
      progress: 0,
      error: null,
      bytes: null,
      duration_ms: null,
      url: null,
      ...recording,
    },
    ...more,
  });
  const url = '/api/calls/4/recording.webm';
  return [
    call(6, 2, 0, { state: 'recording' }, { ended_ms: null, duration_ms: null }),
    call(5, 9, 187, { state: 'processing', progress: 42 }),
    call(4, 31, 754, { state: 'ready', progress: 100, bytes: 48_300_000, url }),
    call(3, 55, 0, {}, { answered_ms: null, duration_ms: null, end_reason: 'Declined' }),
    call(2, 1470, 62, {
      state: 'failed',
      error: 'The disk was full: the last 12 s are missing.',
    }),
    call(1, 1600, 3723, { state: 'ready', progress: 100, bytes: 912_000, url }),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await startMock({ port: Number(process.env.PORT ?? 8090) });
  console.log(`The pages are at ${mock.url}/ (built by npm run build). Ctrl-C stops.`);
}
