// From what was found to one verdict: will calls work here, and if not, what is to be done. Pure.

import type { DeviceFindings, EchoResult, Findings, Way } from './findings.js';

/** `good`, `tcp` and `relay` all mean that calls work; the last two by a detour. */
export type Grade = 'good' | 'tcp' | 'relay' | 'audio-only' | 'fails';

export type Reason =
  | 'server-unreachable'
  | 'no-path'
  | 'no-media'
  | 'loss'
  | 'delay'
  | 'bandwidth'
  | 'microphone'
  | 'camera'
  | 'no-devices'
  | 'udp-blocked';

export interface Advice {
  /** What to ask for: to let this through, to this address. */
  protocol: 'udp' | 'tcp' | 'tls';
  target: string;
}

export interface VerdictNote {
  reason: Reason;
  /** The figure that it is about: percent, ms or kbit/s. */
  value: number | null;
}

export interface Verdict {
  grade: Grade;
  notes: VerdictNote[];
  /** What the network people could open; empty when nothing is missing. */
  advice: Advice[];
  /** The way that a call would take; null when there is none. */
  best: EchoResult | null;
  /** Which devices nobody has looked at yet. */
  unchecked: ('camera' | 'microphone')[];
}

/** Beyond the first a picture suffers so that sound alone is better; beyond the second, sound does. */
const LOSS_PCT = [6, 25] as const;
const RTT_MS = [600, 1500] as const;
const VIDEO_KBPS = 150;
const AUDIO_KBPS = 24;

const ADVICE_PROTOCOL: Record<Way, Advice['protocol']> = {
  udp: 'udp',
  tcp: 'tcp',
  'relay-udp': 'udp',
  'relay-tcp': 'tcp',
  'relay-tls': 'tls',
};

export function judge(findings: Findings): Verdict {
  const best = findings.echoes.find(({ state }) => state === 'passed') ?? null;
  const network = judgeNetwork(findings, best);
  const devices = judgeDevices(findings.devices);
  const grade = worse(network.grade, devices.grade);
  const direct = findings.echoes.find(({ way }) => way === 'udp');
  const blocked = best !== null && direct?.state === 'failed';
  return {
    grade,
    notes: [
      ...network.notes,
      ...(blocked ? [{ reason: 'udp-blocked', value: null } as const] : []),
      ...devices.notes,
    ],
    advice: network.grade === 'good' ? [] : adviceOf(findings.echoes),
    best,
    unchecked: (['camera', 'microphone'] as const).filter(
      (kind) => findings.devices[kind] === 'unchecked',
    ),
  };
}

interface Part {
  grade: Grade;
  notes: VerdictNote[];
}

function judgeNetwork(findings: Findings, best: EchoResult | null): Part {
  if (findings.signalling?.ok === false) return fails('server-unreachable');
  if (!best) {
    const silent = findings.echoes.some(({ failure }) => failure === 'no-media');
    return fails(silent ? 'no-media' : 'no-path');
  }
  const notes: VerdictNote[] = [];
  let grade = gradeOf(best.way);
  const found = (reason: Reason, value: number, makes: Grade): void => {
    notes.push({ reason, value });
    grade = worse(grade, makes);
  };
  const loss = best.lossPct ?? 0;
  const rtt = best.rttMs ?? 0;
  const rate = Math.min(best.upKbps ?? Infinity, best.downKbps ?? Infinity);
  if (loss >= LOSS_PCT[0]) found('loss', loss, loss >= LOSS_PCT[1] ? 'fails' : 'audio-only');
  if (rtt >= RTT_MS[0]) found('delay', rtt, rtt >= RTT_MS[1] ? 'fails' : 'audio-only');
  if (rate < VIDEO_KBPS) found('bandwidth', rate, rate < AUDIO_KBPS ? 'fails' : 'audio-only');
  return { grade, notes };
}

function gradeOf(way: Way): Grade {
  if (way === 'udp') return 'good';
  return way === 'tcp' ? 'tcp' : 'relay';
}

function judgeDevices({ camera, microphone }: DeviceFindings): Part {
  if (camera === 'unsupported' || microphone === 'unsupported') return fails('no-devices');
  const bad = (['microphone', 'camera'] as const).filter(
    (kind) => !['unchecked', 'ok'].includes(kind === 'camera' ? camera : microphone),
  );
  const grade = bad.includes('microphone') ? 'fails' : bad.length > 0 ? 'audio-only' : 'good';
  return { grade, notes: bad.map((reason) => ({ reason, value: null })) };
}

function fails(reason: Reason): Part {
  return { grade: 'fails', notes: [{ reason, value: null }] };
}

const ORDER: readonly Grade[] = ['good', 'tcp', 'relay', 'audio-only', 'fails'];

function worse(a: Grade, b: Grade): Grade {
  return ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b;
}

/** Every address that was tried in vain, each once. */
function adviceOf(echoes: readonly EchoResult[]): Advice[] {
  const all = echoes
    .filter(({ state }) => state === 'failed')
    .flatMap(({ way, targets }) =>
      targets.map((target) => ({ protocol: ADVICE_PROTOCOL[way], target })),
    );
  const key = ({ protocol, target }: Advice): string => `${protocol} ${target}`;
  return [...new Map(all.map((advice) => [key(advice), advice])).values()];
}
