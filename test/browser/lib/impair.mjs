// A bad network between a page and the server: the candidates that the page is told lead to a proxy
// (test/impair), those that it tells lead nowhere, so that there is no way around.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './process.mjs';
import { until } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function program() {
  const path = process.env.IMPAIR_BIN ?? join(ROOT, 'build/release/test/impair/tring-impair');
  if (!existsSync(path)) throw new Error(`${path} is not built; IMPAIR_BIN names another`);
  return path;
}

/** Proxies to all addresses of one server, with the same conditions. */
export class Impairment {
  constructor(t) {
    this.proxies = new Map();
    this.lines = [];
    t.atEnd(() => this.stop());
  }

  /** Lets a page of playwright, which is not open yet, see the server behind the bad network. */
  async between(page) {
    await page.exposeFunction('testProxyOf', (address) => this.portFor(address));
    await page.addInitScript(goThroughProxies);
  }

  async portFor(address) {
    if (!this.proxies.has(address)) this.proxies.set(address, this.start(address));
    return (await this.proxies.get(address)).port;
  }

  async start(address) {
    const proxy = new Child(program(), [address], {}, { stdin: 'pipe' });
    const said = await proxy.says(/^listening on \d+$/);
    proxy.port = Number(said.split(' ')[2]);
    for (const line of this.lines) await tell(proxy, line);
    return proxy;
  }

  /** Conditions as in test/impair/impair.h, e.g. 'down rate_kbps 200'. */
  async set(line) {
    this.lines.push(line);
    for (const proxy of this.proxies.values()) await tell(await proxy, line);
  }

  async stop() {
    for (const proxy of this.proxies.values()) {
      (await proxy).process.stdin.end();
      await (
        await proxy
      ).exited;
    }
  }
}

async function tell(proxy, line) {
  const answers = proxy.lines.length;
  proxy.process.stdin.write(`${line}\n`);
  const answer = await until('an answer of the proxy', () => proxy.lines[answers], { every: 5 });
  if (answer !== 'ok') throw new Error(`${line}: ${answer}`);
}

/**
 * Runs in the page: each UDP candidate of the server becomes that of its proxy, others go; its own
 * are at a port where nobody is.
 */
function goThroughProxies() {
  const UDP = /^(a=)?candidate:\S+ \d+ udp \d+ (\S+) (\d+) typ/i;
  const rewrite = async (line) => {
    const match = UDP.exec(line);
    if (!match) return /^(a=)?candidate:/.test(line) ? '' : line;
    const [, , ip, port] = match;
    if (ip.includes(':')) return ''; // the proxy speaks IPv4
    return line.replace(`${ip} ${port}`, `127.0.0.1 ${await window.testProxyOf(`${ip}:${port}`)}`);
  };
  const OWN = /(candidate:\S+ \d+ \w+ \d+ \S+) \d+ typ/g;
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function hidden(text) {
    send.call(this, text.replace(OWN, '$1 9 typ'));
  };
  const proto = RTCPeerConnection.prototype;
  const { setRemoteDescription, addIceCandidate } = proto;
  proto.setRemoteDescription = async function through({ type, sdp }) {
    const lines = await Promise.all(sdp.split('\r\n').map(rewrite));
    const kept = lines.filter((line, i) => line || i === lines.length - 1);
    return setRemoteDescription.call(this, { type, sdp: kept.join('\r\n') });
  };
  proto.addIceCandidate = async function through(candidate) {
    if (!candidate?.candidate) return addIceCandidate.call(this, candidate);
    const text = await rewrite(candidate.candidate);
    return text ? addIceCandidate.call(this, { ...candidate, candidate: text }) : Promise.resolve();
  };
}
