// The ways that an echo call can go, and what the browser is told so that it goes that way alone.

import { relaysOver, type CandidateInfo } from '@tring/client';
import { WAYS, type Way } from './findings.js';

export interface WayPlan {
  way: Way;
  /** False: the server offers no such relay. Of the direct ways only its answer tells. */
  offered: boolean;
  config: RTCConfiguration;
  /** Which of the server's candidates may be used. */
  keep(candidate: Pick<CandidateInfo, 'protocol'>): boolean;
}

const RELAY = { 'relay-udp': 'udp', 'relay-tcp': 'tcp', 'relay-tls': 'tls' } as const;

export function planWays(servers: readonly RTCIceServer[]): WayPlan[] {
  return WAYS.map((way) => {
    if (way === 'udp' || way === 'tcp') {
      const keep: WayPlan['keep'] = ({ protocol }) => protocol === way;
      return { way, offered: true, config: { iceServers: [] }, keep };
    }
    const iceServers = relaysOver(servers, RELAY[way]);
    return {
      way,
      offered: iceServers.length > 0,
      config: { iceServers, iceTransportPolicy: 'relay' },
      // What a relay reaches the server by is between the two of them.
      keep: ({ protocol }) => protocol === 'udp',
    };
  });
}

/** What a relay way tries to reach, as "host:port"; the ports are those of the URL scheme. */
export function relayTargets(config: RTCConfiguration): string[] {
  return (config.iceServers ?? []).flatMap(({ urls }) => [urls].flat().map(targetOf));
}

function targetOf(url: string): string {
  const [, scheme, rest] = /^(\w+):([^?]*)/.exec(url) ?? [];
  if (!scheme || !rest) return url;
  return /:\d+$/.test(rest) ? rest : `${rest}:${scheme.endsWith('s') ? 5349 : 3478}`;
}

/** "203.0.113.1:10000", "[2001:db8::1]:10000". */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
