// ICE candidates and the pair of them that a connection uses, in a form to look at.

import { transportOf } from './ice-servers.js';

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

export interface CandidateInfo {
  type: CandidateType;
  /** Of the candidate itself; what reaches a relay is `relayProtocol`. */
  protocol: 'udp' | 'tcp';
  tcpType: 'active' | 'passive' | 'so' | null;
  /** `relay` only: how the client talks to the relay; null where the browser does not say. */
  relayProtocol: 'udp' | 'tcp' | 'tls' | null;
  address: string;
  port: number;
  /** The number of RFC 8445; `decodePriority` takes it apart. */
  priority: number;
  component: number;
  foundation: string;
  relatedAddress: string | null;
  relatedPort: number | null;
}

export interface Priority {
  /** 126 host, 110 prflx, 100 srflx, 0..2 relay, by RFC 8445 section 5.1.2.1. */
  type: number;
  local: number;
  component: number;
}

export function decodePriority(priority: number): Priority {
  return {
    type: Math.floor(priority / 2 ** 24) % 256,
    local: Math.floor(priority / 2 ** 8) % 65536,
    component: 256 - (priority % 256),
  };
}

const TYPES: readonly CandidateType[] = ['host', 'srflx', 'prflx', 'relay'];

/**
 * Reads a candidate line, with or without `a=` or `candidate:` before it. Null for what is none.
 * Browsers differ in which fields of RTCIceCandidate they fill in; the line is the same in all.
 */
export function parseCandidate(line: string): Omit<CandidateInfo, 'relayProtocol'> | null {
  const words = line
    .trim()
    .replace(/^a=/, '')
    .replace(/^candidate:/, '')
    .split(/\s+/);
  const [foundation, component, protocol, priority, address, port, typ, type] = words;
  const kind = TYPES.find((known) => known === type);
  const transport = protocol?.toLowerCase();
  if (typ !== 'typ' || !kind || !foundation || !address) return null;
  if (transport !== 'udp' && transport !== 'tcp') return null;
  const extra = extensions(words.slice(8));
  const tcpType = extra.get('tcptype');
  const numbers = [component, priority, port].map(Number);
  if (numbers.some((number) => !Number.isInteger(number) || number < 0)) return null;
  const relatedPort = Number(extra.get('rport'));
  return {
    type: kind,
    protocol: transport,
    tcpType: (['active', 'passive', 'so'] as const).find((known) => known === tcpType) ?? null,
    address,
    port: numbers[2] as number,
    priority: numbers[1] as number,
    component: numbers[0] as number,
    foundation,
    relatedAddress: extra.get('raddr') ?? null,
    relatedPort: Number.isInteger(relatedPort) && extra.has('rport') ? relatedPort : null,
  };
}

function extensions(words: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2)
    pairs.set(words[i] as string, words[i + 1] as string);
  return pairs;
}

/**
 * A candidate as `onicecandidate` gives it; null for the empty one that ends a generation. `server` is
 * the STUN or TURN address that it comes from, if that is known.
 */
export function candidateInfo(
  candidate: RTCIceCandidate,
  server: string | null = null,
): CandidateInfo | null {
  const parsed = parseCandidate(candidate.candidate);
  if (!parsed) return null;
  if (parsed.type !== 'relay') return { ...parsed, relayProtocol: null };
  const { relayProtocol } = candidate as { relayProtocol?: unknown };
  const said = relayProtocolOf(relayProtocol);
  return { ...parsed, relayProtocol: said ?? (server === null ? null : transportOf(server)) };
}

function relayProtocolOf(said: unknown): CandidateInfo['relayProtocol'] {
  return (['udp', 'tcp', 'tls'] as const).find((name) => name === said) ?? null;
}

/** One end of the pair that is used. */
export interface PathEnd {
  type: CandidateType;
  protocol: 'udp' | 'tcp';
  relayProtocol: 'udp' | 'tcp' | 'tls' | null;
  address: string;
  port: number;
}

export interface SelectedPath {
  local: PathEnd;
  remote: PathEnd;
  rttMs: number | null;
  /** What the browser thinks that the path carries, kbit/s; null where it does not say. */
  availableKbps: number | null;
}

type Stat = Record<string, unknown> & { id: string; type: string };

/** The pair that a getStats report says is used; null while there is none. */
export function selectedPath(report: Iterable<unknown>): SelectedPath | null {
  const stats = new Map<unknown, Stat>();
  for (const value of report) if (isStat(value)) stats.set(value.id, value);
  const pair = selectedPair([...stats.values()]);
  const local = pathEnd(stats.get(pair?.localCandidateId));
  const remote = pathEnd(stats.get(pair?.remoteCandidateId));
  if (!pair || !local || !remote) return null;
  const rtt = numberOf(pair.currentRoundTripTime);
  const available = numberOf(pair.availableOutgoingBitrate);
  return {
    local,
    remote,
    rttMs: rtt === null ? null : rtt * 1000,
    availableKbps: available === null ? null : available / 1000,
  };
}

/** Browsers that don't name the pair of the transport have one nominated pair. */
export function selectedPair(stats: readonly Stat[]): Stat | undefined {
  const transport = stats.find((stat) => stat.type === 'transport');
  const pairs = stats.filter((stat) => stat.type === 'candidate-pair');
  return (
    pairs.find((pair) => pair.id === transport?.selectedCandidatePairId) ??
    pairs.find((pair) => pair.nominated === true && pair.state === 'succeeded')
  );
}

function pathEnd(stat: Stat | undefined): PathEnd | null {
  const type = TYPES.find((known) => known === stat?.candidateType);
  if (!stat || !type) return null;
  return {
    type,
    protocol: stat.protocol === 'tcp' ? 'tcp' : 'udp',
    relayProtocol: type === 'relay' ? relayProtocolOf(stat.relayProtocol) : null,
    address: typeof stat.address === 'string' ? stat.address : '',
    port: numberOf(stat.port) ?? 0,
  };
}

function isStat(value: unknown): value is Stat {
  return typeof value === 'object' && value !== null && 'id' in value && 'type' in value;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** The SDP with those candidates only that `keep` says yes to. */
export function filterCandidates(
  sdp: string,
  keep: (candidate: Omit<CandidateInfo, 'relayProtocol'>) => boolean,
): string {
  return sdp
    .split('\r\n')
    .filter((line) => {
      const candidate = line.startsWith('a=candidate:') ? parseCandidate(line) : null;
      return !candidate || keep(candidate);
    })
    .join('\r\n');
}

/** The candidates of an SDP. */
export function candidatesOf(sdp: string): Omit<CandidateInfo, 'relayProtocol'>[] {
  return sdp
    .split('\r\n')
    .filter((line) => line.startsWith('a=candidate:'))
    .flatMap((line) => parseCandidate(line) ?? []);
}
