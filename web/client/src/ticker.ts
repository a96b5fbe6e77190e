/** Calls `tick` every `periodMs`, also in a hidden tab; the returned function stops it. */
export function startTicker(periodMs: number, tick: () => void): () => void {
  const worker = tryWorker();
  if (!worker) {
    const timer = setInterval(tick, periodMs);
    return () => clearInterval(timer);
  }
  worker.onmessage = tick;
  worker.postMessage(periodMs);
  return () => worker.terminate();
}

function tryWorker(): Worker | null {
  if (typeof Worker === 'undefined') return null;
  try {
    return new Worker(new URL('./ticker.worker.js', import.meta.url), { type: 'module' });
  } catch {
    return null; // a policy without worker-src: slowed-down timers are better than none
  }
}
