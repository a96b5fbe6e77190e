// A client of the Janus API with nothing but data channels, as a page without a library would be. The
// tests call the functions of `window.data`; the server is the `server` parameter of the address.

const socket = new WebSocket(new URLSearchParams(location.search).get('server'), 'janus-protocol');
const waiting = new Map();
const channels = new Map(); // of the other side's making, by label
let session;
let handle;
let pc;
let onevent = () => {};

socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.janus === 'event') onevent(message.plugindata.data, message.jsep);
  if (message.janus !== 'ack') waiting.get(message.transaction)?.(message);
};

async function ask(request) {
  if (socket.readyState === WebSocket.CONNECTING) {
    await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  }
  const transaction = `t${waiting.size}`;
  const answer = new Promise((resolve) => waiting.set(transaction, resolve));
  socket.send(JSON.stringify({ ...request, transaction, session_id: session, handle_id: handle }));
  const message = await answer;
  if (message.janus === 'error') throw new Error(message.error.reason);
  return message;
}

async function attach(plugin) {
  session = (await ask({ janus: 'create' })).data.id;
  handle = (await ask({ janus: 'attach', plugin: `janus.plugin.${plugin}` })).data.id;
  pc = new RTCPeerConnection();
  pc.ondatachannel = ({ channel }) => keep(channel);
}

/** Notes what comes in: { label, messages, bytes, last }; `last` is a text, or a length and a sum. */
function keep(channel) {
  const heard = { channel, messages: 0, bytes: 0, last: null, unordered: 0, closed: false };
  channel.binaryType = 'arraybuffer';
  channel.onmessage = ({ data }) => {
    heard.messages++;
    if (typeof data === 'string') {
      heard.last = data;
      return;
    }
    const bytes = new Uint8Array(data);
    heard.bytes += bytes.length;
    heard.last = `${bytes.length} ${sum(bytes)}`;
    if (bytes.length >= 4)
      heard.unordered += new DataView(data).getUint32(0) !== heard.messages - 1;
  };
  channel.onclose = () => (heard.closed = true);
  channels.set(channel.label, heard);
  return heard;
}

function sum(bytes) {
  return bytes.reduce((total, byte, i) => (total + byte * ((i % 251) + 1)) % 1000003, 0);
}

function pattern(length) {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

async function offer(body) {
  await pc.setLocalDescription(await pc.createOffer());
  return ask({ janus: 'message', body, jsep: { ...pc.localDescription.toJSON(), trickle: false } });
}

async function gathered() {
  while (pc.iceGatheringState !== 'complete') {
    await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', resolve));
  }
}

async function until(so) {
  while (!so()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function opened(channel) {
  if (channel.readyState === 'open') return channel;
  return new Promise((resolve, reject) => {
    channel.addEventListener('open', () => resolve(channel));
    channel.addEventListener('close', () => reject(new Error(`${channel.label} was closed`)));
  });
}

window.data = {
  /** The echo test, with a first channel called `first`. */
  async echo() {
    await attach('echotest');
    const first = pc.createDataChannel('first');
    keep(first);
    const answer = await offer({ audio: true });
    await pc.setRemoteDescription(answer.jsep);
    await opened(first);
    return pc.sctp.maxMessageSize;
  },

  async register(username) {
    await attach('videocall');
    onevent = async ({ result }, jsep) => {
      if (result?.event === 'accepted' && jsep) await pc.setRemoteDescription(jsep);
      if (result?.event !== 'incomingcall') return;
      await pc.setRemoteDescription(jsep);
      await pc.setLocalDescription(await pc.createAnswer());
      await gathered();
      await ask({
        janus: 'message',
        body: { request: 'accept' },
        jsep: pc.localDescription.toJSON(),
      });
    };
    await ask({ janus: 'message', body: { request: 'register', username } });
  },

  async call(username) {
    const first = pc.createDataChannel('first');
    keep(first);
    await offer({ request: 'call', username });
    await opened(first);
  },

  /** Joins the demo room and sends on a channel of its own; resolves to its id there. */
  async publish() {
    await attach('videoroom');
    const joined = new Promise((resolve) => (onevent = resolve));
    await ask({
      janus: 'message',
      body: { request: 'join', ptype: 'publisher', room: 1234 },
    });
    const { id } = await joined;
    const first = pc.createDataChannel('first');
    keep(first);
    const answer = await offer({ request: 'publish' });
    await pc.setRemoteDescription(answer.jsep);
    await opened(first);
    return id;
  },

  async subscribe(feeds) {
    await attach('videoroom');
    const streams = feeds.map((feed) => ({ feed }));
    const { jsep } = await ask({
      janus: 'message',
      body: { request: 'join', ptype: 'subscriber', room: 1234, streams },
    });
    await pc.setRemoteDescription(jsep);
    await pc.setLocalDescription(await pc.createAnswer());
    await gathered();
    await ask({
      janus: 'message',
      body: { request: 'start' },
      jsep: pc.localDescription.toJSON(),
    });
    await until(() => pc.sctp?.state === 'connected');
  },

  async open(label, options) {
    const channel = pc.createDataChannel(label, options);
    keep(channel);
    await opened(channel);
  },

  say: (label, text) => channels.get(label).channel.send(text),
  sayBytes: (label, length) => channels.get(label).channel.send(pattern(length)),
  expected: (length) => `${length} ${sum(pattern(length))}`,

  /** `count` numbered messages of `size` bytes, as fast as the channel takes them. */
  async pour(label, count, size) {
    const { channel } = channels.get(label);
    let most = 0;
    channel.bufferedAmountLowThreshold = 256 * 1024;
    for (let i = 0; i < count; i++) {
      const bytes = new Uint8Array(size);
      new DataView(bytes.buffer).setUint32(0, i);
      channel.send(bytes);
      most = Math.max(most, channel.bufferedAmount);
      if (channel.bufferedAmount > 1024 * 1024) {
        await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
      }
    }
    return most;
  },

  heard(label) {
    const heard = channels.get(label);
    if (!heard) return null;
    const { messages, bytes, last, unordered, closed, channel } = heard;
    const { ordered, maxRetransmits, maxPacketLifeTime, protocol, readyState } = channel;
    return {
      ...{ messages, bytes, last, unordered, closed, readyState },
      ...{ ordered, maxRetransmits, maxPacketLifeTime, protocol },
    };
  },

  close: (label) => channels.get(label).channel.close(),
  end: () => pc.close(),
};
