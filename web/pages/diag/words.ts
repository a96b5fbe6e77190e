// The sentences of this page. They are apart from the others' because no other page needs them; a
// translation is a second table of the same type here as well.

import type { CandidateInfo, CandidateType, SelectedPath } from '@tring/client';
import type { StepId, StepState } from './check.js';
import type { EchoFailure, EchoResult, GatherError } from './findings.js';
import type { LevelWord } from './level-words.js';
import type { SendFailure } from './report.js';
import { hostPort } from './ways.js';
import type { Advice, Grade, Verdict, VerdictNote } from './verdict.js';

const LEVELS: Record<LevelWord, string> = {
  silent: 'Nothing is heard. Say something.',
  quiet: 'You are heard, but quietly. Come closer, or turn the microphone up.',
  good: 'You are heard well.',
  loud: 'Too loud: the sound is cut off. Turn the microphone down.',
};

const TYPES: Record<CandidateType, string> = {
  host: 'this device',
  srflx: 'as seen from outside',
  prflx: 'found in passing',
  relay: 'through the relay',
};

const STEPS: Record<StepId, string> = {
  server: 'The server',
  candidates: 'Ways to this device',
  udp: 'Echo call, direct (UDP)',
  tcp: 'Echo call, direct over TCP',
  'relay-udp': 'Echo call through the relay (UDP)',
  'relay-tcp': 'Echo call through the relay, over TCP',
  'relay-tls': 'Echo call through the relay, over TLS',
};

const STATES: Record<StepState, string> = {
  waiting: 'Waiting',
  running: 'Running…',
  passed: 'Works',
  failed: 'Does not work',
  'not-offered': 'Not offered by this server',
  skipped: 'Not tested',
};

const FAILURES: Record<EchoFailure, string> = {
  'no-relay':
    'The relay could not be reached this way, or did not accept us. With TLS the cause may also be a certificate that this browser does not trust.',
  'no-path': 'Nothing came through: something between here and the server blocks it.',
  'no-media': 'The connection came up, but no sound and no picture came back.',
  signalling: 'The connection to the server was lost during the test.',
  browser: 'The browser could not make this call.',
};

const GRADES: Record<Grade, { title: string; text: string }> = {
  good: {
    title: 'Calls will work well here',
    text: 'Sound and picture go straight to the server and back.',
  },
  tcp: {
    title: 'Calls will work, by a detour over TCP',
    text: 'The direct way over UDP is blocked. Calls work, but the picture may stall when the network is busy.',
  },
  relay: {
    title: 'Calls will work, through a relay',
    text: 'The direct way to the server is blocked. Calls take a detour through the relay by themselves; there is nothing that you have to do.',
  },
  'audio-only': {
    title: 'Calls will work with sound only',
    text: 'You can talk and listen; do not count on a picture.',
  },
  fails: { title: 'Calls will not work here', text: 'This is why:' },
};

export const words = {
  title: 'Check your connection',
  lead: 'Find out in a minute whether calls will work here, and what to do if they will not.',
  start: 'Start the check',
  again: 'Check again',
  stop: 'Stop',

  devices: {
    title: 'Camera, microphone, speaker',
    lead: 'Nothing of this is sent anywhere. Your browser asks once whether this page may use them.',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    startCamera: 'Start camera',
    stopCamera: 'Stop camera',
    startMicrophone: 'Start microphone',
    stopMicrophone: 'Stop microphone',
    opening: 'Opening… Your browser may be asking at the top of the window.',
    preview: 'Preview of your camera',
    previewEmpty: 'The camera is off',
    sends: (what: string) => `The camera gives ${what}.`,
    level: 'Microphone level',
    levels: LEVELS,
    play: 'Play test sound',
    playing: ['On the left…', 'On the right…', 'On both sides…'],
    played: 'Did you hear three tones: left, right, both?',
    heard: 'Yes, I heard them',
    notHeard: 'No',
    heardGood: 'Your speaker works.',
    heardBad: 'Turn the volume up, check that the speaker is not muted, or choose another one.',
    chooseSpeaker: 'Choose a speaker…',
    speakerFixed: 'This browser plays on the speaker that the system has chosen.',
    speakerFailed: 'This speaker cannot be used. Choose another one.',
  },

  tryOut: {
    title: 'Try out what your camera can do',
    lead: 'For those who want to know exactly: asks the browser for a picture with these properties, and shows what comes.',
    sizes: 'Picture size',
    rates: 'Frame rate',
    rate: (n: number) => `${n} a second`,
    facing: 'Direction of the camera',
    facingAny: 'Any',
    facings: {
      'ideal user': 'Towards you, if there is one',
      'exact user': 'Towards you, or none',
      'ideal environment': 'Away from you, if there is one',
      'exact environment': 'Away from you, or none',
    } as Record<string, string>,
    quantities: { width: 'Width', height: 'Height', frameRate: 'Frame rate' },
    bounds: { min: 'at least', ideal: 'ideal', max: 'at most', exact: 'exactly' },
    impossible: 'Something impossible',
    clear: 'Clear',
    open: 'Open the camera',
    close: 'Close the camera',
    asked: 'Asked for',
    got: 'The camera gives',
    invalid: (field: string) => `${field}: enter a number above 0, or nothing.`,
    noDevice: (asked: string) => `No camera here has ${asked}.`,
    named: (name: string) =>
      `The browser’s answer: OverconstrainedError. It names the constraint “${name}”.`,
    preview: 'Picture of the camera with these settings',
  },

  network: {
    title: 'Network',
    steps: STEPS,
    states: STATES,
    failures: FAILURES,
    progress: (done: number, all: number) => `Step ${done} of ${all}`,
    stopped: 'The check was stopped.',
    reached: (how: 'websocket' | 'http' | null, ms: number) =>
      how === 'http'
        ? `Reached in ${ms} ms. WebSockets are blocked, so calls begin a little slower.`
        : `Reached in ${ms} ms.`,
    unreachable: 'The server could not be reached.',
    found: (count: number, seconds: string) =>
      `${count === 1 ? 'One way' : `${count} ways`} found in ${seconds} s.`,
    foundNone: 'The browser found no network at all.',
    cut: 'A server did not answer in time; the search was ended.',
    rtt: 'Round trip',
    loss: 'Loss',
    jitter: 'Jitter',
    rate: 'Bit rate',
    up: 'sent',
    down: 'received',
    setup: 'Connected after',
    path: 'Way',
    tried: (targets: string) => `Tried: ${targets}`,
    candidates: 'Ways that the browser has found',
    candidatesHint:
      'Candidates of ICE, as they came in. The higher the priority, the sooner a way is taken.',
    columns: {
      time: 'Time',
      type: 'Type',
      protocol: 'Protocol',
      address: 'Address',
      port: 'Port',
      priority: 'Priority',
      server: 'From',
    },
    hidden: 'hidden by the browser',
    hiddenEnd: 'this device',
    errors: 'Servers that did not answer as hoped',
  },

  verdict: {
    grades: GRADES,
    ask: 'What to ask of the people who run your network:',
    unchecked: (devices: string) => `Not checked yet: ${devices}. It is done below.`,
    send: 'Get a support code',
    sendAgain: 'Send again, for a new code',
    sending: 'Sending…',
    sendHint:
      'Sends this report to the operators of this server. It has your browser, what was measured, and the networks (not the full addresses) that you are in; no pictures, no sound.',
    code: 'Your support code',
    codeHint: 'Tell it to the support desk: they find this report by it for 30 days.',
    copy: 'Copy report',
    copyCode: 'Copy code',
    copied: 'Copied.',
    copyFailed: 'The browser did not allow copying. Download the report instead.',
    download: 'Download report',
    sendFailures: {
      'too-many': 'Too many reports came from your network. Wait half a minute, then try again.',
      unreachable: 'The server could not be reached. Copy or download the report instead.',
      refused: 'The server did not take the report. Copy or download it instead.',
    } as Record<SendFailure, string>,
  },

  types: TYPES,
};

/** "udp", "tcp (active)", "through the relay, reached by TLS". */
export function protocolWords(candidate: CandidateInfo): string {
  if (candidate.type === 'relay') {
    const by = candidate.relayProtocol?.toUpperCase();
    return by ? `${candidate.protocol.toUpperCase()}, relay reached by ${by}` : 'UDP';
  }
  return candidate.protocol.toUpperCase() + (candidate.tcpType ? ` (${candidate.tcpType})` : '');
}

/** `answered`: another network of this device got an answer from there. */
export function errorWords({ url, code, count }: GatherError, answered: boolean): string {
  const times = count > 1 ? `, ${count} times` : '';
  const but = answered ? '; from another network of this device it did answer' : '';
  return `${url || 'A server'} ${errorCause(code)}${times}${but}.`;
}

function errorCause(code: number): string {
  switch (code) {
    case 300:
      return 'sends us to another server (300)';
    case 401:
    case 438:
      return `did not accept the credentials (${code})`;
    case 403:
      return 'does not allow it (403)';
    case 486:
    case 508:
      return `has no room left (${code})`;
    case 701:
      return 'did not answer (701)';
    default:
      return `answered with error ${code}`;
  }
}

/** The line of figures of one echo call; empty while none is known. */
export function echoFigures(echo: EchoResult): { name: string; value: string }[] {
  const figures: { name: string; value: string }[] = [];
  const { rttMs, lossPct, jitterMs, upKbps, downKbps, setupMs, path } = echo;
  const add = (name: string, value: string | null): void => {
    if (value !== null) figures.push({ name, value });
  };
  add(words.network.rtt, rttMs === null ? null : `${Math.round(rttMs)} ms`);
  add(words.network.loss, lossPct === null ? null : `${lossPct.toFixed(1)} %`);
  add(words.network.jitter, jitterMs === null ? null : `${Math.round(jitterMs)} ms`);
  add(
    words.network.rate,
    upKbps === null || downKbps === null ? null : `↑ ${rateWords(upKbps)} ↓ ${rateWords(downKbps)}`,
  );
  add(words.network.setup, setupMs === null ? null : `${setupMs} ms`);
  add(words.network.path, path === null ? null : pathWords(path));
  return figures;
}

export function rateWords(kbps: number): string {
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

/** "203.0.113.7:61234 → 198.51.100.1:10000, UDP". */
function pathWords({ local, remote }: SelectedPath): string {
  const end = (address: string, port: number): string => {
    if (!address || address.endsWith('.local')) return words.network.hiddenEnd;
    return hostPort(address, port);
  };
  const how =
    local.type === 'relay'
      ? `relay${local.relayProtocol ? ` over ${local.relayProtocol.toUpperCase()}` : ''}`
      : `${local.protocol.toUpperCase()}, ${local.type}`;
  return `${end(local.address, local.port)} → ${end(remote.address, remote.port)} (${how})`;
}

export function noteWords({ reason, value }: VerdictNote): string {
  const number = value ?? 0;
  switch (reason) {
    case 'server-unreachable':
      return 'The server cannot be reached at all. Check your internet connection, then try again.';
    case 'no-path':
      return 'Your network lets web pages through, but no calls: neither the direct way nor a relay could be reached.';
    case 'no-media':
      return 'A connection comes up, but no sound and no picture come through.';
    case 'loss':
      return `${number.toFixed(0)} % of what is sent gets lost. A cable, or a place nearer to the Wi-Fi router, often helps.`;
    case 'delay':
      return `It takes ${Math.round(number)} ms to the server and back. A VPN, or a mobile network with weak signal, may be the cause.`;
    case 'bandwidth':
      return `Only ${rateWords(number)} come through. Downloads or other calls in your network may be the cause.`;
    case 'microphone':
      return 'The microphone cannot be used: see below.';
    case 'camera':
      return 'The camera cannot be used: see below.';
    case 'no-devices':
      return 'Your browser gives this page neither microphone nor camera. Open it by an address that begins with https://, in a current browser.';
    case 'udp-blocked':
      return 'Your network blocks the direct way (UDP) to the server.';
  }
}

export function adviceWords({ protocol, target }: Advice): string {
  const name = protocol === 'tls' ? 'TLS over TCP' : protocol.toUpperCase();
  return `Allow ${name} to ${target}`;
}

export function uncheckedWords({ unchecked }: Verdict): string {
  return unchecked.length > 0 ? words.verdict.unchecked(unchecked.join(' and ')) : '';
}
