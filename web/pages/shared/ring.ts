// The ring of the agent page: sound made here (two tones, twice a cycle, like a telephone), a title
// that flashes, and a notification when the person asked for them.

import { t } from './messages.js';

const CYCLE_MS = 3000;
const BURSTS_S = [0, 0.6];
const BURST_S = 0.4;
const TONES_HZ = [440, 480];
const VOLUME = 0.12;

export class Ringer {
  private context: AudioContext | null = null;
  private timer: ReturnType<typeof setInterval> | null = null;
  private title = '';
  private notification: Notification | null = null;

  /** Call it in a click: browsers allow sound only after one. */
  unlock(): void {
    this.context ??= new AudioContext();
    if (this.context.state === 'suspended') void this.context.resume().catch(() => undefined);
  }

  /** False while the browser would not let it sound. */
  get audible(): boolean {
    return this.context?.state === 'running';
  }

  start(caller: string): void {
    this.stop();
    this.title = document.title;
    let flash = false;
    const ring = (): void => {
      flash = !flash;
      document.title = flash ? `☎ ${t.agent.incomingTitle(caller)}` : this.title;
      if (flash) this.sound();
    };
    ring();
    this.timer = setInterval(ring, CYCLE_MS / 2);
    this.notify(caller);
  }

  stop(): void {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    document.title = this.title;
    this.notification?.close();
    this.notification = null;
    // A closed context is silent at once, also in the middle of a burst.
    const running = this.audible;
    void this.context?.close();
    this.context = running ? new AudioContext() : null;
  }

  private sound(): void {
    const context = this.context;
    if (!context || context.state !== 'running') return;
    for (const at of BURSTS_S) {
      const gain = context.createGain();
      const start = context.currentTime + at;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(VOLUME, start + 0.02);
      gain.gain.setValueAtTime(VOLUME, start + BURST_S - 0.05);
      gain.gain.linearRampToValueAtTime(0, start + BURST_S);
      gain.connect(context.destination);
      for (const hz of TONES_HZ) {
        const tone = context.createOscillator();
        tone.frequency.value = hz;
        tone.connect(gain);
        tone.start(start);
        tone.stop(start + BURST_S);
      }
    }
  }

  private notify(caller: string): void {
    if (!('Notification' in window) || Notification.permission !== 'granted') return;
    if (document.visibilityState === 'visible') return;
    try {
      this.notification = new Notification(t.agent.incomingTitle(caller), { tag: 'tring-call' });
      this.notification.onclick = () => window.focus();
    } catch {
      // Some phones allow notifications from service workers only.
    }
  }
}
