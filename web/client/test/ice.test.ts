// Goal: candidates are read as browsers write them, and the pair in use is found in each browser's report.

import { describe, expect, it } from 'vitest';
import {
  candidateInfo,
  candidatesOf,
  decodePriority,
  filterCandidates,
  parseCandidate,
  selectedPath,
} from '../src/ice.js';
import { fetchIceServers, relaysOver, toIceServers, transportOf } from '../src/ice-servers.js';

const SRFLX =
  'candidate:842163049 1 udp 1677729535 203.0.113.7 61234 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag abcd';

describe('parseCandidate', () => {
  it('reads what Chromium writes', () => {
    expect(parseCandidate(SRFLX)).toEqual({
      type: 'srflx',
      protocol: 'udp',
      tcpType: null,
      address: '203.0.113.7',
      port: 61234,
      priority: 1677729535,
      component: 1,
      foundation: '842163049',
      relatedAddress: '0.0.0.0',
      relatedPort: 0,
    });
  });

  it('reads TCP, mDNS names, IPv6 and upper case', () => {
    const tcp = parseCandidate('a=candidate:1 1 TCP 1518280447 10.0.0.2 9 typ host tcptype active');
    expect(tcp).toMatchObject({ protocol: 'tcp', tcpType: 'active', port: 9 });
    const hidden = 'candidate:0 1 UDP 2122252543 8d2f0e5a-1.local 50001 typ host';
    expect(parseCandidate(hidden)?.address).toBe('8d2f0e5a-1.local');
    expect(parseCandidate('candidate:2 1 udp 5 2001:db8::1 5 typ prflx')?.address).toBe(
      '2001:db8::1',
    );
  });

  it('takes nothing else', () => {
    for (const line of [
      '',
      'candidate:',
      'candidate:1 1 udp x 10.0.0.1 5 typ host',
      'candidate:1 1 udp 1 10.0.0.1 5 typ moon',
      'candidate:1 1 sctp 1 10.0.0.1 5 typ host',
      'candidate:1 1 udp 1 10.0.0.1 -5 typ host',
      'a=mid:0',
    ]) {
      expect(parseCandidate(line), line).toBeNull();
    }
  });
});

it('takes a priority apart', () => {
  expect(decodePriority(2122260223)).toEqual({ type: 126, local: 32542, component: 1 });
  expect(decodePriority(4294967295)).toEqual({ type: 255, local: 65535, component: 1 });
});

it('says how a relay is reached: by the browser, or by the address of the relay', () => {
  const line = 'candidate:1 1 udp 5 203.0.113.9 50000 typ relay raddr 10.0.0.1 rport 5';
  const relay = (more: object, server?: string) =>
    candidateInfo({ candidate: line, ...more } as RTCIceCandidate, server)?.relayProtocol;
  expect(relay({ relayProtocol: 'tls' }, 'turn:a')).toBe('tls');
  expect(relay({}, 'turn:a?transport=tcp')).toBe('tcp');
  expect(relay({})).toBeNull();
  const host = { candidate: line.replace('typ relay', 'typ host') } as RTCIceCandidate;
  expect(candidateInfo(host, 'turn:a')?.relayProtocol).toBeNull();
  expect(candidateInfo({ candidate: '' } as RTCIceCandidate)).toBeNull();
});

describe('selectedPath', () => {
  const local = {
    id: 'L',
    type: 'local-candidate',
    candidateType: 'relay',
    protocol: 'udp',
    relayProtocol: 'tls',
    address: '203.0.113.9',
    port: 5,
  };
  const remote = {
    id: 'R',
    type: 'remote-candidate',
    candidateType: 'host',
    protocol: 'udp',
    address: '198.51.100.1',
    port: 5000,
  };
  const pair = {
    id: 'P',
    type: 'candidate-pair',
    localCandidateId: 'L',
    remoteCandidateId: 'R',
    currentRoundTripTime: 0.042,
    availableOutgoingBitrate: 900_000,
  };

  it('follows the transport', () => {
    const other = {
      ...pair,
      id: 'Q',
      nominated: true,
      state: 'succeeded',
      currentRoundTripTime: 9,
    };
    const transport = { id: 'T', type: 'transport', selectedCandidatePairId: 'P' };
    expect(selectedPath([other, local, remote, pair, transport])).toEqual({
      local: {
        type: 'relay',
        protocol: 'udp',
        relayProtocol: 'tls',
        address: '203.0.113.9',
        port: 5,
      },
      remote: {
        type: 'host',
        protocol: 'udp',
        relayProtocol: null,
        address: '198.51.100.1',
        port: 5000,
      },
      rttMs: 42,
      availableKbps: 900,
    });
  });

  it('takes the nominated pair where the transport is silent', () => {
    const nominated = {
      ...pair,
      nominated: true,
      state: 'succeeded',
      availableOutgoingBitrate: undefined,
    };
    expect(selectedPath([local, remote, nominated])?.availableKbps).toBeNull();
    expect(selectedPath([local, remote, pair])).toBeNull();
    expect(selectedPath([null, 5, {}])).toBeNull();
  });
});

it('keeps the candidates of an SDP that are wanted, and everything else', () => {
  const udp = 'a=candidate:1 1 udp 5 10.0.0.1 5000 typ host';
  const tcp = 'a=candidate:2 1 tcp 4 10.0.0.1 5000 typ host tcptype passive';
  const sdp = ['v=0', udp, tcp, 'a=end-of-candidates', ''].join('\r\n');
  expect(filterCandidates(sdp, ({ protocol }) => protocol === 'tcp')).toBe(
    sdp.replace(`${udp}\r\n`, ''),
  );
  expect(candidatesOf(sdp).map(({ protocol }) => protocol)).toEqual(['udp', 'tcp']);
});

describe('ICE servers', () => {
  const turn = {
    urls: ['turn:a:3478?transport=udp', 'turn:a:3478?transport=tcp', 'turns:a:5349'],
    username: 'u',
    credential: 'c',
  };

  it('are taken from both forms of answer, and nothing else is', () => {
    expect(toIceServers({ iceServers: [turn, 5, { urls: 'http://a' }], ttl: 5 })).toEqual([turn]);
    expect(toIceServers([{ urls: 'stun:a' }])).toEqual([{ urls: ['stun:a'] }]);
    for (const wrong of [null, 'x', {}, { iceServers: 5 }]) expect(toIceServers(wrong)).toEqual([]);
  });

  it('are none where the server does not know the path', async () => {
    const answer = (status: number) => async () => new Response('{}', { status });
    expect(await fetchIceServers(answer(404))).toEqual([]);
    await expect(fetchIceServers(answer(500))).rejects.toThrow('500');
  });

  it('are told apart by how they are reached', () => {
    expect(transportOf('turn:a')).toBe('udp');
    expect(transportOf('turns:a?transport=tcp')).toBe('tls');
    expect(transportOf('turns:a?transport=udp')).toBe('udp');
    const urls = (over: 'udp' | 'tcp' | 'tls') => relaysOver([{ urls: 'stun:a' }, turn], over);
    expect(urls('udp')).toEqual([{ ...turn, urls: ['turn:a:3478?transport=udp'] }]);
    expect(urls('tls')[0]?.urls).toEqual(['turns:a:5349']);
    expect(relaysOver([{ urls: 'turn:a' }], 'tcp')).toEqual([]);
  });
});
