// Every sentence of the pages, in one table: a translation is a second table of the same type.

import type { CallEnd, MediaError, Quality, Verdict, VideoPreset } from '@tring/client';

const PRESETS: Record<VideoPreset, string> = {
  'audio-only': 'Audio only',
  '360p': 'Standard (360p)',
  '720p': 'HD (720p)',
  '1080p': 'Full HD (1080p)',
};

const VERDICTS: Record<Verdict, string> = {
  good: 'Good connection',
  fair: 'Fair connection',
  poor: 'Poor connection',
};

/** What a constraint is called by people. */
const CONSTRAINTS: Record<string, string> = {
  width: 'this picture size, or another tab keeps the camera at a smaller one',
  height: 'this picture size, or another tab keeps the camera at a smaller one',
  frameRate: 'this frame rate',
  deviceId: 'what was chosen: that device is not connected any more',
  aspectRatio: 'this shape of the picture',
  facingMode: 'a camera that faces this way',
  sampleRate: 'this sample rate',
  channelCount: 'this number of channels',
};

export const en = {
  lang: 'en',
  brand: 'Tring',
  retry: 'Try again',
  cancel: 'Cancel',
  diag: 'Check devices and network',

  start: {
    title: 'Video calls between your customers and your team',
    lead: 'A customer presses one button and talks to an agent, face to face, in the browser. Every call is recorded, both sides in one file.',
    customerTitle: 'Customer page',
    customerText: 'Press Call and reach an agent who is available.',
    agentTitle: 'Agent page',
    agentText: 'Go available, answer calls, watch the recordings.',
    diagTitle: 'Check your connection',
    diagText:
      'Will calls work here? Tests the network, the camera, the microphone and the speaker.',
    tip: 'To try it alone, open the two pages in two tabs: go available on the agent page, then call from the customer page.',
    checking: 'Asking the server…',
    ready: 'The server is ready',
    notReady: 'The server is starting or shutting down',
    unreachable: 'The server cannot be reached',
  },

  settings: {
    title: 'Camera and microphone settings',
    picture: 'Picture',
    presets: PRESETS,
    camera: 'Camera',
    microphone: 'Microphone',
    systemDefault: 'System default',
    numbered: (kind: string, n: number) => `${kind} ${n}`,
    gone: 'Not connected',
    preview: 'Show preview',
    stopPreview: 'Stop preview',
    previewVideo: 'Preview of your camera',
    previewEmpty: 'See yourself before you call',
    previewAudioOnly: 'Audio only: no picture is sent',
    level: 'Microphone level',
  },

  customer: {
    title: 'Talk to us, face to face',
    lead: 'One press of the button connects you with somebody from our team. Your browser will ask to use your camera and microphone.',
    recorded: 'Calls are recorded.',
    call: 'Call',
    callAgain: 'Call again',
    media: 'Please allow the camera and microphone',
    mediaHint: 'Your browser is asking at the top of the window.',
    connecting: 'Connecting…',
    connectingHint: 'Looking for somebody who is available.',
    ringing: (agent: string) => `Ringing ${agent}…`,
    ringingHint: 'They will answer in a moment.',
    answering: (agent: string) => `${agent} is answering…`,
    connected: (agent: string) => `Connected with ${agent}`,
    reconnecting: 'Connection lost. Reconnecting…',
    busy: 'All agents are on another call',
    busyHint: 'Please try again in a few minutes.',
    nobody: 'Nobody is available at the moment',
    nobodyHint: 'Please try again a little later.',
    error: 'The call could not be made',
    errorHint: 'The server did not answer as expected. Please try again.',
    unreachableHint:
      'The server cannot be reached. Check your internet connection, then try again.',
    microphoneMuted: 'Your microphone is muted',
  },

  agent: {
    title: 'Agent',
    name: 'Your name',
    namePlaceholder: 'Ann',
    nameHint: 'Customers see it while your phone rings.',
    goAvailable: 'Go available',
    goOffline: 'Go offline',
    offline: 'Offline',
    offlineHint: 'Choose a name and go available to receive calls.',
    connecting: 'Going available…',
    available: 'Available',
    availableHint: (name: string) => `You are available as ${name}. Calls will ring here.`,
    reclaiming: 'Getting your name back…',
    reclaimingHint: 'The server still holds your name from before. This takes a minute at most.',
    reconnecting: 'Reconnecting to the server…',
    reconnectingHint: 'No calls can reach you until the connection is back.',
    onCall: 'On a call',
    nameMissing: 'Enter your name first.',
    nameTaken: (name: string) => `Somebody else is available as ${name}. Choose another name.`,
    refused: (reason: string) => `The server refused: ${reason}`,
    incoming: 'Incoming call',
    incomingTitle: (caller: string) => `Call from ${caller}`,
    accept: 'Accept',
    decline: 'Decline',
    acceptAudioOnly: 'Accept with audio only',
    ringBlocked: 'Click anywhere on this page once, so that your browser lets it ring.',
    notify: 'Notify me when the window is hidden',
    notifyOn: 'Notifications are on',
    missed: (caller: string) => `${caller} gave up before you answered.`,
    mediaWarning: 'You are available, but your camera or microphone cannot be used:',
  },

  call: {
    remoteVideo: (name: string) => `Picture of ${name}`,
    localVideo: 'Your own picture',
    microphone: 'Microphone',
    camera: 'Camera',
    mute: 'Mute microphone',
    unmute: 'Unmute microphone',
    cameraOff: 'Turn camera off',
    cameraOn: 'Turn camera on',
    noCamera: 'You are not sending a picture',
    hangup: 'Hang up',
    hear: 'Click to hear the call',
    noPicture: (name: string) => `${name} sends no picture`,
    controls: 'Call controls',
    duration: 'Duration',
    connecting: 'Connecting…',
    reconnecting: 'Connection lost. Reconnecting…',
    signalling: 'The server cannot be reached; the call goes on. Reconnecting…',
  },

  ended: {
    byMe: 'You hung up',
    byPeer: (name: string) => `${name} hung up`,
    peerGone: (name: string) => `The connection of ${name} was lost`,
    lost: 'The connection was lost',
    cancelled: 'Call cancelled',
    failed: 'The call failed',
    lasted: (length: string) => `The call lasted ${length}.`,
  },

  calls: {
    title: 'Past calls',
    empty: 'No calls yet',
    emptyHint: 'When a call ends, it appears here with its recording.',
    loading: 'Loading…',
    unavailable: 'The list of calls cannot be loaded. Trying again…',
    older: 'Show older calls',
    with: (caller: string, callee: string) => `${caller} with ${callee}`,
    notAnswered: 'Not answered',
    inProgress: 'In progress',
    play: 'Play',
    close: 'Close player',
    download: 'Download',
    player: (when: string) => `Recording of ${when}`,
    playFailed: 'The recording cannot be played now.',
    keyTitle: 'This list needs the agent key',
    keyText: 'You are not on the server’s own machine. The key is in the server’s configuration.',
    key: 'Agent key',
    keySave: 'Use this key',
    keyWrong: 'The server did not accept this key.',
    recording: {
      none: 'Not recorded',
      recording: 'Recording',
      processing: 'Processing',
      ready: 'Ready',
      failed: 'Failed',
    },
    progress: (percent: number) => `Processing, ${percent} %`,
  },
};

export type Messages = typeof en;

/** The table in use. */
export const t: Messages = en;

/** Customers have made-up user names, agents have real ones: what to call this one. */
export function personName(username: string): string {
  if (username.startsWith('agent:')) return username.slice('agent:'.length);
  if (username.startsWith('customer-')) return `Customer ${username.slice('customer-'.length)}`;
  return username;
}

/** What went wrong with the devices, and what to do: two sentences. */
export function mediaSentence(error: MediaError): { title: string; hint: string } {
  const devices = devicesOf(error);
  switch (error.code) {
    case 'permission-denied':
      return {
        title: `This page may not use your ${devices}`,
        hint: 'Allow it with the icon beside the address of this page, then try again.',
      };
    case 'permission-dismissed':
      return {
        title: 'You closed the question of your browser',
        hint: `Try again, and allow the ${devices} this time.`,
      };
    case 'blocked-by-system':
      return {
        title: `Your system does not let the browser use the ${devices}`,
        hint: 'Allow it in the privacy settings of your system, then try again.',
      };
    case 'blocked-by-policy':
      return {
        title: 'Calls are not allowed on this page',
        hint: 'The website that shows this page does not let it use a camera or microphone.',
      };
    case 'not-found':
      return {
        title: `No ${devices.replace(' and ', ' or no ')} was found`,
        hint:
          'Connect it and try again' +
          (error.waysOn.includes('audio-only') ? ', or go on without a picture.' : '.'),
      };
    case 'in-use':
      return {
        title: `Another program is using your ${devices}`,
        hint: 'Close the other program or tab, then try again.',
      };
    case 'constraints': {
      const what =
        CONSTRAINTS[error.constraint ?? ''] ?? `“${error.constraint ?? 'these settings'}”`;
      return {
        title: `Your ${devices} cannot do what the settings ask for`,
        hint: `No device offers ${what}. Choose other settings. (${error.constraint ?? 'no constraint named'})`,
      };
    }
    case 'unsupported':
      return {
        title: 'This browser cannot make calls here',
        hint: 'Use a current browser, and an address that begins with https:// or is localhost.',
      };
    case 'aborted':
    case 'unknown':
      return {
        title: `Your ${devices} could not be started`,
        hint: `Try again. (${error.message})`,
      };
  }
}

function devicesOf(error: MediaError): string {
  if (!error.askedForVideo) return 'microphone';
  return error.askedForAudio ? 'camera and microphone' : 'camera';
}

export const mediaWays = {
  retry: 'Try again',
  'audio-only': 'Continue with audio only',
  'other-settings': 'Use other settings',
} as const;

export function endSentence(end: CallEnd, name: string): string {
  switch (end.code) {
    case 'hung-up':
      return end.by === 'local' ? en.ended.byMe : en.ended.byPeer(name);
    case 'peer-gone':
      return en.ended.peerGone(name);
    case 'connection-lost':
      return en.ended.lost;
    case 'cancelled':
      return en.ended.cancelled;
    default:
      return en.ended.failed;
  }
}

/** One line: the verdict, then the figures that are known. */
export function qualitySentence(quality: Quality): string {
  const parts: string[] = [VERDICTS[quality.verdict]];
  if (quality.rttMs !== null) parts.push(`${Math.round(quality.rttMs)} ms`);
  if (quality.lossPct !== null) parts.push(`${quality.lossPct.toFixed(1)} % lost`);
  if (quality.upKbps !== null) parts.push(`↑ ${rate(quality.upKbps)}`);
  if (quality.downKbps !== null) parts.push(`↓ ${rate(quality.downKbps)}`);
  if (quality.width && quality.height && quality.fps) {
    parts.push(`${quality.width}×${quality.height}, ${Math.round(quality.fps)} fps`);
  }
  return parts.join(' · ');
}

function rate(kbps: number): string {
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

const END_REASONS: Record<string, string> = {
  Declined: 'Declined',
  Cancelled: 'Cancelled',
  'No answer': 'Not answered',
  'User busy': 'Busy',
};

/** The end of a call that was never answered, in words. */
export function endReason(reason: string | null): string {
  return END_REASONS[reason ?? ''] ?? en.calls.notAnswered;
}
