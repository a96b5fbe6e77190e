// The sentences of this page. They are apart from the others' because no other page needs them; a
// translation is a second table of the same type here as well.

import type { CandidateType } from '@tring/client';
import type { LevelWord } from './level-words.js';

const LEVELS: Record<LevelWord, string> = {
  silent: 'Nothing is heard. Say something.',
  quiet: 'You are heard, but quietly. Come closer, or turn the microphone up.',
  good: 'You are heard well.',
  loud: 'Too loud: the sound is cut off. Turn the microphone down.',
};

const TYPES: Record<CandidateType, string> = {
  host: 'this device',
  srflx: 'seen from outside',
  prflx: 'found in passing',
  relay: 'relay',
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
    systemDefault: 'System default',
    numbered: (kind: string, n: number) => `${kind} ${n}`,
    gone: 'Not connected',
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
    named: (name: string) => `The browser names the constraint “${name}”.`,
    preview: 'Picture of the camera with these settings',
  },

  types: TYPES,
};
