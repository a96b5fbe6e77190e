// The loudness of a microphone as a word, for those who cannot see the meter, and to judge it.

export type LevelWord = 'silent' | 'quiet' | 'good' | 'loud';

/** Lower ends on the scale of `loudness` (0 is -60 dB, 1 full scale). */
const FROM: readonly [LevelWord, number][] = [
  ['loud', 0.95],
  ['good', 0.5],
  ['quiet', 0.2],
  ['silent', 0],
];
/** A word is left only when the level is this much below its lower end, so that it does not flicker. */
const SLACK = 0.06;
/** Speech has pauses: what counts is the loudest of this many levels (ten come a second). */
const HOLD = 15;

export class LevelJudge {
  private recent: number[] = [];
  word: LevelWord = 'silent';
  /** The loudest level until now. */
  peak = 0;

  /** Takes one more level; true when the word has changed. */
  take(level: number): boolean {
    this.recent = [...this.recent.slice(1 - HOLD), level];
    this.peak = Math.max(this.peak, level);
    const loudest = Math.max(...this.recent);
    const before = this.word;
    const next = FROM.find(([word, from]) => loudest >= (word === before ? from - SLACK : from));
    this.word = next?.[0] ?? 'silent';
    return this.word !== before;
  }
}
