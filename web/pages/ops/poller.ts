// Asks again and again while the page is looked at: the next question waits for the answer to the one
// before, and a hidden tab asks nothing.

import type { ReactiveController, ReactiveControllerHost } from 'lit';

export class Poller implements ReactiveController {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private busy = false;
  private again = false;
  private connected = false;

  constructor(
    host: ReactiveControllerHost,
    private readonly everyMs: number,
    private readonly ask: () => Promise<void>,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.connected = true;
    document.addEventListener('visibilitychange', this.onVisibility);
    void this.now();
  }

  hostDisconnected(): void {
    this.connected = false;
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.stop();
  }

  /** Asks at once, or as soon as the question that is under way is answered. */
  async now(): Promise<void> {
    this.stop();
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    await this.ask();
    this.busy = false;
    if (!this.connected || document.visibilityState === 'hidden') return;
    const wait = this.again ? 0 : this.everyMs;
    this.again = false;
    this.timer = setTimeout(() => void this.now(), wait);
  }

  private stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private readonly onVisibility = (): void => {
    if (document.visibilityState === 'visible') void this.now();
    else this.stop();
  };
}
