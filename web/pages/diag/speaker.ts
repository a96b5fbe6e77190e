// A test sound on the speaker: left, right, then both.

interface Sink {
  setSinkId?(id: string): Promise<void>;
}

/** True where a page may choose the speaker. */
export function canChooseSpeaker(): boolean {
  return typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype;
}

const NOTES: readonly { hertz: number; pan: number }[] = [
  { hertz: 523, pan: -1 },
  { hertz: 659, pan: 1 },
  { hertz: 784, pan: 0 },
];
const NOTE_S = 0.55;
const LOUDNESS = 0.25;

/**
 * Plays it; `note` is called at each of its three parts. Rejects when the speaker cannot be used:
 * NotFoundError (it is gone), NotAllowedError (the browser wants a click first).
 */
export async function playTestSound(
  speaker: string | undefined,
  note: (number: number) => void,
): Promise<void> {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const audio = new Audio();
  audio.srcObject = out.stream;
  try {
    if (speaker && canChooseSpeaker()) await (audio as Sink).setSinkId?.(speaker);
    await context.resume();
    await audio.play();
    for (const [index, { hertz, pan }] of NOTES.entries()) {
      note(index);
      await playNote(context, out, hertz, pan);
    }
  } finally {
    audio.pause();
    audio.srcObject = null;
    await context.close();
  }
}

function playNote(
  context: AudioContext,
  out: AudioNode,
  hertz: number,
  pan: number,
): Promise<void> {
  const tone = new OscillatorNode(context, { frequency: hertz });
  const gain = new GainNode(context, { gain: 0 });
  const now = context.currentTime;
  // Softly in and out: a hard edge would click.
  gain.gain.setValueAtTime(0, now);
  gain.gain.linearRampToValueAtTime(LOUDNESS, now + 0.03);
  gain.gain.setValueAtTime(LOUDNESS, now + NOTE_S - 0.1);
  gain.gain.linearRampToValueAtTime(0, now + NOTE_S);
  tone.connect(gain).connect(new StereoPannerNode(context, { pan })).connect(out);
  tone.start(now);
  tone.stop(now + NOTE_S);
  return new Promise((resolve) => tone.addEventListener('ended', () => resolve(), { once: true }));
}
