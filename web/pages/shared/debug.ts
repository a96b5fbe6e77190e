// What tests and curious people reach from the console: `tringDebug.pc.getStats()`.

import type { Call, Session } from '@tring/client';

interface TringDebug {
  call: Call | null;
  session: Session | null;
  /** The connection of the call that is up, null otherwise. */
  readonly pc: RTCPeerConnection | null;
}

declare global {
  interface Window {
    tringDebug: TringDebug;
  }
}

export const debug: TringDebug = {
  call: null,
  session: null,
  get pc() {
    return this.call?.connection ?? null;
  },
};

window.tringDebug = debug;
