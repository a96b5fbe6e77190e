// How a page reaches the server: which of the server's candidates it is told, and a NAT between them
// that forgets.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { LOOPBACK } from './ports.mjs';

/**
 * Before a page loads: of the candidates in the server's SDP it hears those that match `keep`, each
 * with `replace` done to it.
 */
export function tellCandidates(page, keep, replace = ['', '']) {
  const before = page.addInitScript ?? page.evaluateOnNewDocument; // Playwright, or Puppeteer
  return before.call(
    page,
    ([pattern, [from, to]]) => {
      const wanted = new RegExp(pattern);
      const real = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        const sdp = description.sdp
          .split('\r\n')
          .filter((line) => !line.startsWith('a=candidate:') || wanted.test(line))
          .map((line) => (line.startsWith('a=candidate:') ? line.replace(from, to) : line))
          .join('\r\n');
        return real.call(this, { type: description.type, sdp });
      };
    },
    [keep.source, replace],
  );
}

/** What the selected pair of a page is made of: { protocol, remote, rtt }. */
export async function selectedPair(page, expression = 'tringDebug') {
  return page.evaluate(async (which) => {
    const pc = which === 'tringDebug' ? window.tringDebug.pc : window.testPc;
    const report = await pc.getStats();
    for (const stat of report.values()) {
      if (stat.type !== 'transport') continue;
      const pair = report.get(stat.selectedCandidatePairId);
      const remote = report.get(pair.remoteCandidateId);
      return { protocol: remote.protocol, remote: remote.address, rtt: pair.currentRoundTripTime };
    }
    return null;
  }, expression);
}

/** A NAT for UDP: each client gets a port towards the server, and another one after `forget`. */
export class Nat {
  /** Server and clients are at `address`. */
  static async start(serverPort, address = LOOPBACK) {
    const nat = new Nat();
    nat.serverPort = serverPort;
    nat.address = address;
    nat.mappings = new Map();
    nat.answers = 0; // of the server since the last time that it forgot
    nat.inside = createSocket('udp4');
    nat.inside.bind(0, address);
    await once(nat.inside, 'listening');
    nat.port = nat.inside.address().port;
    nat.inside.on('message', (datagram, { port }) => nat.outwards(datagram, port));
    return nat;
  }

  outwards(datagram, clientPort) {
    let outside = this.mappings.get(clientPort);
    if (!outside) {
      outside = createSocket('udp4');
      outside.on('message', (answer) => {
        if (this.mappings.get(clientPort) !== outside) return;
        this.answers++;
        this.inside.send(answer, clientPort, this.address);
      });
      this.mappings.set(clientPort, outside);
    }
    outside.send(datagram, this.serverPort, this.address);
  }

  /** As after a restart: all come from other ports, and nothing gets in by the old ones. */
  forget() {
    for (const outside of this.mappings.values()) outside.close();
    this.mappings.clear();
    this.answers = 0;
  }

  stop() {
    this.forget();
    this.inside.close();
  }
}
