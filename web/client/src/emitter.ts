/** Takes a listener away again. Calling it twice is harmless. */
export type Unsubscribe = () => void;

/**
 * A typed event emitter. `Events` maps each event's name to its payload:
 * `Emitter<{ state: CallState }>` gives `on('state', (state) => ...)`.
 *
 * A listener that throws never stops the others: its error is reported as an uncaught one.
 */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(payload: never) => void>>();

  /** Calls `listener` on every `name` event until the returned function is called. */
  on<Name extends keyof Events>(
    name: Name,
    listener: (payload: Events[Name]) => void,
  ): Unsubscribe {
    let set = this.listeners.get(name);
    if (!set) this.listeners.set(name, (set = new Set()));
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** As `on`, for one event only. */
  once<Name extends keyof Events>(
    name: Name,
    listener: (payload: Events[Name]) => void,
  ): Unsubscribe {
    const off = this.on(name, (payload) => {
      off();
      listener(payload);
    });
    return off;
  }

  protected emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) {
      try {
        (listener as (payload: Events[Name]) => void)(payload);
      } catch (error) {
        reportLater(error);
      }
    }
  }

  protected removeAllListeners(): void {
    this.listeners.clear();
  }
}

function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
